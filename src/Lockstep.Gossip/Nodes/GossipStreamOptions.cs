using System.Net;
using System.Text.Json;

namespace Lockstep.Gossip.Nodes;

/// <summary>Which way updates go over a stream.</summary>
public enum GossipDirection
{
    /// <summary>Both ways.</summary>
    Both,

    /// <summary>This node only sends: what npm scuttlebutt calls a read stream, <c>writable: false</c>.</summary>
    SendOnly,

    /// <summary>This node only receives: what npm scuttlebutt calls a write stream, <c>readable: false</c>.</summary>
    ReceiveOnly,
}

/// <summary>How a node speaks over one stream.</summary>
public sealed record GossipStreamOptions
{
    internal const int DefaultMaxLineBytes = 16 * 1024 * 1024;

    /// <summary>Which way updates go. Default both.</summary>
    public GossipDirection Direction { get; init; }

    /// <summary>
    /// Whether a receive-only stream says what the node has. Without it a peer that speaks both ways sends nothing; one that only sends
    /// sends everything. Default true.
    /// </summary>
    public bool SendClock { get; init; } = true;

    /// <summary>
    /// Whether a send-only stream waits for the peer's clock, instead of sending everything at once. Default false, for a peer that only
    /// receives need not send one.
    /// </summary>
    public bool AwaitClock { get; init; }

    /// <summary>Whether the stream stays after both sides have what the other had, and carries what is new. Default true.</summary>
    public bool Tail { get; init; } = true;

    /// <summary>Sent to the peer in the header.</summary>
    public JsonElement? Meta { get; init; }

    /// <summary>
    /// The largest line that is accepted, in bytes. Default 16 MiB. An update that is longer ends the stream each time it comes; see
    /// <see cref="GossipNodeOptions.MaxUpdateBytes"/>.
    /// </summary>
    public int MaxLineBytes { get; init; } = DefaultMaxLineBytes;

    /// <summary>
    /// Whether a peer with this node's own id is accepted, as in a file that the node wrote itself. Default false: it would be a second
    /// live process of that id.
    /// </summary>
    public bool AllowOwnId { get; init; }

    /// <summary>Whether the underlying stream is left open at the end. Default false.</summary>
    public bool LeaveOpen { get; init; }

    /// <summary>
    /// Where the peer comes from, for limits that hold for all who come from one address; null where it has none, as on a pipe.
    /// </summary>
    public IPAddress? From { get; init; }

    /// <summary>Told of each hello of the peer; an exception ends the stream. Null where nobody counts them.</summary>
    internal Action? Hello { get; init; }

    /// <summary>How long who came to a listener may wait with its header; null forever.</summary>
    internal TimeSpan? HelloTimeout { get; init; }

    /// <summary>Told whenever the peer is heard of; null where nobody wants to know.</summary>
    internal Action? Heard { get; init; }

    /// <summary>The name by which a listener offers the model: a peer that asks for another is refused.</summary>
    internal string? OfferedName { get; init; }
}
