using System.Collections.Concurrent;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Peers;

/// <summary>
/// Nodes by name, for anything that listens: <see cref="GossipListener"/>, or a web server that hands over its WebSockets as streams. A
/// peer names the node it wants as member <c>model</c> of its header's <c>meta</c>, or the server takes the name from elsewhere (a path).
/// All members may be called from any thread.
/// </summary>
public sealed class GossipHub
{
    private static readonly TimeSpan HeaderTimeout = TimeSpan.FromSeconds(30);
    private readonly ConcurrentDictionary<string, GossipNode> _nodes = new(StringComparer.Ordinal);
    private readonly HelloBook _hellos = new();

    /// <summary>A hub without nodes, or with those given.</summary>
    public GossipHub(params IEnumerable<KeyValuePair<string, GossipNode>> nodes)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        foreach (var (name, node) in nodes)
        {
            Add(name, node);
        }
    }

    /// <summary>The names in use.</summary>
    public IReadOnlyCollection<string> Names => [.. _nodes.Keys];

    /// <summary>Offers a node under a name.</summary>
    /// <exception cref="ArgumentException">The name is in use.</exception>
    public void Add(string name, GossipNode node)
    {
        if (!_nodes.TryAdd(name, node))
        {
            throw new ArgumentException($"A model named '{name}' is already offered: choose another name.", nameof(name));
        }
    }

    /// <summary>Stops offering a node; its streams stay.</summary>
    public bool Remove(string name) => _nodes.TryRemove(name, out _);

    /// <summary>Talks to a peer until the stream ends. The stream is disposed.</summary>
    /// <param name="stream">A duplex stream.</param>
    /// <param name="name">
    /// The node that the peer wants, or null to take it from the peer's header; if only one is offered, that one.
    /// </param>
    /// <param name="options">How to use the stream.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="GossipException">No node of that name is offered, or the peer did not name one.</exception>
    /// <exception cref="GossipProtocolException">The peer sent something that is not a message.</exception>
    /// <exception cref="IOException">The stream broke.</exception>
    public async Task RunAsync(
        Stream stream,
        string? name = null,
        GossipStreamOptions? options = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(stream);
        options ??= new GossipStreamOptions();
        await using (stream.ConfigureAwait(false))
        {
            PeerBuffer? received = null;
            if (name is null && _nodes.Count == 1)
            {
                name = _nodes.Keys.FirstOrDefault();
            }

            if (name is null)
            {
                (name, received) = await ReadNameAsync(stream, options.MaxLineBytes, cancellationToken).ConfigureAwait(false);
            }

            if (!_nodes.TryGetValue(name, out var node))
            {
                received?.Dispose();
                throw NodeName.Unknown(name);
            }

            // A peer that only sends, and does not wait for a clock, needs no header.
            var spoken = options with
            {
                OfferedName = name,
                Hello = () => _hellos.Note(options.From, node.Options.TimeProvider),
                HelloTimeout = options is { Direction: GossipDirection.SendOnly, AwaitClock: false } ? null : HeaderTimeout,
            };
            await node.RunAsync(stream, spoken, received, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<(string Name, PeerBuffer Received)> ReadNameAsync(
        Stream stream,
        int limit,
        CancellationToken cancellationToken
    )
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(HeaderTimeout);
        var buffer = new PeerBuffer();
        try
        {
            for (var seen = 0; ; seen = buffer.Length)
            {
                buffer.Advance(await ReadAsync(stream, buffer.Room(), timeout.Token, cancellationToken).ConfigureAwait(false));
                var end = buffer.Written[seen..].IndexOf((byte)'\n');
                if (end >= 0)
                {
                    return (NameIn(buffer.Written[..(seen + end)]), buffer);
                }

                if (buffer.Length > limit)
                {
                    throw new GossipProtocolException($"A header is longer than {limit} bytes.");
                }
            }
        }
        catch
        {
            buffer.Dispose();
            throw;
        }
    }

    private static async Task<int> ReadAsync(
        Stream stream,
        Memory<byte> room,
        CancellationToken timeout,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var read = await stream.ReadAsync(room, timeout).ConfigureAwait(false);
            return read > 0 ? read : throw new EndOfStreamException("The peer ended the stream before its header.");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new GossipException(
                "The peer did not say which model it wants, and several are offered.",
                "Set 'model' in the meta of its header, or name it in its URI."
            );
        }
    }

    private static string NameIn(ReadOnlySpan<byte> line)
    {
        var header = new GossipMessageParser().Parse(line).Header ?? throw new GossipProtocolException("The first line is not a header.");
        return NodeName.In(header)
            ?? throw new GossipException(
                "The peer does not name a model, and several are offered.",
                "Set 'model' in the meta of its header, or name it in its URI."
            );
    }
}
