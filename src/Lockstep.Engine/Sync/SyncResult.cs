using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>Why a sync ended.</summary>
public enum SyncEndReason
{
    /// <summary>It has not ended, and no whole set has been refused.</summary>
    None = 0,

    /// <summary>The feed's body ended.</summary>
    EndOfFeed = 1,

    /// <summary>The feed said that it has nothing more for now.</summary>
    CaughtUp = 2,

    /// <summary>Nothing changed the table for the settling time.</summary>
    Settled = 3,

    /// <summary>The time to follow is over.</summary>
    TimeElapsed = 4,

    /// <summary>The caller stopped it.</summary>
    Stopped = 5,

    /// <summary>An error ended it.</summary>
    Failed = 6,
}

/// <summary>What a sync did. Immutable; while the sync runs, a snapshot.</summary>
public sealed record SyncResult
{
    /// <summary>The table's name.</summary>
    public required string Table { get; init; }

    /// <summary>Where the table is kept: the file's full path, or the database in words (<see cref="TableStore.Description"/>).</summary>
    public required string Location { get; init; }

    /// <summary>The feed's URI without user info.</summary>
    public required string Feed { get; init; }

    /// <summary>The committed cursor.</summary>
    public Cursor Cursor { get; init; }

    /// <summary>Whether there is a cursor: a list of another server that is fetched in full each time has none.</summary>
    public bool HasCursor { get; init; } = true;

    /// <summary>Well-formed records received.</summary>
    public long Received { get; init; }

    /// <summary>Records added, by commit.</summary>
    public long Added { get; init; }

    /// <summary>Records updated, by commit.</summary>
    public long Updated { get; init; }

    /// <summary>Records deleted, by commit.</summary>
    public long Deleted { get; init; }

    /// <summary>
    /// Records that changed nothing: identical, older than the stored one, or followed by a newer version within one commit.
    /// </summary>
    public long Unchanged => Math.Max(0, Received - Added - Updated - Deleted + Swept);

    /// <summary>Records removed because a snapshot no longer contained them; included in <see cref="Deleted"/>.</summary>
    public long Swept { get; init; }

    /// <summary>Records whose order value was below an earlier one in the same body.</summary>
    public long OutOfOrder { get; init; }

    /// <summary>Whether a whole set could not be applied as it is and so removed nothing: a later sync fetches it again.</summary>
    public bool IsSetOwed { get; init; }

    /// <summary>Malformed records received.</summary>
    public long Malformed { get; init; }

    /// <summary>How many malformed records are in the table's quarantine, including those of earlier syncs.</summary>
    public long Quarantined { get; init; }

    /// <summary>Heartbeats of each kind.</summary>
    public long Heartbeats { get; init; }

    /// <summary>Bytes read, after decompression.</summary>
    public long Bytes { get; init; }

    /// <summary>How many connections delivered a body.</summary>
    public int Connections { get; init; }

    /// <summary>How long it has taken so far.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>Records received per second.</summary>
    public double Rate => Duration > TimeSpan.Zero ? Received / Duration.TotalSeconds : 0;

    /// <summary>How many records the feed announced; null if it did not.</summary>
    public long? Expected { get; init; }

    /// <summary>How many records of its first load the table had when this sync resumed it; 0 otherwise.</summary>
    public long LoadedBefore { get; init; }

    /// <summary>Whether the table's first load is in progress and would start over if it were cut off now.</summary>
    public bool LoadStartsOver { get; init; }

    /// <summary>The share of the body that has arrived, 0 to 1; null if its length is unknown.</summary>
    public double? ShareDone { get; init; }

    /// <summary>The sync's state.</summary>
    public SyncState State { get; init; }

    /// <summary>The time since the last byte arrived; null if none has.</summary>
    public TimeSpan? SinceLastByte { get; init; }

    /// <summary>When the newest record last changed, by its order value; null if that is not a time (<see cref="RecordTime"/>).</summary>
    public DateTimeOffset? NewestRecord { get; init; }

    /// <summary>Why it ended.</summary>
    public SyncEndReason EndReason { get; init; }

    /// <summary>
    /// Whether the feed said or showed that this was everything: its body ended as announced, it said that it has nothing more, or it is
    /// known to be endless and brought nothing new. False while the sync runs, and if a feed fell silent that may still have had more.
    /// </summary>
    public bool IsComplete { get; init; }

    /// <summary>The outcome.</summary>
    public SyncOutcome Outcome =>
        !State.IsFinal ? (IsSweepRefused ? SyncOutcome.SweepRefused : SyncOutcome.None)
        : EndReason == SyncEndReason.Failed ? (IsSweepRefused ? SyncOutcome.SweepRefused : SyncOutcome.Failed)
        : EndReason is SyncEndReason.Stopped or SyncEndReason.TimeElapsed ? SyncOutcome.Stopped
        : IsSetOwed ? SyncOutcome.Owed
        : !IsComplete ? SyncOutcome.Incomplete
        : Malformed > 0 ? SyncOutcome.Quarantined
        : SyncOutcome.Complete;

    /// <summary>Whether a whole set arrived with an explicit end, so that the records it lacks are gone (I6).</summary>
    internal bool IsWholeSet { get; init; }

    /// <summary>
    /// Whether the sync ended with the error that a whole set was not trusted; while it runs, whether the last set was not.
    /// </summary>
    internal bool IsSweepRefused { get; init; }
}

/// <summary>The outcome of a sync in one word, the same in results, jobs, exit codes and documents.</summary>
public enum SyncOutcome
{
    /// <summary>It has not ended.</summary>
    None = 0,

    /// <summary>Everything the feed had is in the table, as far as it said or showed.</summary>
    Complete = 1,

    /// <summary>Nothing says that what arrived was everything, or something says that it was not; what arrived is in the table.</summary>
    Incomplete = 2,

    /// <summary>Complete except for malformed records, which were quarantined.</summary>
    Quarantined = 3,

    /// <summary>
    /// A whole set could not be applied as it is, or lacks records without an explicit end; nothing was removed, and the set will be
    /// fetched again later.
    /// </summary>
    Owed = 4,

    /// <summary>A whole set would have removed too much to be credible, so nothing was changed; it is owed.</summary>
    SweepRefused = 5,

    /// <summary>It was stopped, or the time to follow is over; what was committed is kept.</summary>
    Stopped = 6,

    /// <summary>An error ended it; what was committed is kept.</summary>
    Failed = 7,
}
