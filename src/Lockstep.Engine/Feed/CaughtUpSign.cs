namespace Lockstep.Engine.Feed;

/// <summary>How a feed whose body does not end says that it has nothing more for now.</summary>
internal enum CaughtUpSign
{
    /// <summary>It does not say.</summary>
    None,

    /// <summary>Its silence.</summary>
    Silence,

    /// <summary>A heartbeat, so that silence is a pause.</summary>
    Heartbeat,
}
