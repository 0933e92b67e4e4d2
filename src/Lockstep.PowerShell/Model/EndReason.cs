namespace Lockstep;

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
