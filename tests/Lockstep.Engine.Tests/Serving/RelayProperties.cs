using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Engine.Tests.Tables;
using Lockstep.Serving;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Serving;

/// <summary>A table that is synced from a relay equals the table that the relay serves, whatever happens to either in between.</summary>
public sealed class RelayProperties
{
    private const int Keys = 40;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public async Task A_client_that_comes_and_goes_has_the_whole_table_each_time(int seed)
    {
        var random = new Random(seed);
        using var source = new RandomTable(random);
        await using var relay = await Relay.StartAsync(source.Path);
        using var folder = new TempFolder();
        for (var round = 0; round < 12; round++)
        {
            for (var steps = random.Next(1, 5); steps > 0; steps--)
            {
                switch (random.Next(12))
                {
                    case 0:
                        source.Resync(isAnotherFeed: false);
                        break;
                    case 1:
                        source.Resync(isAnotherFeed: true);
                        break;
                    case 2:
                        source.ClearTombstones();
                        break;
                    case 3:
                        source.Clear();
                        break;
                    case 4:
                        source.Remake();
                        break;
                    case 5:
                        await relay.RestartAsync();
                        break;
                    default:
                        source.Change();
                        break;
                }
            }

            // Two clients, one of which misses rounds.
            var client = random.Next(2) == 0 ? "a.db" : "b.db";
            await ConvergeAsync(relay.Uri, folder[client], source);
        }
    }

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    public async Task Clients_that_follow_while_all_that_goes_on_end_with_the_table(int seed)
    {
        var random = new Random(seed);
        using var source = new RandomTable(random);
        await using var relay = await Relay.StartAsync(source.Path);
        using var folder = new TempFolder();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        string[] files = [folder["a.db"], folder["b.db"], folder["c.db"]];
        Task[] followers = [.. files.Select(file => FollowAsync(relay.Uri, file, stop.Token))];
        for (var step = 0; step < 60; step++)
        {
            switch (random.Next(16))
            {
                case 0:
                    source.Resync(isAnotherFeed: random.Next(2) == 0);
                    break;
                case 1:
                    source.ClearTombstones();
                    break;
                case 2:
                    source.Clear();
                    break;
                case 3:
                    await relay.RestartAsync();
                    break;
                default:
                    source.Change();
                    break;
            }

            if (random.Next(3) == 0)
                await Task.Yield();
        }

        source.Change();
        foreach (var file in files)
        {
            await Eventually.TrueAsync(() =>
            {
                Assert.DoesNotContain(followers, follower => follower.IsFaulted);
                return Equal(file, source);
            });
        }

        await stop.CancelAsync();
        await Task.WhenAll(followers);
    }

    [Theory]
    [InlineData(21)]
    [InlineData(22)]
    [InlineData(23)]
    [InlineData(24)]
    public async Task Clients_that_share_updates_through_a_cache_while_all_that_goes_on_end_with_the_table(int seed)
    {
        var random = new Random(seed);
        using var source = new RandomTable(random);
        await using var relay = await Relay.StartAsync(source.Path, shareUpdates: true);
        await using var cache = await TinyCache.StartAsync(new Uri(relay.Uri, "/"));
        using var folder = new TempFolder();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var feed = new Uri(cache.Uri, "table");
        var running = Enumerable.Range(0, 4).Select(i => Start(folder[$"{i}.db"])).ToArray();
        for (var step = 0; step < 60; step++)
        {
            switch (random.Next(24))
            {
                case 0:
                    source.Resync(isAnotherFeed: random.Next(2) == 0);
                    break;
                case 1:
                    source.ClearTombstones();
                    break;
                case 2 when step % 20 == 0:
                    source.Clear();
                    break;
                case 3:
                    await relay.RestartAsync();
                    break;
                case 4:
                    // One stays away for a while; its pages may have gone meanwhile.
                    await running[1].Stop.CancelAsync();
                    await running[1].Work;
                    for (var i = 0; i < 5; i++)
                        source.Change();
                    running[1] = Start(running[1].File);
                    break;
                default:
                    source.Change();
                    break;
            }

            await Task.Delay(random.Next(3) == 0 ? random.Next(60) : 0, Cancel);
        }

        source.Change();
        foreach (var follower in running)
        {
            await Eventually.TrueAsync(() =>
            {
                Assert.False(follower.Work.IsFaulted, follower.Work.Exception?.ToString());
                return Equal(follower.File, source);
            });
        }

        // The heartbeats come in pages too.
        await Eventually.TrueAsync(() => cache.Shared > 0);
        await stop.CancelAsync();
        await Task.WhenAll(running.Select(follower => follower.Work));

        (string File, CancellationTokenSource Stop, Task Work) Start(string file)
        {
            var own = CancellationTokenSource.CreateLinkedTokenSource(stop.Token);
            return (file, own, FollowAsync(feed, file, own.Token));
        }
    }

    [Fact]
    public async Task A_filtered_client_has_what_fits_the_filter()
    {
        var random = new Random(99);
        using var source = new RandomTable(random);
        await using var relay = await Relay.StartAsync(source.Path);
        using var folder = new TempFolder();
        for (var round = 0; round < 6; round++)
        {
            for (var i = 0; i < 4; i++)
                source.Change();
            await SyncOnceAsync(new Uri(relay.Uri, "?where=value%3C50"), folder["some.db"]);
            Assert.Equal(source.Live.Where(r => ValueOf(r.Value) < 50).Select(r => r.Key), SyncRun.Read(folder["some.db"]).Keys);
        }

        static int ValueOf(string json) => System.Text.Json.JsonDocument.Parse(json).RootElement.GetProperty("value").GetInt32();
    }

