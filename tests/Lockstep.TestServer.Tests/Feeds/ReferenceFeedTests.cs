using System.Diagnostics;
using Lockstep.Serving.Hosting;
using Lockstep.Testing;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;

namespace Lockstep.TestServer.Tests.Feeds;

public sealed class ReferenceFeedTests
{
    private static readonly string[] Objects =
    [
        """{"id":123,"updated_at":999,"deleted_at":null,"ip":"0.0.0.0","port":1234}""",
        """{"id":124,"updated_at":1001,"deleted_at":null,"ip":"0.0.0.0","port":1235}""",
        """{"id":125,"updated_at":1002,"deleted_at":null,"ip":"0.0.0.0","port":1236}""",
        """{"id":126,"updated_at":1003,"deleted_at":null,"ip":"0.0.0.0","port":1237}""",
        """{"id":127,"updated_at":1004,"deleted_at":null,"ip":"0.0.0.0","port":1238}""",
        """{"id":124,"updated_at":1000,"deleted_at":1000,"ip":"0.0.0.0","port":1236}""",
    ];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/servers/998")]
    [InlineData("/")]
    [InlineData("/any/thing?since=5")]
    public async Task Sends_the_six_objects_one_per_chunk_again_and_again_at_any_path(string path)
    {
        await using var server = await TestServers.StartAsync(FeedKind.Reference, Cancelled);
        (var client, var head) = await RawClient.GetAsync(server.Uri, path, Cancelled);
        await using (client)
        {
            Assert.StartsWith("HTTP/1.1 200 OK\r\n", head, StringComparison.Ordinal);
            Assert.Contains("Content-Type: text/plain\r\n", head, StringComparison.Ordinal);
            Assert.Contains("Transfer-Encoding: chunked\r\n", head, StringComparison.Ordinal);
            Assert.DoesNotContain("Lockstep-", head, StringComparison.Ordinal);
            for (var round = 0; round < 20; round++)
            {
                foreach (var expected in Objects)
                    Assert.Equal(expected, await client.ReadChunkAsync(Cancelled));
            }
        }
    }

    [Fact]
    public async Task Sends_the_bytes_of_nodes_http_module()
    {
        Assert.SkipUnless(HasNode(), "node is not on this machine");
        using TempFolder folder = new();
        await File.WriteAllTextAsync(folder["feed.js"], NodeFeed(), Cancelled);
        using var node = Process.Start(new ProcessStartInfo("node", [folder["feed.js"]]) { RedirectStandardOutput = true })!;
        try
        {
            Uri original = new((await node.StandardOutput.ReadLineAsync(Cancelled))!);
            await using var server = await TestServers.StartAsync(FeedKind.Reference, Cancelled);
            Assert.Equal(await ReadRoundsAsync(original, 10), await ReadRoundsAsync(server.Uri, 10));
        }
        finally
        {
            node.Kill();
            await node.WaitForExitAsync(CancellationToken.None);
        }
    }

    [Fact]
    public async Task Sends_no_chunk_framing_to_a_client_of_HTTP_1_0()
    {
        await using var server = await TestServers.StartAsync(FeedKind.Reference, Cancelled);
        await using var client = await RawClient.ConnectAsync(server.Uri, Cancelled);
        await client.SendAsync("GET / HTTP/1.0\r\n\r\n", Cancelled);
        Assert.DoesNotContain("chunked", await client.ReadHeadAsync(Cancelled), StringComparison.OrdinalIgnoreCase);
        var twice = string.Concat(Objects) + string.Concat(Objects);
        Assert.Equal(twice, await client.ReadAsync(twice.Length, Cancelled));
    }

    [Theory]
    [InlineData(FeedKind.Reference, null, "0.0.0.0")]
    [InlineData(FeedKind.Reference, "feeds.example", "feeds.example")]
    [InlineData(FeedKind.Finite, null, "127.0.0.1")]
    public async Task The_second_port_redirects_everything_as_the_original_does_unless_told_otherwise(
        FeedKind feed,
        string? told,
        string host
    )
    {
        TestServerOptions options = new()
        {
            Port = 0,
            Feed = feed,
            RedirectPort = 0,
            RedirectHost = told,
        };
        await using var server = await LockstepTestServer.StartAsync(options, cancellationToken: Cancelled);
        Assert.NotNull(server.RedirectUri);
        (var client, var head) = await RawClient.GetAsync(server.RedirectUri, "/some/path?since=3", Cancelled);
        await using (client)
        {
            Assert.StartsWith("HTTP/1.1 307 ", head, StringComparison.Ordinal);
            Assert.Contains($"Location: http://{host}:{server.Uri.Port}\r\n", head, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task With_a_fixed_port_the_second_one_is_the_next()
    {
        // The way to find a free pair is to take one; if another process is quicker, the next one is tried.
        for (var attempt = 0; ; attempt++)
        {
            int port;
            await using (var probe = await TestServers.StartAsync(FeedKind.Finite, Cancelled))
                port = probe.Uri.Port;
            try
            {
                await using var server = await LockstepTestServer.StartAsync(
                    new TestServerOptions { Port = port },
                    cancellationToken: Cancelled
                );
                Assert.Equal(port, server.Uri.Port);
                Assert.Equal(port + 1, server.RedirectUri!.Port);
                return;
            }
            catch (PortInUseException) when (attempt < 20) { }
        }
    }

    [Fact]
    public async Task A_stopped_server_cuts_the_body_off_instead_of_ending_it()
    {
        await using var server = await TestServers.StartAsync(FeedKind.Reference, Cancelled);
        (var client, _) = await RawClient.GetAsync(server.Uri, "/", Cancelled);
        await using (client)
        {
            await client.ReadChunkAsync(Cancelled);
            var rest = client.ReadToEndAsync(Cancelled);
            await server.StopAsync();
            try
            {
                Assert.DoesNotContain("\r\n0\r\n\r\n", await rest, StringComparison.Ordinal);
            }
            catch (IOException)
            {
                // A reset is also a cut.
            }
        }
        Assert.Equal(RequestEnding.ServerStopped, (await server.EndOfOnlyRequestAsync()).Ending);
        Assert.False(server.IsRunning);
    }

    private static async Task<string> ReadRoundsAsync(Uri uri, int rounds)
    {
        (var client, _) = await RawClient.GetAsync(uri, "/servers/0", Cancelled);
        await using (client)
        {
            // Including the framing: 0x48 or 0x49 bytes and six of framing per chunk.
            var length = Objects.Sum(item => item.Length + 6) * rounds;
            return await client.ReadAsync(length, Cancelled);
        }
    }

    private static string NodeFeed() =>
        $$"""
            const http = require('node:http');
            const rows = {{"[" + string.Join(",", Objects) + "]"}};
            const feed = http.createServer((request, response) => {
              response.writeHead(200, { 'Content-Type': 'text/plain' });
              const timer = setInterval(() => rows.forEach(row => response.write(JSON.stringify(row))), 1);
              response.on('close', () => clearInterval(timer));
            });
            feed.listen(0, '127.0.0.1', () => console.log('http://127.0.0.1:' + feed.address().port + '/'));
            """;

    private static bool HasNode()
    {
        try
        {
            using var node = Process.Start(new ProcessStartInfo("node", ["--version"]) { RedirectStandardOutput = true })!;
            node.WaitForExit();
            return node.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
