namespace Lockstep.Engine.Sync;

/// <summary>The phase of a sync.</summary>
public enum SyncPhase
{
    /// <summary>Requesting the feed.</summary>
    Connecting = 0,

    /// <summary>Receiving a whole set that replaces the table once complete.</summary>
    Snapshot = 1,

    /// <summary>Receiving records as they arrive.</summary>
    Live = 2,

    /// <summary>Waiting before the next attempt, after a failed one.</summary>
    BackingOff = 3,

    /// <summary>Done.</summary>
    Ended = 4,

    /// <summary>Given up because of an error.</summary>
    Failed = 5,

    /// <summary>The feed ended normally, and will be asked again later.</summary>
    Waiting = 6,
}

/// <summary>What moves a sync from one phase to the next.</summary>
internal enum SyncTrigger
{
    /// <summary>The feed answered with records that continue from the cursor.</summary>
    Connected = 0,

    /// <summary>The feed answered with a whole set.</summary>
    SnapshotBegan = 1,

    /// <summary>The whole set is complete.</summary>
    SnapshotCompleted = 2,

    /// <summary>The body ended, the connection broke or the feed could not be reached; another attempt follows.</summary>
    Interrupted = 3,

    /// <summary>The wait is over.</summary>
    WaitElapsed = 4,

    /// <summary>There is nothing left to do, or the caller wants no more.</summary>
    Finished = 5,

    /// <summary>An error that no further attempt will fix.</summary>
    GaveUp = 6,

    /// <summary>The body ended normally; the feed will be asked again after a wait.</summary>
    Rested = 7,
}

/// <summary>
/// A sync's state: an immutable value; <see cref="Next"/> returns its successor. The transition table is complete: anything not in it
/// cannot happen.
/// </summary>
/// <param name="Phase">Where the sync is.</param>
/// <param name="Attempt">How many attempts in a row have failed; 0 when the last one went well.</param>
public readonly record struct SyncState(SyncPhase Phase, int Attempt)
{
    private static readonly Dictionary<(SyncPhase, SyncTrigger), SyncPhase> Transitions = new()
    {
        [(SyncPhase.Connecting, SyncTrigger.Connected)] = SyncPhase.Live,
        [(SyncPhase.Connecting, SyncTrigger.SnapshotBegan)] = SyncPhase.Snapshot,
        [(SyncPhase.Connecting, SyncTrigger.Interrupted)] = SyncPhase.BackingOff,
        [(SyncPhase.Connecting, SyncTrigger.Finished)] = SyncPhase.Ended,
        [(SyncPhase.Connecting, SyncTrigger.GaveUp)] = SyncPhase.Failed,
        [(SyncPhase.Snapshot, SyncTrigger.SnapshotCompleted)] = SyncPhase.Live,
        [(SyncPhase.Snapshot, SyncTrigger.Interrupted)] = SyncPhase.BackingOff,
        [(SyncPhase.Snapshot, SyncTrigger.Finished)] = SyncPhase.Ended,
        [(SyncPhase.Snapshot, SyncTrigger.GaveUp)] = SyncPhase.Failed,
        [(SyncPhase.Live, SyncTrigger.Interrupted)] = SyncPhase.BackingOff,
        [(SyncPhase.Live, SyncTrigger.Finished)] = SyncPhase.Ended,
        [(SyncPhase.Live, SyncTrigger.GaveUp)] = SyncPhase.Failed,
        [(SyncPhase.Snapshot, SyncTrigger.Rested)] = SyncPhase.Waiting,
        [(SyncPhase.Live, SyncTrigger.Rested)] = SyncPhase.Waiting,
        [(SyncPhase.Waiting, SyncTrigger.WaitElapsed)] = SyncPhase.Connecting,
        [(SyncPhase.Waiting, SyncTrigger.Interrupted)] = SyncPhase.BackingOff,
        [(SyncPhase.Waiting, SyncTrigger.Finished)] = SyncPhase.Ended,
        [(SyncPhase.Waiting, SyncTrigger.GaveUp)] = SyncPhase.Failed,
        [(SyncPhase.BackingOff, SyncTrigger.WaitElapsed)] = SyncPhase.Connecting,
        [(SyncPhase.BackingOff, SyncTrigger.Finished)] = SyncPhase.Ended,
        [(SyncPhase.BackingOff, SyncTrigger.GaveUp)] = SyncPhase.Failed,
    };

    /// <summary>The initial state.</summary>
    public static SyncState Initial => new(SyncPhase.Connecting, 0);

    /// <summary>Whether the state is final.</summary>
    public bool IsFinal => Phase is SyncPhase.Ended or SyncPhase.Failed;

    /// <summary>Whether the trigger is valid in this state.</summary>
    internal bool Allows(SyncTrigger trigger) => Transitions.ContainsKey((Phase, trigger));

    /// <summary>The state after the trigger.</summary>
    /// <exception cref="InvalidOperationException">The trigger is not valid here.</exception>
    internal SyncState Next(SyncTrigger trigger)
    {
        if (!Transitions.TryGetValue((Phase, trigger), out var phase))
            throw new InvalidOperationException($"A sync that is {Phase} cannot take {trigger}.");
        var attempt = trigger switch
        {
            SyncTrigger.Connected or SyncTrigger.SnapshotBegan or SyncTrigger.Rested => 0,
            SyncTrigger.Interrupted => Attempt + 1,
            _ => Attempt,
        };
        return new SyncState(phase, attempt);
    }
}
