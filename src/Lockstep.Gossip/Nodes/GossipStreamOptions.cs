using System.Net;
using System.Text.Json;

namespace Lockstep.Gossip.Nodes;

/// <summary>The direction in which updates go over a stream.</summary>
public enum GossipDirection
{
    /// <summary>Both ways.</summary>
    Both,

    /// <summary>This node only sends: what npm scuttlebutt calls a read stream, <c>writable: false</c>.</summary>
    SendOnly,

    /// <summary>This node only receives: what npm scuttlebutt calls a write stream, <c>readable: false</c>.</summary>
    ReceiveOnly,
}

/// <summary>How a node uses one stream.</summary>
public sealed record GossipStreamOptions
{
    internal const int DefaultMaxLineBytes = 16 * 1024 * 1024;

    /// <summary>The direction of updates. Default both.</summary>
    public GossipDirection Direction { get; init; }

    /// <summary>
    /// Whether a receive-only stream says what the node has. Without that, a peer with both directions sends nothing, and one that only
    /// sends, everything. Default true.
    /// </summary>
    public bool SendClock { get; init; } = true;

    /// <summary>
    /// Whether a send-only stream waits for the peer's clock, instead of sending everything at once. Default false, because a peer that
    /// only receives need not send one.
    /// </summary>
    public bool AwaitClock { get; init; }

    /// <summary>Whether the stream stays open after both sides have what the other had, to carry new updates. Default true.</summary>
    public bool Tail { get; init; } = true;

    /// <summary>Sent to the peer in the header.</summary>
    public JsonElement? Meta { get; init; }

    /// <summary>
    /// The largest line to accept, in bytes. Default 16 MiB. A longer update ends the stream each time it arrives; see
    /// <see cref="GossipNodeOptions.MaxUpdateBytes"/>.
    /// </summary>
    public int MaxLineBytes { get; init; } = DefaultMaxLineBytes;

    /// <summary>
    /// Whether to accept a peer with this node's own id, as when importing a file that the node itself wrote. Default false: it would be a
    /// second live process with that id.
    /// </summary>
    public bool AllowOwnId { get; init; }

    /// <summary>Whether to leave the underlying stream open at the end. Default false.</summary>
    public bool LeaveOpen { get; init; }

    /// <summary>The peer's address, for limits per address; null if it has none, as on a pipe.</summary>
    public IPAddress? From { get; init; }

    /// <summary>Called for each of the peer's hellos; an exception ends the stream. Null if they are not counted.</summary>
    internal Action? Hello { get; init; }

    /// <summary>How long a listener's peer may take to send its header; null for no limit.</summary>
    internal TimeSpan? HelloTimeout { get; init; }

    /// <summary>Called whenever something is received from the peer; null if nobody needs to know.</summary>
    internal Action? Heard { get; init; }

    /// <summary>The name under which a listener offers the model: a peer that asks for another is refused.</summary>
    internal string? OfferedName { get; init; }
}
