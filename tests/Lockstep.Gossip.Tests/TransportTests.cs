using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

public sealed class TransportTests
{
    private static readonly IPEndPoint Loopback = new(IPAddress.Loopback, 0);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_models_sync_over_TCP()
    {
        await using var a = new LockstepModel();
        await using var b = new LockstepModel();
        a.Set("a", 1);
        b.Set("b", 1);
        await using var listener = GossipListener.Start(Loopback, new GossipHub(KeyValuePair.Create<string, GossipNode>("m", a)));
        await using var connector = new GossipConnector(b, listener.Uri);
        await connector.WaitForSyncAsync(Token);
        await Eventually.TrueAsync(() => a.Keys.Count == 2 && b.Keys.Count == 2, "both keys");
    }

    [Fact]
    public async Task The_wildcard_address_of_a_listener_can_be_dialled_and_means_loopback()
    {
        await using var a = new LockstepModel();
        await using var b = new LockstepModel();
        a.Set("a", 1);
        await using var listener = GossipListener.Start(
            new IPEndPoint(IPAddress.Any, 0),
            new GossipHub(KeyValuePair.Create<string, GossipNode>("m", a))
        );
        Assert.Equal("0.0.0.0", listener.Uri.Host);
        await using var connector = new GossipConnector(b, listener.Uri);
        await connector.WaitForSyncAsync(Token);
        Assert.Equal(["a"], b.Keys);
    }

    [Fact]
    public async Task Two_models_sync_over_TLS()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        await using var a = new LockstepModel();
        await using var b = new LockstepModel();
        a.Set("a", 1);
        b.Set("b", 1);
        var options = new GossipListenerOptions { Tls = new SslServerAuthenticationOptions { ServerCertificate = certificate } };
        await using var listener = GossipListener.Start(Loopback, new GossipHub(KeyValuePair.Create<string, GossipNode>("m", a)), options);
        Assert.Equal("tls", listener.Uri.Scheme);

