namespace Lockstep.Engine.Tables;

/// <summary>Counts changes, and with them the live records and the tombstones of a table. One thread at a time.</summary>
/// <param name="rows">How many live records there were; 0 to count the difference.</param>
/// <param name="tombstones">How many tombstones, likewise.</param>
internal sealed class RowTally(long rows = 0, long tombstones = 0)
{
    public ApplyCounts Counts { get; private set; }

    public long Rows { get; private set; } = rows;

    public long Tombstones { get; set; } = tombstones;

    /// <param name="kind">The change.</param>
    /// <param name="was">What was stored before; null for nothing.</param>
    /// <param name="count">How many times.</param>
    public void Add(ChangeKind kind, RowState? was, long count = 1)
    {
        Counts = Counts.With(kind, count);
        var isLive = kind != ChangeKind.Deleted;
        var wasLive = was == RowState.Live;
        var wasGone = was is not null && !wasLive;
        Rows += ((isLive ? 1 : 0) - (wasLive ? 1 : 0)) * count;
        Tombstones += ((isLive ? 0 : 1) - (wasGone ? 1 : 0)) * count;
    }
}
