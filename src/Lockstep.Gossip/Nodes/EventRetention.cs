namespace Lockstep.Gossip.Nodes;

/// <summary>How much of the past a node keeps. What is older is forgotten; nodes that were away for longer are told so.</summary>
public sealed record EventRetention
{
    /// <summary>Keeps everything: what npm scuttlebutt does.</summary>
    public static EventRetention Everything { get; } = new();

    /// <summary>The most events that are kept; null for any number.</summary>
    public int? MaxEvents { get; init; }

    /// <summary>
    /// How long an event is kept, by its timestamp; null forever. What is too old goes when an event comes or a peer does.
    /// </summary>
    public TimeSpan? MaxAge { get; init; }
}
