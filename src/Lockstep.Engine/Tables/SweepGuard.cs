namespace Lockstep.Engine.Tables;

/// <summary>Whether a whole set whose end nothing vouches for is believed, by how much of a table it would remove (I6).</summary>
internal static class SweepGuard
{
    /// <summary>In percent, where the table has no limit of its own.</summary>
    public const int DefaultLimit = 50;

    /// <summary>The share of a table of no more records than this says nothing.</summary>
    public const int Few = 20;

    /// <param name="lost">How many records the set would remove.</param>
    /// <param name="rows">Of how many.</param>
    /// <param name="limit">The table's limit in percent; null for the default.</param>
    /// <param name="mayEmpty">Whether a table of few records may lose all of them.</param>
    public static bool Allows(long lost, long rows, int? limit, bool mayEmpty) =>
        lost == 0 || ((mayEmpty || lost < rows || limit == 100) && (rows <= Few || lost * 100m <= (decimal)rows * (limit ?? DefaultLimit)));
}
