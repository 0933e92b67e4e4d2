namespace Lockstep.Gossip.Nodes;

/// <summary>How much of the past a node keeps. Anything older is forgotten; nodes that were away for longer are told so.</summary>
public sealed record EventRetention
{
    /// <summary>Keeps everything, as npm scuttlebutt does.</summary>
    public static EventRetention Everything { get; } = new();

    /// <summary>The maximum number of events to keep; null for any number.</summary>
    public int? MaxEvents { get; init; }

    /// <summary>
    /// How long an event is kept, by its timestamp; null forever. Old events are dropped when an event or a peer arrives.
    /// </summary>
    public TimeSpan? MaxAge { get; init; }
}
