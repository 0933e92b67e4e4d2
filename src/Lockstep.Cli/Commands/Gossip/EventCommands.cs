using System.CommandLine;
using Lockstep.Cli.Output;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;

namespace Lockstep.Cli.Commands.Gossip;

/// <summary>lockstep gossip send and receive: events, each of which reaches every node once.</summary>
internal static class EventCommands
{
    public static Command Send()
    {
        var node = new NodeOptions();
        var peers = new PeerOptions();
        var name = new Argument<string>("event") { Description = "The event's name." };
        var arguments = new Argument<string[]>("argument")
        {
            Description = "Its arguments, each as JSON; anything else is text.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var peer = PeerOptions.Peer("Send it to this peer, which passes it on.");
        var command = new Command("send", "Send an event, into a file or to a peer.") { name, arguments, peer };
        node.AddTo(command, events: true);
        peers.AddTo(command);
        command.SetAction(
            async (result, cancellationToken) =>
            {
                node.Require(result, result.GetValue(peer));
                var events = node.OpenEvents(result);
                await using var _ = events.ConfigureAwait(false);
                events.EmitJson(
                    result.GetValue(name)!,
                    [.. result.GetValue(arguments)!.Select(argument => (ReadOnlyMemory<byte>)ValueCommands.JsonOf(argument))]
                );
                if (result.GetValue(peer) is { } uri)
                    await peers.SyncOnceAsync(result, events, uri, GossipDirection.Both, cancellationToken).ConfigureAwait(false);
                return ExitCodes.Ok;
            }
        );
        return command;
    }

    public static Command Receive()
    {
        var node = new NodeOptions();
        var peers = new PeerOptions();
        var names = new Argument<string[]>("event")
        {
            Description = "Only events of these names; all of them if none is given.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var peer = PeerOptions.Peer("Receive them from this peer.");
        var follow = new Option<bool>("--follow") { Description = "Keep printing the peer's events as they come, until Ctrl+C." };
        var command = new Command("receive", "Print the events of a file or of a peer, in order of time.") { names, peer, follow };
        node.AddTo(command, events: true);
        peers.AddTo(command);
        command.SetAction(
            async (result, cancellationToken) =>
            {
                var uri = result.GetValue(peer);
                if (result.GetValue(follow) && uri is null)
                    throw new ArgumentException("--follow needs a --peer: nothing comes into a file by itself.");
                node.Require(result, uri);
                var wanted = result.GetValue(names)!;
                var lines = new NodeLines(result.GetValue(node.Json));
                var events = node.OpenEvents(result);
                await using var _ = events.ConfigureAwait(false);
                if (result.GetValue(follow))
                {
                    var options = new GossipConnectorOptions
                    {
                        Stream = new GossipStreamOptions { Direction = GossipDirection.ReceiveOnly },
                        Dial = peers.Read(result),
                        ConnectionFailed = node.Troubles.TellOfFailure,
                    };
                    var connector = new GossipConnector(events, uri!, options);
                    await using (connector.ConfigureAwait(false))
                        return await lines.FollowAsync(events, connector, cancellationToken, wanted).ConfigureAwait(false);
                }

                if (uri is not null)
                    await peers.SyncOnceAsync(result, events, uri, GossipDirection.ReceiveOnly, cancellationToken).ConfigureAwait(false);
                foreach (var happened in events.GetEvents())
                    lines.Write(happened, wanted);
                return ExitCodes.Ok;
            }
        );
        return command;
    }
}
