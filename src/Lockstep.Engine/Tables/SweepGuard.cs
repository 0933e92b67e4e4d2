namespace Lockstep.Engine.Tables;

/// <summary>
/// Whether to trust a whole set whose end nothing vouches for, by how much of a table it would remove: an empty set is never trusted, and
/// apart from a few records it may remove no more than the limit (I6, D4).
/// </summary>
internal static class SweepGuard
{
    /// <summary>The limit in percent, if the table has none of its own.</summary>
    public const int DefaultLimit = 50;

    /// <summary>The size up to which a percentage of a table means nothing.</summary>
    public const int Few = 20;

    /// <param name="lost">How many records the set would remove.</param>
    /// <param name="rows">Of how many records.</param>
    /// <param name="limit">The table's limit in percent; null for the default.</param>
    /// <param name="isEmpty">Whether the set is empty.</param>
    public static bool Allows(long lost, long rows, int? limit, bool isEmpty) =>
        lost == 0 || limit == 100 || (!isEmpty && (rows <= Few || lost * 100m <= (decimal)rows * (limit ?? DefaultLimit)));
}
