namespace Lockstep.Engine.Tables;

/// <summary>What applying records did, as net effect per commit. Immutable.</summary>
/// <param name="Added">Records that were not there before.</param>
/// <param name="Updated">Records that were there and are different now.</param>
/// <param name="Deleted">Records that are there no more.</param>
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
