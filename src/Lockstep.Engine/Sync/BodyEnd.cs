namespace Lockstep.Engine.Sync;

/// <summary>Why reading a body ended, when it did not fail.</summary>
internal enum BodyEnd
{
    EndOfBody,
    CaughtUp,
    Settled,

    /// <summary>Nothing comes any more, without a sign that this was all.</summary>
    Silent,
    TimeElapsed,
}
