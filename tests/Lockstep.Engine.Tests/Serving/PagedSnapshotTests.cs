using System.Net;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Engine.Tests.Tables;
using Lockstep.Serving;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Serving;

/// <summary>A snapshot in pages that name the next one: taken completely or not at all.</summary>
public sealed class PagedSnapshotTests : IDisposable
{
    private readonly TestTable _table = new();
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _table.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_sync_takes_all_pages_and_then_the_updates_at_the_same_address()
    {
        _table.Apply(Enumerable.Range(1, 300).Select(id => Record(id, id)));
        var source = new CountingSource(await StartFeedAsync());
        await using var server = await ServeAsync(source);

        var first = await SyncAsync(server);
        Assert.Equal((300L, SyncEndReason.CaughtUp), (first.Added, first.EndReason));
        Assert.True(source.Pages > 5);
        Assert.Equal(_table.Live, SyncRun.Read(_folder["copy.db"]));

        var pages = source.Pages;
        _table.Apply(Record(301, 301), Gone(1, 302));
        var second = await SyncAsync(server);
        Assert.Equal((1L, 1L, pages), (second.Added, second.Deleted, source.Pages));
        Assert.Equal(_table.Live, SyncRun.Read(_folder["copy.db"]));
    }

    [Fact]
    public async Task A_page_that_is_not_to_be_had_leaves_the_table_as_it_was()
    {
        _table.Apply(Enumerable.Range(1, 300).Select(id => Record(id, id)));
        var source = new CountingSource(await StartFeedAsync());
        await using var server = await ServeAsync(source);
        await SyncAsync(server);
        var before = SyncRun.Read(_folder["copy.db"]);

        source.FailAfter = source.Pages + 3;
        await Assert.ThrowsAsync<FeedStatusException>(() => SyncAsync(server, resync: true));
        Assert.Equal(before, SyncRun.Read(_folder["copy.db"]));

        // And once more, while what follows the pages continues.
        source.FailAfter = int.MaxValue;
        source.OnPage = () => _table.Apply(Record(source.Pages, 1000 + source.Pages), Gone(300 - source.Pages, 2000 + source.Pages));
        await SyncAsync(server, resync: true);
        Assert.Equal(_table.Live, SyncRun.Read(_folder["copy.db"]));
    }

    [Fact]
    public async Task A_page_that_is_refused_because_the_table_became_another_starts_the_set_over()
    {
        _table.Apply(Enumerable.Range(1, 300).Select(id => Record(id, id)));
        var source = new CountingSource(await StartFeedAsync());
        await using var server = await ServeAsync(source);
        await SyncAsync(server);

        var emptyAt = source.Pages + 3;
        source.OnPage = () =>
        {
            if (source.Pages != emptyAt)
                return;
            _table.Writer.Clear();
            _table.Reopen();
            _table.Apply(Record(7, 5000));
        };
        var run = await SyncAsync(server, resync: true);
        Assert.Equal(SyncEndReason.CaughtUp, run.EndReason);
        Assert.Equal(_table.Live, SyncRun.Read(_folder["copy.db"]));
    }

    [Fact]
    public async Task A_snapshot_whose_updates_are_no_longer_kept_is_followed_by_a_new_one_at_once()
    {
        _table.Apply(Enumerable.Range(1, 300).Select(id => Record(id, id)));
        await using var feed = await StartFeedAsync();
        await using var server = await ServeAsync(new CountingSource(feed), TimeSpan.FromDays(1));
        await SyncAsync(server);

        _table.Apply(Gone(1, 301), Record(2, 302));
        Assert.Equal(1, _table.Writer.ClearTombstones(Lockstep.Engine.Records.Cursor.Parse("302")));
        await Eventually.TrueAsync(async () => (await feed.GetStateAsync(Cancel)).Floor > 300);
        File.Delete(_folder["copy.db"]);
        var run = await SyncAsync(server);
        Assert.Equal((299L, SyncEndReason.CaughtUp), (run.Added, run.EndReason));
        Assert.Equal(_table.Live, SyncRun.Read(_folder["copy.db"]));
    }

    [Fact]
    public async Task An_empty_table_has_one_page_and_its_updates_come_as_a_stream()
    {
        _table.EndSync();
        await using var server = await ServeAsync(await StartFeedAsync());
        var empty = await SyncAsync(server);
        Assert.Equal((0L, SyncEndReason.CaughtUp), (empty.Received, empty.EndReason));
    }

    [Theory]
    [InlineData("</next?a=1>; rel=\"next\"", "http://h/next?a=1")]
    [InlineData("<p2>; rel=next", "http://h/feed/p2")]
    [InlineData("<http://other/x>; title=\"a\"; rel=\"prev next\"", "http://other/x")]
    [InlineData("<p2>; rel=\"prev\"", null)]
    [InlineData("p2; rel=next", null)]
    [InlineData("<p2; rel=next", null)]
    public void The_next_page_is_named_by_a_link(string link, string? next)
    {
        using var response = new HttpResponseMessage(HttpStatusCode.OK);
        response.Headers.TryAddWithoutValidation("Link", link);
        Assert.Equal(next, PagedBody.NextOf(response, new Uri("http://h/feed/pages"))?.AbsoluteUri);
    }

    private static string Record(int id, long order) => $$"""{"id":{{id}},"updated_at":{{order}},"deleted_at":null}""";

    private static string Gone(int id, long order) => $$"""{"id":{{id}},"updated_at":{{order}},"deleted_at":{{order}}}""";

    private static Task<FeedServer> ServeAsync(IFeedSource source, TimeSpan snapshotAge = default) =>
        FeedServer.StartAsync(
            [source],
            new FeedServerOptions { HeartbeatInterval = TimeSpan.FromMilliseconds(200), SnapshotAge = snapshotAge },
            cancellationToken: Cancel
        );

    private Task<TableFeed> StartFeedAsync() =>
        TableFeed.StartAsync(
            new TableFeedOptions
            {
                Path = _table.Path,
                PageBytes = 2048,
                PollInterval = TimeSpan.FromMilliseconds(5),
            },
            cancellationToken: Cancel
        );

    private async Task<SyncResult> SyncAsync(FeedServer server, bool resync = false) =>
        (
            await SyncRun.ToEndAsync(
                new SyncOptions
                {
                    Feed = new FeedOptions { Uri = new Uri(server.Uri, "table/pages"), CursorStyle = CursorStyle.Query },
                    Store = new FileTableStore(_folder["copy.db"]),
                    TableName = "copy",
                    Resync = resync,
                    RetryInterval = TimeSpan.FromMilliseconds(10),
                }
            )
        ).Result;

    /// <summary>Counts the pages that it serves, and refuses those after a number.</summary>
    private sealed class CountingSource(TableFeed feed) : IFeedSource
    {
        public int Pages { get; private set; }

        public int FailAfter { get; set; } = int.MaxValue;

        public Action? OnPage { get; set; }

        public string Name => feed.Name;

        public ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken) => feed.GetStateAsync(cancellationToken);

        public ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken) =>
            feed.OpenAsync(request, cancellationToken);

        public async ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken)
        {
            if (++Pages > FailAfter)
                throw new FeedUnavailableException("Away.", TimeSpan.FromSeconds(1));
            OnPage?.Invoke();
            return await feed.ReadPageAsync(request, cancellationToken);
        }

        public ValueTask DisposeAsync() => feed.DisposeAsync();
    }
}
