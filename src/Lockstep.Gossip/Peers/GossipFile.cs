using Lockstep.Engine.Tables;
using Lockstep.Gossip.Nodes;

namespace Lockstep.Gossip.Peers;

/// <summary>
/// The original's way to store a node: a file with what would be sent over a stream, a header, the updates and "SYNC", one JSON value per
/// line.
/// </summary>
public static class GossipFile
{
    /// <summary>Writes everything that a node keeps. The file appears under its name once it is complete.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static async Task ExportAsync(GossipNode node, string path, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(node);
        ArgumentNullException.ThrowIfNull(path);
        using var file = new UnfinishedFile(path);
        await ExportAsync(node, file.Stream, cancellationToken).ConfigureAwait(false);
        file.Complete();
    }

    /// <summary>Writes everything that a node keeps to a stream, which stays open.</summary>
    public static async Task ExportAsync(GossipNode node, Stream output, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(node);
        ArgumentNullException.ThrowIfNull(output);
        var duplex = new DuplexStream(Stream.Null, output, leaveOpen: true);
        await using (duplex.ConfigureAwait(false))
        {
            await node.RunAsync(duplex, new GossipStreamOptions { Direction = GossipDirection.SendOnly, Tail = false }, cancellationToken)
                .ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Applies the contents of a file. Signatures are verified like those from a peer; the file may be one that this node wrote.
    /// </summary>
    /// <exception cref="GossipProtocolException">The file does not consist of gossip lines; those before the fault are applied.</exception>
    /// <exception cref="EndOfStreamException">The last line is cut off; those before it are applied.</exception>
    public static async Task ImportAsync(GossipNode node, string path, CancellationToken cancellationToken = default)
    {
        var file = new FileStream(
            path,
            FileMode.Open,
            FileAccess.Read,
            FileShare.Read,
            4096,
            FileOptions.Asynchronous | FileOptions.SequentialScan
        );
        await using (file.ConfigureAwait(false))
        {
            await ImportAsync(node, file, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Applies the contents of a stream to its end; the stream stays open.</summary>
    /// <exception cref="GossipProtocolException">The stream does not consist of gossip lines; those before the fault are
    /// applied.</exception>
    /// <exception cref="EndOfStreamException">The last line is cut off; those before it are applied.</exception>
    public static async Task ImportAsync(GossipNode node, Stream input, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(node);
        ArgumentNullException.ThrowIfNull(input);
        var duplex = new DuplexStream(input, Stream.Null, leaveOpen: true);
        await using (duplex.ConfigureAwait(false))
        {
            await node.RunAsync(
                    duplex,
                    new GossipStreamOptions
                    {
                        Direction = GossipDirection.ReceiveOnly,
                        SendClock = false,
                        AllowOwnId = true,
                    },
                    cancellationToken
                )
                .ConfigureAwait(false);
        }
    }
}
