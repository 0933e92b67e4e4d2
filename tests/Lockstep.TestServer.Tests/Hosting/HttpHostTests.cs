using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Feeds;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Tests.Hosting;

public sealed class HttpHostTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/a/b/c", "ab")]
    [InlineData("/a/bc", "a")]
    [InlineData("/a", "a")]
    [InlineData("/b", "root")]
    public async Task The_longest_prefix_of_whole_path_elements_wins(string path, string expected)
    {
        HttpEndpoint endpoint = new();
        endpoint.Routes.Add("/", Answer("root")).Add("/a/", Answer("a")).Add("/a/b", Answer("ab"));
        await using var host = await HttpHost.StartAsync([endpoint], Cancelled);
        using HttpClient http = new();
        Assert.Equal(expected, await http.GetStringAsync(new Uri(host.GetUri(endpoint), path), Cancelled));
    }

    [Fact]
    public async Task A_path_without_a_route_is_404_and_a_failed_handler_500()
    {
        HttpEndpoint endpoint = new();
        endpoint.Routes.Add("/fails", _ => throw new InvalidOperationException());
        await using var host = await HttpHost.StartAsync([endpoint], Cancelled);
        using HttpClient http = new();
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync(host.GetUri(endpoint), Cancelled)).StatusCode);
        Assert.Equal(
            HttpStatusCode.InternalServerError,
            (await http.GetAsync(new Uri(host.GetUri(endpoint), "fails"), Cancelled)).StatusCode
        );
    }

    [Fact]
    public async Task Each_endpoint_has_its_own_port_and_routes()
    {
        HttpEndpoint first = new();
        HttpEndpoint second = new();
        first.Routes.Add("/", Answer("first"));
        second.Routes.Add("/", Answer("second"));
        await using var host = await HttpHost.StartAsync([first, second], Cancelled);
        using HttpClient http = new();
        Assert.NotEqual(host.GetUri(first), host.GetUri(second));
        Assert.Equal("first", await http.GetStringAsync(host.GetUri(first), Cancelled));
        Assert.Equal("second", await http.GetStringAsync(host.GetUri(second), Cancelled));
    }

    [Fact]
    public async Task A_taken_port_is_named_with_the_way_out_and_leaves_nothing_bound()
    {
        HttpEndpoint taken = new();
        await using var holder = await HttpHost.StartAsync([taken], Cancelled);
        var port = holder.GetUri(taken).Port;
        HttpEndpoint free = new();
        var error = await Assert.ThrowsAsync<PortInUseException>(() =>
            HttpHost.StartAsync([free, new HttpEndpoint { Port = port }], Cancelled)
        );
        Assert.Equal(port, error.EndPoint.Port);
        Assert.Contains($"{port}", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("port 0", error.Message, StringComparison.Ordinal);
        Assert.Contains("port 0", error.RecommendedAction, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_address_of_another_machine_is_explained()
    {
        HttpEndpoint endpoint = new() { Address = IPAddress.Parse("192.0.2.1") };
        var error = await Assert.ThrowsAsync<ListenException>(() => HttpHost.StartAsync([endpoint], Cancelled));
        Assert.Contains("not an address of this machine", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stopping_ends_what_ignores_the_signal_and_frees_the_port()
    {
        HttpEndpoint endpoint = new();
        TaskCompletionSource entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource released = new(TaskCreationOptions.RunContinuationsAsynchronously);
        endpoint.Routes.Add(
            "/",
            async _ =>
            {
                entered.SetResult();
                await released.Task;
            }
        );
        var host = await HttpHost.StartAsync([endpoint], Cancelled);
        var uri = host.GetUri(endpoint);
        await using var client = await RawClient.ConnectAsync(uri, Cancelled);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", Cancelled);
        await entered.Task;
        await host.StopAsync();
        released.SetResult();
        HttpEndpoint next = new() { Port = uri.Port };
        await using var again = await HttpHost.StartAsync([next], Cancelled);
        Assert.Equal(uri, again.GetUri(next));
    }

    [Fact]
    public async Task A_request_can_become_a_WebSocket()
    {
        HttpEndpoint endpoint = new();
        endpoint.Routes.Add(
            "/gossip",
            async context =>
            {
                using var socket = await ServerWebSocket.AcceptAsync(context, TimeSpan.Zero);
                if (socket is null)
                    return;
                var buffer = new byte[100];
                var got = await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted);
                await socket.SendAsync(buffer.AsMemory(0, got.Count), got.MessageType, true, context.RequestAborted);
                await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
            }
        );
        await using var host = await HttpHost.StartAsync([endpoint], Cancelled);
        using ClientWebSocket client = new();
        await client.ConnectAsync(new UriBuilder(host.GetUri(endpoint)) { Scheme = "ws", Path = "/gossip" }.Uri, Cancelled);
        await client.SendAsync(Encoding.UTF8.GetBytes("hello"), WebSocketMessageType.Text, true, Cancelled);
        var echo = new byte[100];
        var result = await client.ReceiveAsync(echo, Cancelled);
        Assert.Equal("hello", Encoding.UTF8.GetString(echo, 0, result.Count));
        using HttpClient http = new();
        Assert.Equal(HttpStatusCode.BadRequest, (await http.GetAsync(new Uri(host.GetUri(endpoint), "gossip"), Cancelled)).StatusCode);
    }

    [Fact]
    public async Task A_certificate_makes_it_TLS_with_the_same_chunks()
    {
        using var certificate = SelfSigned();
        TestServerOptions options = new()
        {
            Port = 0,
            Certificate = certificate,
            Feed = FeedKind.Scripted,
        };
        await using var server = await LockstepTestServer.StartAsync(options, cancellationToken: Cancelled);
        Assert.Equal(Uri.UriSchemeHttps, server.FeedUri.Scheme);
        (var client, var head) = await RawClient.GetAsync(server.Uri, "/servers/", Cancelled);
        await using (client)
        {
            Assert.StartsWith("HTTP/1.1 200 ", head, StringComparison.Ordinal);
            server.AddRecord("""{"id":1}""");
            Assert.Equal("{\"id\":1}\n", await client.ReadChunkAsync(Cancelled));
        }
    }

    [Fact]
    public async Task HTTP_2_is_not_spoken_whether_it_is_assumed_or_negotiated()
    {
        var answered = 0;
        using var certificate = SelfSigned();
        HttpEndpoint plain = new();
        HttpEndpoint secure = new() { Certificate = certificate };
        plain.Routes.Add("/", Count);
        secure.Routes.Add("/", Count);
        await using var host = await HttpHost.StartAsync([plain, secure], Cancelled);

        // The preface, settings, and a hundred requests that are reset at once.
        byte[] headers = [0, 0, 3, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84];
        byte[] reset = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8];
        byte[] settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        byte[] requests = [.. Enumerable.Repeat((byte[])[.. headers, .. reset], 100).SelectMany(frames => frames)];
        byte[] all = [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. settings, .. requests];
        using (TcpClient client = new())
        {
            await client.ConnectAsync(IPAddress.Loopback, host.GetUri(plain).Port, Cancelled);
            await client.GetStream().WriteAsync(all, Cancelled);
            await EndAsync(client.GetStream());
        }

        using (TcpClient client = new())
        {
            await client.ConnectAsync(IPAddress.Loopback, host.GetUri(secure).Port, Cancelled);
#pragma warning disable CA5359 // The test's own certificate; what is tested is the server's side.
            await using SslStream tls = new(client.GetStream(), leaveInnerStreamOpen: false, (_, _, _, _) => true);
#pragma warning restore CA5359
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions { TargetHost = "localhost", ApplicationProtocols = [SslApplicationProtocol.Http2] },
                Cancelled
            );
            Assert.NotEqual(SslApplicationProtocol.Http2, tls.NegotiatedApplicationProtocol);
            await tls.WriteAsync(all, Cancelled);
            await EndAsync(tls);
        }

        Assert.Equal(0, answered);

        Task Count(HttpContext context)
        {
            Interlocked.Increment(ref answered);
            return Task.CompletedTask;
        }

        static async Task EndAsync(Stream stream)
        {
            try
            {
                while (await stream.ReadAsync(new byte[4096], Cancelled) > 0) { }
            }
            catch (IOException)
            {
                // Reset, because it did not read everything.
            }
        }
    }

    private static X509Certificate2 SelfSigned()
    {
        using var key = RSA.Create(2048);
        CertificateRequest request = new("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }

    private static RequestDelegate Answer(string text) => context => context.Response.WriteAsync(text);
}
