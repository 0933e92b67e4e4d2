using System.Net;
using System.Text.Json;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;

namespace Lockstep.Cli.Output;

/// <summary>Prints values and events, for people or for machines.</summary>
internal sealed class NodeLines(bool json)
{
    private readonly Stream _output = Console.OpenStandardOutput();

    /// <summary>Reports a failed connection, which does not mean that the model has failed.</summary>
    public static void Tell(IPAddress? address, Exception error) =>
        LineLimit.OfErrors.Write("failed connections", address?.ToString(), "lockstep: " + error.Message);

    /// <summary>Prints the node's address, what it has and what arrives, until Ctrl+C.</summary>
    public Task<int> FollowAsync(GossipNode node, Uri uri, CancellationToken cancellationToken)
    {
        if (json)
            JsonLines.Write(_output, writer => writer.WriteString("uri", uri.ToString()));
        else
            Console.WriteLine($"Listening on {uri}");
        return FollowAsync(node, cancellationToken);
    }

    /// <summary>Prints what the node has and what arrives, until Ctrl+C or until reconnecting is pointless.</summary>
    /// <param name="node">The node.</param>
    /// <param name="connector">Keeps the node connected.</param>
    /// <param name="cancellationToken">Ctrl+C.</param>
    /// <param name="events">Only events with these names; all if none is given.</param>
    public async Task<int> FollowAsync(
        GossipNode node,
        GossipConnector connector,
        CancellationToken cancellationToken,
        params string[] events
    )
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var following = FollowAsync(node, ending.Token, events);
        await Task.WhenAny(following, connector.Completion).ConfigureAwait(false);
        await ending.CancelAsync().ConfigureAwait(false);
        var exit = await following.ConfigureAwait(false);
        if (connector.Completion.IsFaulted)
            await connector.Completion.ConfigureAwait(false);
        return exit;
    }

    public void Write(ModelChange change)
    {
        if (!json)
        {
            Console.WriteLine($"{change.Key} = {change.Value.GetRawText()}");
            return;
        }

        Write(
            change.Update,
            writer =>
            {
                writer.WriteString("key", change.Key);
                writer.WritePropertyName("value");
                writer.WriteRawValue(change.Value.GetRawText(), skipInputValidation: true);
            }
        );
    }

    /// <summary>Prints an event, if it has one of these names or no name is given.</summary>
    public void Write(GossipEvent happened, params string[] names)
    {
        if (names.Length > 0 && !names.Contains(happened.Name, StringComparer.Ordinal))
            return;
        if (!json)
        {
            Console.WriteLine(string.Join(' ', [happened.Name, .. happened.Arguments.Select(argument => argument.GetRawText())]));
            return;
        }

        Write(
            happened.Update,
            writer =>
            {
                writer.WriteString("event", happened.Name);
                writer.WriteStartArray("arguments");
                foreach (var argument in happened.Arguments)
                    writer.WriteRawValue(argument.GetRawText(), skipInputValidation: true);
                writer.WriteEndArray();
            }
        );
    }

    private void Write(GossipUpdate update, Action<Utf8JsonWriter> members)
    {
        JsonLines.Write(
            _output,
            writer =>
            {
                members(writer);
                writer.WriteNumber("timestamp", update.Timestamp);
                writer.WriteString("source", update.Source);
            }
        );
        _output.Flush();
    }

    private async Task<int> FollowAsync(GossipNode node, CancellationToken cancellationToken, params string[] names)
    {
        try
        {
            if (node is LockstepEmitter events)
            {
                await foreach (var happened in events.ReceiveAsync(includeExisting: true, cancellationToken).ConfigureAwait(false))
                    Write(happened, names);
            }
            else
            {
                await foreach (
                    var change in ((IGossipValues)node).WatchAsync(includeExisting: true, cancellationToken).ConfigureAwait(false)
                )
                {
                    Write(change);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Ctrl+C and SIGTERM are the normal ways to end it.
        }

        return ExitCodes.Ok;
    }
}
