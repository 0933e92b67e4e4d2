using System.Globalization;
using System.Text;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Recording;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;
using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer.Tests.Feeds;

/// <summary>The conversation with a server of another dialect is recorded and replayed, without its secrets.</summary>
public sealed class ConversationTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<FeedKind> Dialects =>
        [
            FeedKind.ODataDelta,
            FeedKind.Kubernetes,
            FeedKind.CouchDb,
            FeedKind.EventStream,
            FeedKind.Rest,
            FeedKind.Shape,
            FeedKind.DurableStream,
        ];

    public void Dispose() => _folder.Dispose();

    private static async Task<LockstepTestServer> StartAsync(FeedKind feed)
    {
        var options = new TestServerOptions
        {
            Port = 0,
            Feed = feed,
            Records = Enumerable.Range(1, 5).Select(id => $$"""{"id":"r{{id.ToString(CultureInfo.InvariantCulture)}}","text":"über"}"""),
        };
        options.DialectFeed.PageSize = 2;
        return await LockstepTestServer.StartAsync(options, cancellationToken: Cancel);
    }

    private async Task<List<string>> SyncAsync(Uri feed, DialectDescription? dialect, string table)
    {
        var sync = new TableSync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = feed },
                Store = new FileTableStore(_folder[table]),
                Foreign = dialect,
                Settle = TimeSpan.FromMilliseconds(200),
            }
        );
        await foreach (var step in sync.RunAsync(Cancel))
            _ = step;
        List<string> records = [];
        using var scan = new Table(_folder[table]).Read(null);
        while (scan.Read())
            records.Add(Encoding.UTF8.GetString(scan.Json));
        return records;
    }

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task A_recorded_conversation_makes_the_same_table(FeedKind feed)
    {
        await using var real = await StartAsync(feed);
        var expected = await SyncAsync(real.FeedUri, real.Dialect, "real.db");

        var recording = await DialectRecorder.RecordAsync(
            new FeedOptions { Uri = real.FeedUri },
            real.Dialect,
            _folder["feed.rec"],
            cancellationToken: Cancel
        );
        await using var replay = await LockstepTestServer.StartAsync(
            new TestServerOptions
            {
                Port = 0,
                Feed = FeedKind.Replay,
                ReplayFile = _folder["feed.rec"],
                ReplaySpeed = double.PositiveInfinity,
            },
            cancellationToken: Cancel
        );
        var played = await SyncAsync(replay.FeedUri, real.Dialect, "played.db");

        Assert.Equal(200, recording.Status);
        Assert.Equal(expected, played);
        Assert.Equal(real.FeedUri.PathAndQuery, replay.FeedUri.PathAndQuery);
    }

    [Fact]
    public async Task Neither_tokens_nor_the_servers_name_nor_credentials_are_in_the_file()
    {
        await using var real = await StartAsync(FeedKind.ODataDelta);
        await DialectRecorder.RecordAsync(
            new FeedOptions
            {
                Uri = real.FeedUri,
                BearerToken = "bearer-hunter2",
                Query = [new("api_key", "query-hunter2")],
                Headers = [new("X-Secret", "header-hunter2")],
            },
            null,
            _folder["feed.rec"],
            cancellationToken: Cancel
        );
        using var client = new HttpClient();
        var page = await client.GetStringAsync(real.FeedUri, Cancel);
        var token = page.Split("$skiptoken=")[1].Split('"')[0];

        var text = await File.ReadAllTextAsync(_folder["feed.rec"], Cancel);

        Assert.Contains("$skiptoken=hidden-", text, StringComparison.Ordinal);
        Assert.Contains("r5", text, StringComparison.Ordinal);
        foreach (var secret in (string[])[token, "hunter2", real.Uri.Authority])
            Assert.DoesNotContain(secret, text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_never_asked_has_no_answer()
    {
        await File.WriteAllLinesAsync(
            _folder["feed.rec"],
            [
                """{"lockstepRecording":2,"request":"/a?x=1","status":200,"headers":{}}""",
                """{"at":0,"text":"one"}""",
                """{"at":0,"end":"completed"}""",
                """{"request":"/a?x=1","status":200,"headers":{"Link":"<http://recorded.invalid/b>"}}""",
                """{"at":0,"text":"two http://recorded.invalid/"}""",
                """{"at":0,"end":"completed"}""",
            ],
            Cancel
        );
        await using var replay = await LockstepTestServer.StartAsync(
            new TestServerOptions
            {
                Port = 0,
                Feed = FeedKind.Replay,
                ReplayFile = _folder["feed.rec"],
            },
            cancellationToken: Cancel
        );
        using var client = new HttpClient();

        Assert.Equal("one", await client.GetStringAsync(new Uri(replay.Uri, "a?x=1"), Cancel));
        foreach (var _ in Enumerable.Range(0, 2))
            Assert.Equal($"two {replay.Uri}", await client.GetStringAsync(new Uri(replay.Uri, "a?x=1&api_key=mine-only"), Cancel));
        Assert.Equal(404, (int)(await client.GetAsync(new Uri(replay.Uri, "a?x=2"), Cancel)).StatusCode);
    }
}
