namespace Lockstep;

/// <summary>What a sync did; for a running one, what it has done so far.</summary>
public sealed class SyncResult
{
    internal SyncResult() { }

    /// <summary>The table's name.</summary>
    public string Table { get; internal init; } = "";

    /// <summary>The table file.</summary>
    public string Path { get; internal init; } = "";

    /// <summary>The feed, without user and password.</summary>
    public Uri? Uri { get; internal init; }

    /// <summary>The committed cursor, where the next sync continues; empty for a list that is fetched whole each time.</summary>
    public string Cursor { get; internal init; } = "0";

    /// <summary>Well-formed records that arrived.</summary>
    public long Received { get; internal init; }

    /// <summary>Records that were not there before.</summary>
    public long Added { get; internal init; }

    /// <summary>Records that changed.</summary>
    public long Updated { get; internal init; }

    /// <summary>Records that were deleted.</summary>
    public long Deleted { get; internal init; }

    /// <summary>Records that changed nothing: they arrived again, or were older than the table's.</summary>
    public long Unchanged { get; internal init; }

    /// <summary>Records that arrived after one with a higher order value.</summary>
    public long OutOfOrder { get; internal init; }

    /// <summary>
    /// Whether a whole set arrived that could not be accepted as it is, so that it removed nothing: a later sync fetches it again.
    /// </summary>
    public bool IsSetOwed { get; internal init; }

    /// <summary>Malformed records that arrived.</summary>
    public long Malformed { get; internal init; }

    /// <summary>How many malformed records the table has quarantined in all, including those of earlier syncs.</summary>
    public long Quarantined { get; internal init; }

    /// <summary>Heartbeats.</summary>
    public long Heartbeats { get; internal init; }

    /// <summary>Bytes of the feed, after decompression.</summary>
    public long Bytes { get; internal init; }

    /// <summary>How long it took.</summary>
    public TimeSpan Duration { get; internal init; }

    /// <summary>Records received per second.</summary>
    public double Rate { get; internal init; }

    /// <summary>Its current phase.</summary>
    public SyncState State { get; internal init; }

    /// <summary>How many attempts to connect have failed in a row.</summary>
    public int Attempt { get; internal init; }

    /// <summary>How long ago the last byte came from the feed; null if none has.</summary>
    public TimeSpan? SinceLastByte { get; internal init; }

    /// <summary>How old the newest record is, by its order value; null if that is not a time.</summary>
    public TimeSpan? Lag { get; internal init; }

    /// <summary>Why it ended; None while it runs.</summary>
    public EndReason EndReason { get; internal init; }

    /// <summary>
    /// Whether the feed said or showed that this was all. False while it runs, and if a feed fell silent that may have had more.
    /// </summary>
    public bool IsComplete { get; internal init; }

    /// <summary>Its outcome in one word; None while it runs.</summary>
    public SyncOutcome Outcome { get; internal init; }
}

/// <summary>The phase of a sync.</summary>
public enum SyncState
{
    /// <summary>Asking the feed.</summary>
    Connecting = 0,

    /// <summary>Receiving a whole set that replaces the table once it is complete.</summary>
    Snapshot = 1,

    /// <summary>Receiving records as they come.</summary>
    Live = 2,

    /// <summary>Waiting before the next attempt, after one that failed.</summary>
    BackingOff = 3,

    /// <summary>Done.</summary>
    Ended = 4,

    /// <summary>Given up with an error.</summary>
    Failed = 5,

    /// <summary>The feed ended normally, and will be polled again later.</summary>
    Waiting = 6,
}

/// <summary>Why a sync ended.</summary>
public enum EndReason
{
    /// <summary>It has not ended.</summary>
    None = 0,

    /// <summary>The feed's body ended.</summary>
    EndOfFeed = 1,

    /// <summary>The feed said that it has nothing more for now.</summary>
    CaughtUp = 2,

    /// <summary>Nothing changed the table for the settling time.</summary>
    Settled = 3,

    /// <summary>The time to follow was over.</summary>
    TimeElapsed = 4,

    /// <summary>Ctrl+C, or a command further down the pipeline that wanted no more.</summary>
    Stopped = 5,

    /// <summary>An error.</summary>
    Failed = 6,
}

/// <summary>The outcome of a sync in one word: the same in results, jobs, exit codes and documents.</summary>
public enum SyncOutcome
{
    /// <summary>It has not ended.</summary>
    None = 0,

    /// <summary>The table has everything that the feed had, as far as the feed said or showed.</summary>
    Complete = 1,

    /// <summary>Nothing says that what arrived was all, or something says that it was not; it is in the table.</summary>
    Incomplete = 2,

    /// <summary>It is complete except for malformed records, which were quarantined.</summary>
    Quarantined = 3,

    /// <summary>
    /// A whole set could not be accepted as it is, and will be fetched again later; records that it lacks were not removed.
    /// </summary>
    Owed = 4,

    /// <summary>A whole set would have removed too much to be accepted, so nothing was changed; it is still owed.</summary>
    SweepRefused = 5,

    /// <summary>It was stopped, or the time to follow is over; what was committed stays.</summary>
    Stopped = 6,

    /// <summary>An error ended it; what was committed stays.</summary>
    Failed = 7,
}
