namespace Lockstep.Engine.Sync;

/// <summary>How a body that has not ended has nothing more for now.</summary>
internal enum BodyRest
{
    /// <summary>It may still bring something.</summary>
    None,

    /// <summary>It goes on and brings nothing new.</summary>
    Idle,

    /// <summary>It is silent, as a feed without an end is that has nothing to say.</summary>
    Quiet,

    /// <summary>It is silent, and nothing shows that this was all.</summary>
    Silent,
}
