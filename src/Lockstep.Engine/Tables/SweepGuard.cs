namespace Lockstep.Engine.Tables;

/// <summary>Whether a whole set whose end nothing vouches for is believed, by how much of a table it would remove (I6).</summary>
internal static class SweepGuard
{
    /// <summary>In percent, where the table has no limit of its own.</summary>
    public const int DefaultLimit = 50;

    /// <summary>A table of no more records than this may lose all of them.</summary>
    public const int Few = 20;

    /// <param name="lost">How many records the set would remove.</param>
    /// <param name="rows">Of how many.</param>
    /// <param name="limit">The table's limit in percent; null for the default.</param>
    public static bool Allows(long lost, long rows, int? limit) => rows <= Few || lost * 100m <= (decimal)rows * (limit ?? DefaultLimit);
}
