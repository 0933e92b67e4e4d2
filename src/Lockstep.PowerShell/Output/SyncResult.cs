namespace Lockstep;

/// <summary>What a sync did; of one that runs, what it has done so far.</summary>
public sealed class SyncResult
{
    internal SyncResult() { }

    /// <summary>The table's name.</summary>
    public string Table { get; internal init; } = "";

    /// <summary>The table file.</summary>
    public string Path { get; internal init; } = "";

    /// <summary>The feed, without user and password.</summary>
    public Uri? Uri { get; internal init; }

    /// <summary>The cursor that is committed: where the next sync goes on; empty for a list that is fetched whole each time.</summary>
    public string Cursor { get; internal init; } = "0";

    /// <summary>Well-formed records that came.</summary>
    public long Received { get; internal init; }

    /// <summary>Records that were not there before.</summary>
    public long Added { get; internal init; }

    /// <summary>Records that are different now.</summary>
    public long Updated { get; internal init; }

    /// <summary>Records that are gone.</summary>
    public long Deleted { get; internal init; }

    /// <summary>Records that changed nothing: they came again, or were older than what was there.</summary>
    public long Unchanged { get; internal init; }

    /// <summary>Records that came after one with a higher order value.</summary>
    public long OutOfOrder { get; internal init; }

    /// <summary>
    /// Whether a whole set came that could not be taken as it is, so that nothing was removed by it: a later sync fetches it again.
    /// </summary>
    public bool IsSetOwed { get; internal init; }

    /// <summary>Malformed records that came.</summary>
    public long Malformed { get; internal init; }

    /// <summary>How many malformed records the table has set aside in all, those of earlier syncs among them.</summary>
    public long Quarantined { get; internal init; }

    /// <summary>Heartbeats.</summary>
    public long Heartbeats { get; internal init; }

    /// <summary>Bytes of the feed, after decompression.</summary>
    public long Bytes { get; internal init; }

    /// <summary>How long it took.</summary>
    public TimeSpan Duration { get; internal init; }

    /// <summary>Records received per second.</summary>
    public double Rate { get; internal init; }

    /// <summary>Where it is.</summary>
    public SyncState State { get; internal init; }

    /// <summary>How many attempts to connect have failed in a row.</summary>
    public int Attempt { get; internal init; }

    /// <summary>How long ago the last byte came from the feed; null when none has.</summary>
    public TimeSpan? SinceLastByte { get; internal init; }

    /// <summary>How old the newest record is, by its order value; null where that is no time.</summary>
    public TimeSpan? Lag { get; internal init; }

    /// <summary>Why it ended; None while it runs.</summary>
    public EndReason EndReason { get; internal init; }

    /// <summary>
    /// Whether the feed said or showed that this was all. False while it runs, and when a feed fell silent that may have had more.
    /// </summary>
    public bool IsComplete { get; internal init; }

    /// <summary>What came of it, in one word; None while it runs.</summary>
    public SyncOutcome Outcome { get; internal init; }
}

/// <summary>Where a sync is.</summary>
public enum SyncState
{
    /// <summary>Asking the feed.</summary>
    Connecting = 0,

    /// <summary>Taking in a whole set that replaces the table when it is complete.</summary>
    Snapshot = 1,

    /// <summary>Taking in records as they come.</summary>
    Live = 2,

    /// <summary>Waiting before the next attempt, after one that failed.</summary>
    BackingOff = 3,

    /// <summary>Done.</summary>
    Ended = 4,

    /// <summary>Given up with an error.</summary>
    Failed = 5,

    /// <summary>The feed ended as it should, and is asked again later.</summary>
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

    /// <summary>Ctrl+C, or a command further down that wanted no more.</summary>
    Stopped = 5,

    /// <summary>An error.</summary>
    Failed = 6,
}

/// <summary>What came of a sync, in one word: the same in results, jobs, exit codes and documents.</summary>
public enum SyncOutcome
{
    /// <summary>It has not ended.</summary>
    None = 0,

    /// <summary>All that the feed had is in the table, as far as it said or showed.</summary>
    Complete = 1,

    /// <summary>Nothing says that what came was all, or something says that it was not; it is in the table.</summary>
    Incomplete = 2,

    /// <summary>It is complete but for malformed records that came, which were set aside.</summary>
    Quarantined = 3,

    /// <summary>A whole set could not be taken as it is, and is fetched again later; nothing was removed by what it lacks.</summary>
    Owed = 4,

    /// <summary>A whole set would have removed too much to be believed, so that nothing was changed; it is owed.</summary>
    SweepRefused = 5,

    /// <summary>It was told to end, or the time to follow is over; what was committed stays.</summary>
    Stopped = 6,

    /// <summary>An error ended it; what was committed stays.</summary>
    Failed = 7,
}
