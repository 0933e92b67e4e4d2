using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Engine.Tests.Tables;
using Lockstep.Serving;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Serving;

/// <summary>
/// A relay's clients take the end of its snapshot for the end of the set (I6). Before the first load of its own table has ended, it has no
/// such end to give.
/// </summary>
public sealed class UnfinishedLoadTests : SyncTest
{
    private readonly TestTable _table = new();

    protected override void Dispose(bool disposing)
    {
        _table.Dispose();
        base.Dispose(disposing);
    }

    [Theory]
    [InlineData(ServedDialect.Transaction)]
    [InlineData(ServedDialect.Record)]
    public async Task A_table_is_served_from_the_end_of_its_first_load_on(ServedDialect dialect)
    {
        _table.IsLoading = true;
        _table.Apply(Json(1, 10));
        await using var feed = await StartAsync(_table.Path, dialect);

        var error = await Assert.ThrowsAsync<FeedUnavailableException>(() => new RelayClient(feed).CatchUpAsync());
        Assert.Contains("first load has not ended", error.Message, StringComparison.Ordinal);
        Assert.True(error.RetryAfter > TimeSpan.Zero);
        await Assert.ThrowsAsync<FeedUnavailableException>(() => feed.CheckAsync(Cancellation));
        await Assert.ThrowsAsync<FeedUnavailableException>(async () => await feed.GetStateAsync(Cancellation));

        _table.IsLoading = false;
        _table.Apply(Json(2, 20));

        await feed.CheckAsync(Cancellation);
        var reading = await feed.OpenAsync(new FeedRequest(0, null, TimeSpan.FromSeconds(30)), Cancellation);
        Assert.Equal(2, _table.Live.Count);
        Assert.NotNull(reading);
    }

    [Fact]
    public async Task No_page_of_an_unfinished_table_is_given_out()
    {
        _table.IsLoading = true;
        _table.Apply(Json(1, 10));
        await using var feed = await StartAsync(_table.Path);

        await Assert.ThrowsAsync<FeedUnavailableException>(async () =>
            await feed.ReadPageAsync(new SnapshotPageRequest(null, null, null), Cancellation)
        );
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_relay_that_is_emptied_and_loads_again_takes_nothing_from_its_clients(bool isRemade)
    {
        _table.Apply(Enumerable.Range(1, 30).Select(id => Json(id, id)));
        await using var feed = await StartAsync(_table.Path);
        await using var server = await FeedServer.StartAsync([feed], new FeedServerOptions(), cancellationToken: Cancellation);
        await SyncRun.ToEndAsync(To(server));
        Assert.Equal(30, Info.Rows);

        if (isRemade)
        {
            _table.Writer.Dispose();
            _table.Table.Remove();
        }
        else
        {
            _table.Writer.Clear();
        }

        _table.Reopen();
        _table.IsLoading = true;
        _table.Apply(Json(1, 1));
        await Assert.ThrowsAnyAsync<FeedException>(() => SyncRun.ToEndAsync(To(server)));
        Assert.Equal(30, Info.Rows);

        _table.IsLoading = false;
        _table.Apply(Enumerable.Range(2, 24).Select(id => Json(id, id)));
        var run = await SyncRun.ToEndAsync(To(server));
        Assert.Equal((25, 5), (Info.Rows, run.Result.Deleted));
    }

    [Fact]
    public async Task An_import_that_is_cut_off_has_not_ended_and_one_that_is_added_to_a_whole_table_may_be()
    {
        await Assert.ThrowsAsync<TruncatedFeedException>(() => ImportAsync(Record(1, 1) + "{"));
        Assert.Equal(1, Info.Rows);
        await using var feed = await StartAsync(TablePath);
        await Assert.ThrowsAsync<FeedUnavailableException>(() => feed.CheckAsync(Cancellation));

        await ImportAsync(Record(1, 1) + Record(2, 2));
        await feed.CheckAsync(Cancellation);

        await Assert.ThrowsAsync<TruncatedFeedException>(() => ImportAsync(Record(3, 3) + "{"));
        Assert.Equal(3, Info.Rows);
        await feed.CheckAsync(Cancellation);
    }

    [Fact]
    public async Task A_first_load_that_runs_out_of_time_has_not_ended()
    {
        Pace? pace = null;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            var first = Record(1, 1) + Record(2, 2);
            await exchange.ChunkAsync(first);
            await pace!.ReceivedAsync(first.Length);
            await pace.PassUntilAsync(exchange.ClientClosedAsync());
        });
        (var sync, pace) = Paced(Options(server, followFor: TimeSpan.FromSeconds(0.1), settle: 3));

