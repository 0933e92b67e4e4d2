using System.Collections.Concurrent;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Peers;

/// <summary>
/// Nodes by name, for whatever listens: <see cref="GossipListener"/>, or a web server that hands over its WebSockets as streams. A peer
/// names the node that it wants as member <c>model</c> of its header's <c>meta</c>, or the server takes the name from elsewhere (a path).
/// All members may be called from any thread.
/// </summary>
public sealed class GossipHub
{
    private static readonly TimeSpan HeaderTimeout = TimeSpan.FromSeconds(30);
    private readonly ConcurrentDictionary<string, GossipNode> _nodes = new(StringComparer.Ordinal);

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
            throw new ArgumentException($"A model named '{name}' is offered already: choose another name.", nameof(name));
        }
    }

    /// <summary>Offers a node no longer; the streams that it has stay.</summary>
    public bool Remove(string name) => _nodes.TryRemove(name, out _);

    /// <summary>Speaks with a peer until the stream ends. The stream is disposed.</summary>
    /// <param name="stream">A duplex stream.</param>
    /// <param name="name">The node that the peer wants, or null to take it from the peer's header; where only one is offered, that
    /// one.</param>
    /// <param name="options">How to speak.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="GossipException">No node of that name is offered, or the peer did not name one.</exception>
    /// <exception cref="GossipProtocolException">The peer sent what is no message.</exception>
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
            ReadOnlyMemory<byte> received = default;
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
                throw NodeName.Unknown(name);
            }

            await node.RunAsync(stream, options with { OfferedName = name }, received, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<(string Name, ReadOnlyMemory<byte> Received)> ReadNameAsync(
        Stream stream,
        int limit,
        CancellationToken cancellationToken
    )
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(HeaderTimeout);
        var buffer = new byte[4096];
        var length = 0;
        while (true)
        {
            int read;
            try
            {
                read = await stream.ReadAsync(buffer.AsMemory(length), timeout.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw new GossipException(
                    "The peer did not say which model it wants, and several are offered.",
                    "Set 'model' in the meta of its header, or name it in its URI."
                );
            }

            var end = buffer.AsSpan(length, read).IndexOf((byte)'\n');
            length += read;
            if (end >= 0)
            {
                var line = buffer.AsMemory(0, length - read + end);
                var header =
                    new GossipMessageParser().Parse(line.Span).Header
                    ?? throw new GossipProtocolException("The first line is not a header.");
                var name =
                    NodeName.In(header)
                    ?? throw new GossipException(
                        "The peer does not name a model, and several are offered.",
                        "Set 'model' in the meta of its header, or name it in its URI."
                    );
                return (name, buffer.AsMemory(0, length));
            }

            if (read == 0)
            {
                throw new EndOfStreamException("The peer ended the stream before its header.");
            }

            if (length == buffer.Length)
            {
                Array.Resize(
                    ref buffer,
                    length < limit ? length * 2 : throw new GossipProtocolException($"A header is longer than {limit} bytes.")
                );
            }
        }
    }
}
