namespace Lockstep.Engine.Tables;

/// <summary>Counts changes, and with them a table's live records and tombstones. One thread at a time.</summary>
/// <param name="rows">The initial number of live records; 0 to count the difference.</param>
/// <param name="tombstones">The initial number of tombstones, likewise.</param>
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

/// <summary>The net effect of applying records, per commit. Immutable.</summary>
/// <param name="Added">Records that were not there before.</param>
/// <param name="Updated">Records that were there and have changed.</param>
/// <param name="Deleted">Records that are no longer there.</param>
internal readonly record struct ApplyCounts(long Added, long Updated, long Deleted)
{
    /// <summary>All changes together.</summary>
    public long Changes => Added + Updated + Deleted;

    /// <summary>Adds two counts.</summary>
    public static ApplyCounts operator +(ApplyCounts left, ApplyCounts right) => Add(left, right);

    /// <summary>Adds two counts.</summary>
    public static ApplyCounts Add(ApplyCounts left, ApplyCounts right) =>
        new(left.Added + right.Added, left.Updated + right.Updated, left.Deleted + right.Deleted);

    internal ApplyCounts With(ChangeKind kind, long count) =>
        kind switch
        {
            ChangeKind.Added => this with { Added = Added + count },
            ChangeKind.Updated => this with { Updated = Updated + count },
            _ => this with { Deleted = Deleted + count },
        };
}
