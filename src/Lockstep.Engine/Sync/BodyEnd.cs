namespace Lockstep.Engine.Sync;

/// <summary>Why reading a body ended, when it did not fail.</summary>
internal enum BodyEnd
{
    EndOfBody,
    CaughtUp,
    Settled,
    TimeElapsed,
}
