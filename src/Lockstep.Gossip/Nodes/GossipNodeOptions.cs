using Lockstep.Gossip.Security;

namespace Lockstep.Gossip.Nodes;

/// <summary>How to create a node.</summary>
public sealed record GossipNodeOptions
{
    /// <summary>
    /// The node's id; by default that of <see cref="Path"/>'s file or <see cref="Security"/>'s key, or else a random one. One live process
    /// per id: two that write under one id lose each other's updates. A node restarted under the same id needs its file, because its own
    /// earlier updates are older than what it writes now.
    /// </summary>
    public string? Id { get; init; }

    /// <summary>
    /// The SQLite file that keeps the node, or null for a node that lives as long as the process. Every update is in the file before a peer
    /// gets it.
    /// </summary>
    public string? Path { get; init; }

    /// <summary>Signs what this node writes and verifies what others wrote; null for neither.</summary>
    public GossipSecurity? Security { get; init; }

    /// <summary>
    /// The name that all nodes of the model share, which modern signatures cover: what is signed for one model is not accepted in another.
    /// Null counts as a name too: that of all models without one.
    /// </summary>
    public string? SharedName { get; init; }

    /// <summary>
    /// Whether to refuse updates without a modern signature, whoever signed or passed them on: those of npm's nodes, and of nodes from
    /// before modern signatures. Requires <see cref="Security"/> and <see cref="SharedName"/>. Default false.
    /// </summary>
    public bool ModernOnly { get; init; }

    /// <summary>
    /// How far ahead of this node's time an update may be stamped; one further ahead is held until it is due. Default one hour. <see
    /// cref="Timeout.InfiniteTimeSpan"/> sets no bound.
    /// </summary>
    public TimeSpan MaxFuture { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How many held updates of one stream are kept; any beyond that are requested again when due. Default 1024.</summary>
    public int MaxHeldUpdates { get; init; } = 1024;

    /// <summary>
    /// How many sources the node may know, each of which costs memory permanently. Changes from further ones are refused, and requested
    /// again when a peer connects; changes written here or from known sources are not. Default 100,000. Whatever the limit, their ids must
    /// fit into a header that peers accept: about 7.5 MiB.
    /// </summary>
    public int MaxSources { get; init; } = 100_000;

    /// <summary>
    /// The longest update that may be written here, as a line in bytes. Default 16 MiB, which other nodes accept by default
    /// (<see cref="GossipStreamOptions.MaxLineBytes"/>): a longer one could not reach any of them, nor could anything after it.
    /// </summary>
    public int MaxUpdateBytes { get; init; } = GossipStreamOptions.DefaultMaxLineBytes;

    /// <summary>The clock for timestamps and timers.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
