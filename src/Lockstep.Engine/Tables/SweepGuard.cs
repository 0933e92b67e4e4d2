namespace Lockstep.Engine.Tables;

/// <summary>
/// Whether to trust a whole set whose end nothing vouches for, by how much of a table it would remove: never an empty one, and beyond a few
/// records it may remove no more than the limit (I6, D4).
/// </summary>
internal static class SweepGuard
{
    /// <summary>In percent, if the table has no limit of its own.</summary>
    public const int DefaultLimit = 50;

    /// <summary>In a table of this size or smaller, a share says nothing.</summary>
    public const int Few = 20;

    /// <param name="lost">How many records the set would remove.</param>
    /// <param name="rows">Of how many.</param>
    /// <param name="limit">The table's limit in percent; null for the default.</param>
    /// <param name="isEmpty">Whether the set holds nothing at all.</param>
    public static bool Allows(long lost, long rows, int? limit, bool isEmpty) =>
        lost == 0 || limit == 100 || (!isEmpty && (rows <= Few || lost * 100m <= (decimal)rows * (limit ?? DefaultLimit)));
}
