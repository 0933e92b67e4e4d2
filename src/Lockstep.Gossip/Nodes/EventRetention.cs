namespace Lockstep.Gossip.Nodes;

/// <summary>How much of the past a node keeps. Anything older is forgotten; nodes that were away for longer learn so.</summary>
public sealed record EventRetention
{
    /// <summary>Keeps everything: what npm scuttlebutt does.</summary>
    public static EventRetention Everything { get; } = new();

    /// <summary>The most events that are kept; null for any number.</summary>
    public int? MaxEvents { get; init; }

    /// <summary>
    /// How long an event is kept, by its timestamp; null forever. Old events are dropped when an event or a peer comes.
    /// </summary>
    public TimeSpan? MaxAge { get; init; }
}
