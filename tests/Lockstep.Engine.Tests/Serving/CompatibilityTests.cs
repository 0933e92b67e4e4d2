using System.Net;
using System.Net.Sockets;
using System.Text;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Engine.Tests.Tables;
using Lockstep.Serving;

namespace Lockstep.Engine.Tests.Serving;

/// <summary>
/// A client of one version and a server of another. What the earlier one sends and understands is recorded here: unknown things are
/// ignored, missing ones have a default.
/// </summary>
public sealed class CompatibilityTests : SyncTest
{
    /// <summary>What 0.1.0 answers from cursor 0, recorded.</summary>
    private const string FirstServerHead =
        "Content-Type: application/x-ndjson\r\nCache-Control: no-store\r\nLockstep-Feed: "
        + "table-554e71a4f5424c8194fd0d115a8e5713\r\nLockstep-Key: [\"id\"]\r\n";

    private readonly TestTable _served = new();

    [Fact]
    public async Task A_server_of_the_first_version_is_followed()
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync(FirstServerHead);
            await exchange.ChunkAsync(
                exchange.Cursor == "0"
                    ? """{"txid":1,"current_xmin":80,"since":1,"deleted":false,"data":{"id": 1, "name": "server 1"}}"""
                        + "\n"
                        + """{"txid":2,"current_xmin":80,"since":2,"deleted":false,"data":{"id": 2, "name": "server 2"}}"""
                        + "\n"
                        + """{"control":true,"type":"snapshot_completed","timestamp":1795854929,"since":80}"""
                        + "\n"
                    : """{"txid":81,"current_xmin":81,"since":81,"deleted":true,"data":{"id": 2, "name": "server 2"}}"""
                        + "\n"
                        + """{"control":true,"type":"heartbeat","timestamp":1795854931,"since":81}"""
                        + "\n"
            );
            await exchange.StallAsync();
        });

        await SyncRun.ToEndAsync(Options(server));
        Assert.Equal(["1", "2"], Keys);
        await SyncRun.ToEndAsync(Options(server));
        Assert.Equal(["1"], Keys);
        Assert.Equal("81", Info.Cursor.ToString());
        Assert.Equal(["0", "80"], server.Cursors);
        Assert.Contains("Lockstep-Feed: table-554e71a4f5424c8194fd0d115a8e5713", server.Requests.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_feed_without_any_header_of_ours_is_synced_by_the_defaults()
    {
        await using var server = RawServer.WithBodies(Row(1, 1) + Row(2, 2) + Completed(2), Row(2, 3, deleted: true) + Beat(3));
        await SyncRun.ToEndAsync(Options(server));
        await SyncRun.ToEndAsync(Options(server));
        Assert.Equal(["1"], Keys);
        Assert.Null(Info.FeedIdentity);
    }

    [Fact]
    public async Task Headers_control_rows_and_members_that_are_not_known_are_passed_over()
    {
        const string Head = "Lockstep-Feed: one\r\nLockstep-Future: 7\r\nLockstep-Key: [\"id\"]\r\n";
        await using var server = new RawServer(exchange =>
            exchange.BodyAsync(
                """{"control":true,"type":"schema","fields":{"id":1}}"""
                    + "\n"
                    + """{"txid":1,"current_xmin":1,"since":1,"deleted":false,"shard":3,"data":{"id":1}}"""
                    + "\n"
                    + """{"control":true,"type":"snapshot_completed","timestamp":1,"since":1,"checksum":"x"}"""
                    + "\n",
                Head
            )
        );
        var run = await SyncRun.ToEndAsync(Options(server));
        Assert.Equal((1L, 0L, "1"), (run.Result.Added, run.Result.Malformed, run.Result.Cursor.ToString()));
    }

    [Fact]
    public async Task A_client_of_the_first_version_is_served_and_goes_on_from_its_cursor()
    {
        _served.Apply(Record(1, 1).TrimEnd(), Record(2, 2).TrimEnd());
        await using var server = await ServeAsync();
        var whole = await AskAsAsync(server, "/table?since=0", """{"control":true,"type":"snapshot_completed""");
        Assert.Equal(["{\"txid\":1", "{\"txid\":2", "{\"control\":true"], whole.Body.Select(line => line.Split(',')[0]));
        var identity = whole.Head.Split("Lockstep-Feed: ")[1].Split("\r\n")[0];

        _served.Apply(Gone(1, 3).TrimEnd());
        var rest = await AskAsAsync(
            server,
            "/table?since=2",
            """{"control":true,"type":"heartbeat""",
            $"Lockstep-Feed: {identity}\r\nLockstep-Future: whatever\r\n"
        );
        Assert.Contains("\"deleted\":true", rest.Body[0], StringComparison.Ordinal);
        Assert.Equal(2, rest.Body.Count);
    }

    protected override void Dispose(bool disposing)
    {
        _served.Dispose();
        base.Dispose(disposing);
    }

    private async Task<FeedServer> ServeAsync() =>
        await FeedServer.StartAsync(
            [await TableFeed.StartAsync(new TableFeedOptions { Path = _served.Path }, cancellationToken: Cancellation)],
            new FeedServerOptions { HeartbeatInterval = TimeSpan.FromMilliseconds(100) },
            cancellationToken: Cancellation
        );

    /// <summary>Requests as 0.1.0 does, byte for byte, and reads up to a line with this start.</summary>
    private static async Task<(string Head, List<string> Body)> AskAsAsync(FeedServer server, string target, string last, string more = "")
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, server.Uri.Port, Cancellation);
        await using var stream = socket.GetStream();
        var request =
            $"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{server.Uri.Port}\r\nUser-Agent: Lockstep/0.1.0\r\n"
            + "Accept: application/x-ndjson, application/json;q=0.9, */*;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n"
            + more
            + "\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), Cancellation);
        using var reader = new StreamReader(stream);
        var head = new StringBuilder();
        while (await reader.ReadLineAsync(Cancellation) is { Length: > 0 } line)
            head.Append(line).Append("\r\n");
        Assert.StartsWith("HTTP/1.1 200", head.ToString(), StringComparison.Ordinal);
        var body = new List<string>();
        while (await reader.ReadLineAsync(Cancellation) is { } line)
        {
            // The chunk lengths are between the rows.
            if (!line.StartsWith('{'))
                continue;
            body.Add(line);
            if (line.StartsWith(last, StringComparison.Ordinal))
                break;
        }

        return (head.ToString(), body);
    }
}