        // A certificate that the system does not know is refused; one that the owner pins is accepted.
        await Assert.ThrowsAsync<IOException>(() => GossipDialer.ConnectAsync(listener.Uri, null, Token));
        var pinned = new GossipDialOptions
        {
            Tls = new SslClientAuthenticationOptions
            {
                TargetHost = "localhost",
                RemoteCertificateValidationCallback = (_, theirs, _, _) => theirs!.GetCertHashString() == certificate.GetCertHashString(),
            },
        };
        await using var connector = new GossipConnector(
            b,
            listener.Uri,
            new GossipConnectorOptions
            {
                Dial = pinned,
                Stream = new GossipStreamOptions { Tail = false },
            }
        );
        await connector.Completion.WaitAsync(Token);
        Assert.Equal(["a", "b"], b.Keys.Order());
        Assert.Equal(["a", "b"], a.Keys.Order());
    }

    [Fact]
    public async Task A_large_value_arrives_whole_over_a_WebSocket_as_one_message()
    {
        await using var node = new LockstepModel(new GossipNodeOptions { Id = "A" });
        node.Set("large", new string('é', 100_000));
        var (left, right) = StreamPair.Create();
        using var server = WebSocket.CreateFromStream(left, isServer: true, null, TimeSpan.FromMinutes(1));
        using var client = WebSocket.CreateFromStream(right, isServer: false, null, TimeSpan.FromMinutes(1));
        await using var attached = node.Attach(GossipDialer.OverWebSocket(server));
        await client.SendAsync("{\"id\":\"B\",\"clock\":{}}\n"u8.ToArray(), WebSocketMessageType.Text, true, Token);
        var messages = new List<string>();
        var buffer = new byte[1 << 20];
        for (var length = 0; messages.Count < 3; )
        {
            var received = await client.ReceiveAsync(buffer.AsMemory(length), Token);
            length += received.Count;
            if (received.EndOfMessage)
            {
                messages.Add(Encoding.UTF8.GetString(buffer, 0, length));
                length = 0;
            }
        }

        Assert.Equal(node.GetHistory().Single() + "\n", messages[1]);
        Assert.Equal("\"SYNC\"\n", messages[2]);
    }

    [Fact]
    public async Task Two_models_sync_over_a_named_pipe()
    {
        var name = "lockstep-" + Guid.NewGuid().ToString("N");
        await using var a = new LockstepModel();
        await using var b = new LockstepModel();
        a.Set("a", 1);
        b.Set("b", 1);
        await using var listener = GossipListener.StartPipe(name, new GossipHub(KeyValuePair.Create<string, GossipNode>("m", a)));
        await using var connector = new GossipConnector(b, listener.Uri);
        await connector.WaitForSyncAsync(Token);
        await Eventually.TrueAsync(() => a.Keys.Count == 2 && b.Keys.Count == 2, "both keys");
    }

    [Fact]
    public async Task Several_models_share_a_listener_by_name()
    {
        await using var orders = new LockstepModel();
        await using var stock = new LockstepEmitter();
        orders.Set("order", 1);
        stock.Emit("moved");
        var failures = new List<Exception>();
        var hub = new GossipHub(
            KeyValuePair.Create<string, GossipNode>("orders", orders),
            KeyValuePair.Create<string, GossipNode>("stock", stock)
        );
        await using var listener = GossipListener.Start(
            Loopback,
            hub,
            new GossipListenerOptions
            {
                ConnectionFailed = (_, error) =>
                {
                    lock (failures)
                    {
                        failures.Add(error);
                    }
                },
            }
        );
        await using var myOrders = new LockstepModel();
        await using var myStock = new LockstepEmitter();
        await using var first = new GossipConnector(myOrders, new Uri(listener.Uri, "/orders"));
        await using var second = new GossipConnector(myStock, new Uri(listener.Uri, "/stock"));
        await Task.WhenAll(first.WaitForSyncAsync(Token), second.WaitForSyncAsync(Token));
        await Eventually.TrueAsync(() => myOrders.Keys.Count == 1 && myStock.HistoryCount == 1, "each its own");

        await using var third = new GossipConnector(myOrders, new Uri(listener.Uri, "/nothing"));
        await using var fourth = new GossipConnector(myOrders, listener.Uri);
        await Eventually.TrueAsync(
            () =>
            {
                lock (failures)
                {
                    return failures.OfType<GossipException>().Select(error => error.Message).Distinct().Count() >= 2;
                }
            },
            "both refusals"
        );
        Assert.Equal(1, orders.StreamCount);
    }

    [Fact]
    public async Task A_listener_with_one_model_refuses_a_peer_that_asks_for_another()
    {
        await using var a = new LockstepModel();
        await using var b = new LockstepModel();
        b.Set("secret", 1);
        var failed = new TaskCompletionSource<Exception>();
        await using var listener = GossipListener.Start(
            Loopback,
            new GossipHub(KeyValuePair.Create<string, GossipNode>("right", a)),
            new GossipListenerOptions { ConnectionFailed = (_, error) => failed.TrySetResult(error) }
        );
        await using var connector = new GossipConnector(b, new Uri(listener.Uri, "/wrong"));
        var error = await failed.Task.WaitAsync(Token);
        Assert.Contains("'wrong'", error.Message, StringComparison.Ordinal);
        Assert.Empty(a.Keys);
    }

    [Fact]
    public async Task A_connector_comes_back_when_the_listener_does()
    {
        await using var a = new LockstepModel();
        await using var b = new LockstepModel();
        var hub = new GossipHub(KeyValuePair.Create<string, GossipNode>("m", a));
        var listener = GossipListener.Start(Loopback, hub);
        var port = listener.Uri.Port;
        await using var connector = new GossipConnector(
            b,
            listener.Uri,
            new GossipConnectorOptions { FirstDelay = TimeSpan.FromMilliseconds(20) }
        );
        await connector.WaitForSyncAsync(Token);
        await listener.DisposeAsync();
        a.Set("while away", 1);
        b.Set("also", 1);
        await using var again = GossipListener.Start(new IPEndPoint(IPAddress.Loopback, port), hub);
        await Eventually.TrueAsync(() => a.Keys.Count == 2 && b.Keys.Count == 2, "what both wrote meanwhile");
        Assert.True(connector.Connections >= 2);
    }

    [Fact]
    public async Task A_WebSocket_carries_whole_lines_as_text()
    {
        // The handshake by hand (RFC 6455), because the listening side is in the server.
        using var socket = new TcpListener(IPAddress.Loopback, 0);
        socket.Start();
        await using var a = new LockstepModel();
        await using var b = new LockstepModel();
        a.Set("a", "€");
        b.Set("b", 1);
        var serving = ServeAsync();
        await using var connector = new GossipConnector(
            b,
            new Uri($"ws://127.0.0.1:{((IPEndPoint)socket.LocalEndpoint).Port}/gossip/m"),
            new GossipConnectorOptions { Stream = new GossipStreamOptions { Tail = false } }
        );
        await connector.Completion.WaitAsync(Token);
        await serving.WaitAsync(Token);
        Assert.Equal(["a", "b"], a.Keys.Order());
        Assert.Equal(["a", "b"], b.Keys.Order());

        async Task ServeAsync()
        {
            using var client = await socket.AcceptTcpClientAsync(Token);
            var stream = client.GetStream();
            var request = new StringBuilder();
            var one = new byte[1];
            while (!request.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
            {
                await stream.ReadExactlyAsync(one, Token);
                request.Append((char)one[0]);
            }

            var key = request
                .ToString()
                .Split("\r\n")
                .Single(static line => line.StartsWith("Sec-WebSocket-Key: ", StringComparison.OrdinalIgnoreCase))[19..];
#pragma warning disable CA5350 // RFC 6455 says SHA-1.
            var accept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
#pragma warning restore CA5350
            await stream.WriteAsync(
                Encoding.ASCII.GetBytes(
                    $"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        + $"Sec-WebSocket-Accept: {accept}\r\n\r\n"
                ),
                Token
            );
            using var webSocket = WebSocket.CreateFromStream(stream, new WebSocketCreationOptions { IsServer = true });
            await a.RunAsync(GossipDialer.OverWebSocket(webSocket), null, Token);
        }
    }

    [Theory]
    [InlineData("http://localhost/")]
    [InlineData("tcp://localhost")]
    [InlineData("pipe://localhost/")]
    public async Task An_address_of_no_known_form_is_refused_at_once(string uri)
    {
        await using var node = new LockstepModel();
        Assert.Throws<ArgumentException>(() => new GossipConnector(node, new Uri(uri)));
    }

    [Fact]
    public async Task A_connector_gives_up_where_trying_again_cannot_help()
    {
        await using var a = new LockstepModel(new GossipNodeOptions { Id = "same" });
        await using var b = new LockstepModel(new GossipNodeOptions { Id = "same" });
        await using var listener = GossipListener.Start(Loopback, new GossipHub(KeyValuePair.Create<string, GossipNode>("m", a)));
        await using var connector = new GossipConnector(b, listener.Uri);
        await Assert.ThrowsAsync<GossipIdentityException>(() => connector.Completion.WaitAsync(Token));
    }

    [Fact]
    public async Task A_connector_gives_up_after_so_many_failures_in_a_row_of_which_a_broken_stream_that_had_synced_is_none()
    {
        await using var a = new LockstepModel();
        await using var b = new LockstepModel();
        var hub = new GossipHub(KeyValuePair.Create<string, GossipNode>("m", a));
        var listener = GossipListener.Start(Loopback, hub);
        var options = new GossipConnectorOptions
        {
            MaximumRetryCount = 1,
            FirstDelay = TimeSpan.FromMilliseconds(1),
            LongestDelay = TimeSpan.FromMilliseconds(1),
        };
        await using var connector = new GossipConnector(b, listener.Uri, options);
        await connector.WaitForSyncAsync(Token);
        await listener.DisposeAsync();

        // One attempt that succeeded, then two where nobody listens.
        var error = await Assert.ThrowsAsync<GossipUnreachableException>(() => connector.Completion.WaitAsync(Token));
        Assert.IsType<IOException>(error.InnerException);
        Assert.Equal(1, connector.Connections);

        await using var lost = new GossipConnector(b, listener.Uri, options with { MaximumRetryCount = 0 });
        await Assert.ThrowsAsync<GossipUnreachableException>(() => lost.Completion.WaitAsync(Token));
        Assert.Equal(0, lost.Connections);
    }
}
