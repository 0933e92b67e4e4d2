using System.CommandLine;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Lockstep.Cli.Output;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Serving;
using Lockstep.Serving.Hosting;

namespace Lockstep.Cli.Commands.Gossip;

/// <summary>lockstep gossip: a model, or events, that peers including npm scuttlebutt read and change too.</summary>
internal static class GossipCommand
{
    public static Command Create() =>
        new("gossip", "Share a model (keys with values) or events with peers, all of which may write; peers may be npm scuttlebutt.")
        {
            Listen(),
            Connect(),
            ValueCommands.Get(),
            ValueCommands.Set(),
            ValueCommands.Watch(),
            EventCommands.Send(),
            EventCommands.Receive(),
            FileCommands.Export(),
            FileCommands.Import(),
        };

    private static Command Listen()
    {
        var node = new NodeOptions();
        var certificates = new CertificateOptions();
        var events = EventsOption();
        var port = new Option<int>("--port") { Description = "The port; 0 picks a free one.", HelpName = "N" };
        var address = new Option<string>("--listen-address")
        {
            Description = "The address to listen on. Anyone who can reach it may read and change the model.",
            HelpName = "ADDRESS",
            DefaultValueFactory = _ => "127.0.0.1",
        };
        var webSocket = new Option<bool>("--web-socket") { Description = "Use WebSocket instead of plain TCP." };
        var pipe = new Option<string?>("--pipe")
        {
            Description = "Listen on this named pipe instead, for this user on this machine.",
            HelpName = "NAME",
        };
        var command = new Command("listen", "Offer a model to peers until Ctrl+C, and print each change.")
        {
            port,
            address,
            webSocket,
            pipe,
            events,
        };
        var site = new SiteOptions();
        site.AddTo(command);
        certificates.AddTo(command);
        node.AddTo(command, events: true, offersValues: true);
        command.SetAction(
            async (result, cancellationToken) =>
            {
                var ip = IPAddress.TryParse(result.GetValue(address), out var parsed)
                    ? parsed
                    : throw new ArgumentException("--listen-address takes an IP address.");
                var certificate = certificates.Load(result);
                var shared = Open(node, result, events);
                await using var _ = shared.ConfigureAwait(false);
                var hub = new GossipHub(new KeyValuePair<string, GossipNode>(result.GetValue(events) ? "events" : "model", shared));
                var lines = new NodeLines(result.GetValue(node.Json));
                if (result.GetValue(webSocket))
                {
                    var endpoint = await GossipEndpoint
                        .StartAsync(
                            new HttpEndpoint
                            {
                                Address = ip,
                                Port = OptionValue.Port(result, port),
                                Certificate = certificate?.Certificate,
                                CertificateChain = certificate?.Chain ?? [],
                                Site = site.Read(result),
                            },
                            hub,
                            new GossipEndpointOptions { ConnectionFailed = NodeLines.Tell },
                            cancellationToken
                        )
                        .ConfigureAwait(false);
                    await using (endpoint.ConfigureAwait(false))
                        return await lines.FollowAsync(shared, endpoint.Uri, cancellationToken).ConfigureAwait(false);
                }

                var options = new GossipListenerOptions
                {
                    ConnectionFailed = NodeLines.Tell,
                    Tls = certificate is null ? null : HttpEndpoint.TlsOf(certificate.Certificate, certificate.Chain),
                };
                var listener = result.GetValue(pipe) is { } name
                    ? GossipListener.StartPipe(name, hub, options)
                    : Start(new IPEndPoint(ip, OptionValue.Port(result, port)), hub, options);
                await using (listener.ConfigureAwait(false))
                    return await lines.FollowAsync(shared, listener.Uri, cancellationToken).ConfigureAwait(false);
            }
        );
        return command;
    }

    private static Command Connect()
    {
        var node = new NodeOptions();
        var peers = new PeerOptions();
        var events = EventsOption();
        var uri = new Argument<Uri>("uri")
        {
            Description =
                "The peer: tcp://host:port[/name], tls://..., ws://host:port/name, wss://..., "
                + "pipe://localhost/pipe[/name], or stdio: for who has started this program.",
            CustomParser = PeerOptions.ParseUri,
        };
        var once = new Option<bool>("--once") { Description = "End when both sides have the same." };
        var command = new Command(
            "connect",
            "Keep a model in sync with a peer until Ctrl+C, and print each change; over stdio: until the input ends, and "
                + "nothing is printed."
        )
        {
            uri,
            once,
            events,
        };
        node.AddTo(command, events: true, offersValues: true);
        peers.AddTo(command);
        command.SetAction(
            async (result, cancellationToken) =>
            {
                var peer = result.GetValue(uri)!;
                var shared = Open(node, result, events);
                await using var _ = shared.ConfigureAwait(false);
                if (result.GetValue(once))
                {
                    await peers.SyncOnceAsync(result, shared, peer, GossipDirection.Both, cancellationToken).ConfigureAwait(false);
                    return ExitCodes.Ok;
                }

                if (peer.Scheme == "stdio")
                {
                    await PeerOptions.SpeakAsync(shared, peer, new GossipStreamOptions(), cancellationToken).ConfigureAwait(false);
                    return ExitCodes.Ok;
                }

                var connector = new GossipConnector(
                    shared,
                    peer,
                    new GossipConnectorOptions { Dial = peers.Read(result), ConnectionFailed = node.Troubles.TellOfFailure }
                );
                await using (connector.ConfigureAwait(false))
                {
                    return await new NodeLines(result.GetValue(node.Json))
                        .FollowAsync(shared, connector, cancellationToken)
                        .ConfigureAwait(false);
                }
            }
        );
        return command;
    }

    public static GossipNode Open(NodeOptions node, ParseResult result, Option<bool> events) =>
        result.GetValue(events) ? node.OpenEvents(result) : node.OpenModel(result);

    public static Option<bool> EventsOption() => new("--events") { Description = "Share events instead of a model's values." };

    private static GossipListener Start(IPEndPoint address, GossipHub hub, GossipListenerOptions options)
    {
        try
        {
            return GossipListener.Start(address, hub, options);
        }
        catch (SocketException e)
        {
            throw ListenException.Of(address, e);
        }
    }
}
