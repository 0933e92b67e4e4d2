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

    /// <summary>A whole set that is owed is to be fetched again.</summary>
    SetDue,

    /// <summary>Another feed's set that could not be read in full: what follows it in the body is that feed's, too.</summary>
    Refused,
}