    [Fact]
    public async Task A_relay_of_a_relay_has_the_table_too()
    {
        using var source = new RandomTable(new Random(7));
        source.Change();
        await using var first = await Relay.StartAsync(source.Path);
        using var folder = new TempFolder();
        await SyncOnceAsync(first.Uri, folder["a.db"]);
        await using var second = await Relay.StartAsync(folder["a.db"]);
        for (var round = 0; round < 5; round++)
        {
            source.Change();
            await SyncOnceAsync(first.Uri, folder["a.db"]);
            await SyncOnceAsync(second.Uri, folder["b.db"]);
            Assert.Equal(source.Live, SyncRun.Read(folder["b.db"]));
        }
    }

    private static bool Equal(string file, RandomTable source) => Table.IsTable(file) && source.Live.SequenceEqual(SyncRun.Read(file));

    private static async Task ConvergeAsync(Uri uri, string file, RandomTable source)
    {
        await SyncOnceAsync(uri, file);
        Assert.Equal(source.Live, SyncRun.Read(file));
    }

    private static async Task SyncOnceAsync(Uri uri, string file)
    {
        // An empty feed creates no table; then there is nothing to compare either.
        var run = await SyncRun.ToEndAsync(Options(uri, file, follow: false));
        Assert.Equal(SyncEndReason.CaughtUp, run.Result.EndReason);
    }

    private static async Task FollowAsync(Uri uri, string file, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var _ in new TableSync(Options(uri, file, follow: true)).RunAsync(cancellationToken)) { }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The end of the test.
        }
    }

    private static SyncOptions Options(Uri uri, string file, bool follow) =>
        new()
        {
            Feed = new FeedOptions { Uri = uri, CursorStyle = CursorStyle.Query },
            Store = new FileTableStore(file),
            TableName = "copy",
            Dialect = Dialect.Transaction,
            Follow = follow,
            RetryInterval = TimeSpan.FromMilliseconds(10),
            MaximumRetryCount = follow ? null : 5,
        };

    /// <summary>A served table file; a restart keeps the address.</summary>
    private sealed class Relay : IFeedSource
    {
        private readonly string _path;
        private TableFeed _feed;
        private FeedServer? _server;

        private Relay(string path, TableFeed feed) => (_path, _feed) = (path, feed);

        public Uri Uri => new(_server!.Uri, "table");

        public string Name => "table";

        public static async Task<Relay> StartAsync(string path, bool shareUpdates = false)
        {
            var relay = new Relay(path, await OpenAsync(path));
            relay._server = await FeedServer.StartAsync(
                [relay],
                new FeedServerOptions { HeartbeatInterval = TimeSpan.FromMilliseconds(200), ShareUpdates = shareUpdates },
                cancellationToken: Cancel
            );
            return relay;
        }

        public async Task RestartAsync()
        {
            var old = _feed;
            _feed = await OpenAsync(_path);
            await old.DisposeAsync();
        }

        public ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken) => _feed.GetStateAsync(cancellationToken);

        public ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken) =>
            _feed.OpenAsync(request, cancellationToken);

        public ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken) =>
            _feed.ReadPageAsync(request, cancellationToken);

        public async ValueTask DisposeAsync()
        {
            if (_server is { } server)
            {
                _server = null;
                await server.DisposeAsync();
            }

            await _feed.DisposeAsync();
        }

        private static Task<TableFeed> OpenAsync(string path) =>
            TableFeed.StartAsync(
                new TableFeedOptions
                {
                    Path = path,
                    PollInterval = TimeSpan.FromMilliseconds(3),
                    PageBytes = 1024,
                    LiveBytes = 4096,
                },
                cancellationToken: Cancel
            );
    }

    /// <summary>A table to which everything that a sync can do happens at random.</summary>
    private sealed class RandomTable : IDisposable
    {
        private readonly TestTable _table = new();
        private readonly Random _random;
        private long _order = 1;

        public RandomTable(Random random)
        {
            _random = random;
            _table.EndSync();
        }

        public string Path => _table.Path;

        public IReadOnlyDictionary<string, string> Live => _table.Live;

        public void Change() =>
            _table.Apply(Enumerable.Range(0, _random.Next(1, 12)).Select(_ => Record(_random.Next(Keys), _random.Next(4) == 0)));

        public void Resync(bool isAnotherFeed)
        {
            if (isAnotherFeed)
                _order = 1;
            _table.Snapshot(
                isAnotherFeed ? SnapshotEnding.Sweep | SnapshotEnding.ForgetOrder : SnapshotEnding.Sweep,
                Enumerable.Range(0, Keys).Where(_ => _random.Next(2) == 0).Select(id => Record(id, isDeleted: false)).ToList()
            );
        }

        public void ClearTombstones() => _table.Writer.ClearTombstones(Cursor.Parse($"{_random.NextInt64(_order + 1)}"));

        public void Clear()
        {
            _table.Writer.Clear();
            _table.Reopen();
            Change();
        }

        public void Remake()
        {
            _table.Writer.Dispose();
            _table.Table.Remove();
            _table.Reopen();
            Change();
        }

        public void Dispose() => _table.Dispose();

        private string Record(int id, bool isDeleted)
        {
            // Some come late: their order value is below the table's.
            var order = _random.Next(5) == 0 ? _order : ++_order;
            return $$"""{"id":{{id}},"updated_at":{{order}},"deleted_at":{{(isDeleted ? order : "null")}},"value":{{_random.Next(100)}}}""";
        }
    }
}