        var run = await SyncRun.ToEndAsync(sync);

        Assert.Equal(SyncEndReason.TimeElapsed, run.Result.EndReason);
        Assert.Equal(2, Info.Rows);
        Assert.Null(Info.LastSync);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_pause_that_would_not_end_a_sync_does_not_end_the_first_load_of_one_that_follows(bool isOfKnownLength)
    {
        Pace? pace = null;
        DateTimeOffset? noted = null;
        var (first, second) = (Record(1, 1), Record(2, 2));
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Number > 1)
            {
                // What has ended is asked for again.
                await exchange.StallAsync();
                return;
            }

            if (isOfKnownLength)
                await exchange.SendAsync($"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {first.Length + second.Length}\r\n\r\n");
            else
                await exchange.ChunkedAsync();
            await (isOfKnownLength ? exchange.SendAsync(first) : exchange.ChunkAsync(first));
            await pace!.ReceivedAsync(first.Length);
            if (!isOfKnownLength)
            {
                await pace.PassAsync(TimeSpan.FromSeconds(0.1));
                await Eventually.TrueAsync(() => Engine.Tables.Table.IsTable(TablePath) && Info.Rows == 1);
            }

            await pace.PassAsync(TimeSpan.FromSeconds(4), step: TimeSpan.FromSeconds(0.1));
            // A set of known length is staged: there need not be a table yet.
            noted = Engine.Tables.Table.IsTable(TablePath) ? Info.LastSync : null;
            await (isOfKnownLength ? exchange.SendAsync(second) : exchange.ChunkAsync(second));
            if (!isOfKnownLength)
                await exchange.StallAsync();
        });
        var time = new ManualTimeProvider();
        var sync = new TableSync(Options(server, follow: true, settle: 0.2, idle: 3600), time);
        pace = new Pace(sync, time);
        time.Advance(TimeSpan.FromSeconds(1));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var following = FollowAsync(sync, stop.Token);

        await Eventually.TrueAsync(() => sync.Result.Received == 2);
        Assert.Null(noted);
        await Pace.MoveAsync(time, TimeSpan.FromSeconds(0.1), Eventually.TrueAsync(() => Info.LastSync is not null));
        await stop.CancelAsync();
        await following;

        Assert.Equal(2, Info.Rows);
    }

    [Fact]
    public async Task An_event_stream_is_up_to_date_when_it_pauses_and_not_where_it_is_cut_off()
    {
        DateTimeOffset? noted = null;
        long held = 0;
        var time = new ManualTimeProvider();
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Number == 2)
                (noted, held) = (Info.LastSync, Info.Rows);
            await exchange.ChunkedAsync("Content-Type: text/event-stream\r\n");
            await exchange.ChunkAsync($$"""data: {"id":{{exchange.Number}}}""" + "\n\n");
            if (exchange.Number > 1)
                await exchange.StallAsync();
        });
        var options = new SyncOptions
        {
            Feed = new FeedOptions
            {
                Uri = new Uri(server.Root, "stream"),
                OperationTimeout = Timeout.InfiniteTimeSpan,
                ConnectionTimeout = Timeout.InfiniteTimeSpan,
            },
            Store = new FileTableStore(TablePath),
            Foreign = DialectDescription.Load("EventStream"),
            Follow = true,
        };
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var syncing = FollowAsync(new TableSync(options, time), stop.Token);

        // The cut comes without time passing, so that there is no pause before it.
        await Eventually.TrueAsync(() => Engine.Tables.Table.IsTable(TablePath) && Info.Rows > 0);
        await Pace.MoveAsync(time, TimeSpan.FromSeconds(0.1), Eventually.TrueAsync(() => Info.LastSync is not null));
        await stop.CancelAsync();
        await syncing;

        Assert.Equal((null, 1), (noted, held));
        Assert.Equal(2, Info.Rows);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_pause_of_an_event_stream_that_would_not_end_a_sync_does_not_end_its_first_load(bool follows)
    {
        DateTimeOffset? noted = null;
        var time = new ManualTimeProvider();
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync("Content-Type: text/event-stream\r\n");
            await exchange.ChunkAsync("data: {\"id\":1}\n\n");
            // The pause is long enough for what came to be committed.
            await Pace.MoveAsync(
                time,
                TimeSpan.FromMilliseconds(10),
                Eventually.TrueAsync(() => Engine.Tables.Table.IsTable(TablePath) && Info.Rows == 1)
            );
            noted = Info.LastSync;
            await exchange.ChunkAsync("data: {\"id\":2}\n\n");
            await exchange.StallAsync();
        });
        var options = new SyncOptions
        {
            Feed = new FeedOptions
            {
                Uri = new Uri(server.Root, "stream"),
                OperationTimeout = Timeout.InfiniteTimeSpan,
                ConnectionTimeout = Timeout.InfiniteTimeSpan,
            },
            Store = new FileTableStore(TablePath),
            Foreign = DialectDescription.Load("EventStream"),
            Follow = follows,
            // The clock may advance many times before a loaded machine has read what came.
            Settle = TimeSpan.FromHours(1),
        };
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var sync = new TableSync(options, time);
        var syncing = FollowAsync(sync, stop.Token);

        await Eventually.TrueAsync(() => sync.Result.Received == 2);
        Assert.Null(noted);
        await Pace.MoveAsync(time, TimeSpan.FromMinutes(10), Eventually.TrueAsync(() => Info is { LastSync: not null, Rows: 2 }));
        await stop.CancelAsync();
        await syncing;
    }

    [Fact]
    public async Task A_feed_that_repeats_its_records_without_a_pause_has_brought_its_set()
    {
        var time = new ManualTimeProvider();
        TableSync? sync = null;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            var sent = 0;
            // No pause is long enough to be one, so that something waits to be committed whenever the sync looks.
            for (var i = 1; i % 50 > 0 || Info is not { Rows: 1, LastSync: not null }; i++)
            {
                await exchange.ChunkAsync(Record(1, 1));
                sent += Record(1, 1).Length;
                await Eventually.TrueAsync(() => sync!.Result.Bytes >= sent);
                time.Advance(Pace.Commit * 0.8);
            }

            await exchange.StallAsync();
        });
        sync = new TableSync(Options(server, follow: true, settle: 1, idle: 3600), time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var following = FollowAsync(sync, stop.Token);

        await Eventually.TrueAsync(() => Engine.Tables.Table.IsTable(TablePath) && Info is { Rows: 1, LastSync: not null });
        await stop.CancelAsync();
        await following;
    }

    private static async Task FollowAsync(TableSync sync, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var _ in sync.RunAsync(cancellationToken)) { }
        }
        catch (OperationCanceledException)
        {
            // The end of the test.
        }
    }

    private static string Json(int id, long order) => Record(id, order).TrimEnd();

    private static Task<TableFeed> StartAsync(string path, ServedDialect dialect = ServedDialect.Transaction) =>
        TableFeed.StartAsync(
            new TableFeedOptions
            {
                Path = path,
                Dialect = dialect,
                PollInterval = TimeSpan.FromMilliseconds(5),
            },
            cancellationToken: Cancellation
        );

    private async Task ImportAsync(string records)
    {
        var import = new TableImport(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = new Uri("file:///records") },
                Store = new FileTableStore(TablePath),
            },
            new MemoryStream(System.Text.Encoding.UTF8.GetBytes(records))
        );
        await foreach (var _ in import.RunAsync(Cancellation)) { }
    }

    private SyncOptions To(FeedServer server) =>
        new()
        {
            Feed = new FeedOptions { Uri = new Uri(server.Uri, "table"), CursorStyle = CursorStyle.Query },
            Store = new FileTableStore(TablePath),
            MaximumRetryCount = 0,
        };
}
