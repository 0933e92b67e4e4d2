namespace Lockstep.Engine.Sync;

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
