namespace Lockstep;

/// <summary>Where a sync is.</summary>
public enum SyncState
{
    /// <summary>Asking the feed.</summary>
    Connecting = 0,

    /// <summary>Taking in a whole set that replaces the table when it is complete.</summary>
    Snapshot = 1,

    /// <summary>Taking in records as they come.</summary>
    Live = 2,

    /// <summary>Waiting before the next attempt.</summary>
    BackingOff = 3,

    /// <summary>Done.</summary>
    Ended = 4,

    /// <summary>Given up with an error.</summary>
    Failed = 5,
}
