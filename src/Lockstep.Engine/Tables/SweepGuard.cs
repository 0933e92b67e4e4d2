namespace Lockstep.Engine.Tables;

/// <summary>
/// Whether a whole set whose end nothing vouches for is believed, by how much of a table it would remove: an empty one never, and of more
/// than a few records it may remove no more than the limit (I6, D4).
/// </summary>
internal static class SweepGuard
{
    /// <summary>In percent, where the table has no limit of its own.</summary>
    public const int DefaultLimit = 50;

    /// <summary>The share of a table of no more records than this says nothing.</summary>
    public const int Few = 20;

    /// <param name="lost">How many records the set would remove.</param>
    /// <param name="rows">Of how many.</param>
    /// <param name="limit">The table's limit in percent; null for the default.</param>
    /// <param name="isEmpty">Whether the set holds nothing at all.</param>
    public static bool Allows(long lost, long rows, int? limit, bool isEmpty) =>
        lost == 0 || limit == 100 || (!isEmpty && (rows <= Few || lost * 100m <= (decimal)rows * (limit ?? DefaultLimit)));
}
