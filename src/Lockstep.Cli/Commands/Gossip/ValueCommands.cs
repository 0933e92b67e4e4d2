using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Lockstep.Cli.Output;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;

namespace Lockstep.Cli.Commands.Gossip;

/// <summary>lockstep gossip get, set and watch: the values of a model.</summary>
internal static class ValueCommands
{
    public static Command Get()
    {
        var node = new NodeOptions();
        var peers = new PeerOptions();
        var keys = new Argument<string[]>("key")
        {
            Description = "The keys; all of them if none is given.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var peer = PeerOptions.Peer("Read it from this peer.");
        var command = new Command("get", "Print values of a model that is in a file, or at a peer.") { keys, peer };
        node.AddTo(command);
        peers.AddTo(command);
        command.SetAction(
            async (result, cancellationToken) =>
            {
                node.Require(result, result.GetValue(peer));
                var model = node.OpenModel(result);
                await using var _ = model.ConfigureAwait(false);
                if (result.GetValue(peer) is { } uri)
                    await peers.SyncOnceAsync(result, model, uri, GossipDirection.ReceiveOnly, cancellationToken).ConfigureAwait(false);
                var lines = new NodeLines(result.GetValue(node.Json));
                var values = (IGossipValues)model;
                IEnumerable<string> wanted = result.GetValue(keys) is { Length: > 0 } named
                    ? named
                    : values.Keys.Order(StringComparer.Ordinal);
                var missing = new List<string>();
                foreach (var key in wanted)
                {
                    if (values.TryGet(key, out var value) && !value.IsRemoved)
                        lines.Write(value);
                    else
                        missing.Add(key);
                }

                return missing.Count == 0
                    ? ExitCodes.Ok
                    : throw new CommandException(
                        $"The model has no value under the key{(missing.Count > 1 ? "s" : "")} '{string.Join("', '", missing)}'."
                    );
            }
        );
        return command;
    }

    public static Command Set()
    {
        var node = new NodeOptions();
        var peers = new PeerOptions();
        var key = new Argument<string?>("key") { Description = "The key.", Arity = ArgumentArity.ZeroOrOne };
        var value = new Argument<string?>("value")
        {
            Description = "The value as JSON; anything else is text. null removes the key.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var peer = PeerOptions.Peer("Set it at this peer, also.");
        var command = new Command(
            "set",
            "Set a value of a model that is in a file, or at a peer; with --json those that standard input has, one "
                + "{\"key\":...,\"value\":...} a line."
        )
        {
            key,
            value,
            peer,
        };
        node.AddTo(command);
        peers.AddTo(command);
        command.SetAction(
            async (result, cancellationToken) =>
            {
                var json = result.GetValue(node.Json);
                var name = result.GetValue(key);
                var text = result.GetValue(value);
                if (json ? name is not null : text is null)
                    throw new ArgumentException("Give a key and a value, or --json and lines on standard input.");

                node.Require(result, result.GetValue(peer));
                var model = node.OpenModel(result);
                await using var _ = model.ConfigureAwait(false);

                // Receive from the peer first, so that what is set here is newer than what the peer has, whatever the clocks say.
                if (result.GetValue(peer) is { } before)
                    await peers.SyncOnceAsync(result, model, before, GossipDirection.Both, cancellationToken).ConfigureAwait(false);
                if (json)
                    await SetLinesAsync((IGossipValues)model, Console.In, cancellationToken).ConfigureAwait(false);
                else
                    ((IGossipValues)model).SetJson(name!, JsonOf(text!));
                if (result.GetValue(peer) is { } after)
                    await peers.SyncOnceAsync(result, model, after, GossipDirection.Both, cancellationToken).ConfigureAwait(false);
                return ExitCodes.Ok;
            }
        );
        return command;
    }

    public static Command Watch()
    {
        var node = new NodeOptions();
        var peers = new PeerOptions();
        var uri = new Argument<Uri>("uri") { Description = "The peer.", CustomParser = PeerOptions.ParseUri };
        var command = new Command(
            "watch",
            "Print the values of a peer's model, and then each change until Ctrl+C. Nothing is sent to the peer."
        )
        {
            uri,
        };
        node.AddTo(command);
        peers.AddTo(command);
        command.SetAction(
            async (result, cancellationToken) =>
            {
                var model = node.OpenModel(result);
                await using var _ = model.ConfigureAwait(false);
                var options = new GossipConnectorOptions
                {
                    Stream = new GossipStreamOptions { Direction = GossipDirection.ReceiveOnly },
                    Dial = peers.Read(result),
                    ConnectionFailed = node.Troubles.TellOfFailure,
                };
                var connector = new GossipConnector(model, result.GetValue(uri)!, options);
                await using (connector.ConfigureAwait(false))
                {
                    return await new NodeLines(result.GetValue(node.Json))
                        .FollowAsync(model, connector, cancellationToken)
                        .ConfigureAwait(false);
                }
            }
        );
        return command;
    }

    // The model decides how deep a value may be nested: JSON must not be treated as text because it is deep.
    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    /// <summary>JSON as it is; anything else as a text.</summary>
    public static byte[] JsonOf(string text)
    {
        try
        {
            using var value = JsonDocument.Parse(text, AnyDepth);
            return Encoding.UTF8.GetBytes(text);
        }
        catch (JsonException)
        {
            return Encoding.UTF8.GetBytes(CliJson.Quote(text));
        }
    }

    private static async Task SetLinesAsync(IGossipValues model, TextReader input, CancellationToken cancellationToken)
    {
        for (var number = 1; await input.ReadLineAsync(cancellationToken).ConfigureAwait(false) is { } line; number++)
        {
            if (string.IsNullOrWhiteSpace(line))
                continue;
            try
            {
                using var document = JsonDocument.Parse(line, AnyDepth);
                model.SetJson(
                    document.RootElement.GetProperty("key").GetString()!,
                    JsonMarshal.GetRawUtf8Value(document.RootElement.GetProperty("value"))
                );
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException)
            {
                throw new ArgumentException(
                    $"Line {number} of the input is not of the form {{\"key\":\"...\",\"value\":...}}; those before it are set.",
                    e
                );
            }
        }
    }
}
