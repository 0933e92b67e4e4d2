using System.Net.Sockets;
using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Recording;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Dialects;
using Lockstep.Engine.Tests.Sync;
using Lockstep.TestServer;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Engine.Tests.Recording;

/// <summary>
/// The conversation with a server of any dialect is recorded without a secret, though the server repeats all of them in its answers, and
/// replayed it makes the same table.
/// </summary>
[Trait("Invariant", "I9")]
public sealed class ScrubbingTests : SyncTest
{
    private const string Password = "s3cr3t-password";
    private const string Key = "s3cr3t-key-in-a-header";
    private const string Cookie = "s3cr3t-cookie";
    private const string Long = "s3cr3t+long/value=";
    private const string Short = "zq7";
    private const string ServersCookie = "s3cr3t-of-the-server";

    [Theory]
    [MemberData(nameof(RoundTripTests.Feeds), MemberType = typeof(RoundTripTests))]
    public async Task No_secret_is_recorded_and_the_replay_makes_the_same_table(string name)
    {
        await using var world = await FeedWorld.StartAsync(name, 3, Folder("real.db"));
        world.Change();
        world.Change();
        await world.SyncAsync();
        await using var server = new RawServer(exchange => EchoAsync(exchange, world.Server.Uri.Port));
        var path = world.Server.FeedUri.PathAndQuery;
        var uri = new UriBuilder(new Uri(server.Root, path)) { UserName = "me", Password = Password };
        uri.Query += (uri.Query.Length > 0 ? "&" : "?") + $"source_secret={Uri.EscapeDataString(Long)}&pwd={Short}";

        await DialectRecorder.RecordAsync(
            new FeedOptions
            {
                Uri = uri.Uri,
                Headers = [new("Cookie", "AuthSession=" + Cookie), new("X-Api-Key", Key)],
                Query = [new("sig", Long + "2"), new("auth", Short + "x")],
            },
            world.Dialect,
            Folder("feed.rec"),
            cancellationToken: Cancellation
        );

        var text = await File.ReadAllTextAsync(Folder("feed.rec"), Cancellation);
        foreach (
            var secret in (string[])
                [
                    "s3cr3t",
                    Convert.ToBase64String(Encoding.UTF8.GetBytes($"me:{Password}")),
                    Short,
                    server.Root.Authority,
                    .. Tokens(server),
                ]
        )
        {
            Assert.DoesNotContain(secret, text, StringComparison.Ordinal);
        }

        await AssertReplayedAsync(world, "");
        await AssertReplayedAsync(world, $"source_secret={Uri.EscapeDataString(Long)}");
    }

    /// <summary>The tokens that were in the requests, the last of which the server gave as the cursor.</summary>
    private static IEnumerable<string> Tokens(RawServer server) =>
        server
            .Requests.SelectMany(head => Uri.UnescapeDataString(head.Split(' ')[1]).Split('?', '&'))
            .Where(pair => pair.Contains("token=", StringComparison.OrdinalIgnoreCase))
            .Select(pair => pair.Split('=', 2)[1])
            .Where(token => token.Length >= 8);

    private async Task AssertReplayedAsync(FeedWorld world, string query)
    {
        await using var replay = await LockstepTestServer.StartAsync(
            new TestServerOptions
            {
                Port = 0,
                Feed = FeedKind.Replay,
                ReplayFile = Folder("feed.rec"),
                ReplaySpeed = double.PositiveInfinity,
            },
            cancellationToken: Cancellation
        );
        var uri = new UriBuilder(replay.FeedUri);
        uri.Query += (uri.Query.Length > 0 && query.Length > 0 ? "&" : "") + query;
        var table = Folder($"played{query.Length}.db");
        await SyncRun.ToEndAsync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = uri.Uri },
                Store = new FileTableStore(table),
                Foreign = world.Dialect,
                Settle = TimeSpan.FromMilliseconds(200),
            }
        );

        Assert.Equal(SyncRun.Read(Folder("real.db")), SyncRun.Read(table));
    }

    /// <summary>Passes a request on, and adds to the answer a cookie, the requested address and the credentials.</summary>
    private static async Task EchoAsync(RawExchange exchange, int port)
    {
        using var real = new TcpClient("127.0.0.1", port);
        var stream = real.GetStream();
        var lines = exchange.Head.Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(
                string.Join(
                    "\r\n",
                    [.. lines.Where(l => !l.StartsWith("Connection", StringComparison.Ordinal)), "Connection: close", "", ""]
                )
            ),
            exchange.Stopping
        );
        string Header(string name) =>
            lines.FirstOrDefault(line => line.StartsWith(name + ": ", StringComparison.OrdinalIgnoreCase)) ?? ": ";
        var added =
            $"\r\nSet-Cookie: session={ServersCookie}\r\nLink: <http://{Header("Host")[6..]}{lines[0].Split(' ')[1]}>; rel=\"self\"\r\n"
            + $"X-RateLimit-Of: {Header("Authorization")} {Header("Cookie")} {Header("X-Api-Key")}";
        var buffer = new byte[4096];
        var isHead = true;
        for (int count; (count = await stream.ReadAsync(buffer, exchange.Stopping)) > 0; )
        {
            var piece = buffer[..count];
            if (isHead)
            {
                var end = piece.AsSpan().IndexOf("\r\n"u8);
                piece = [.. piece[..end], .. Encoding.ASCII.GetBytes(added), .. piece[end..]];
                isHead = false;
            }

            await exchange.SendAsync(piece);
        }
    }
}
