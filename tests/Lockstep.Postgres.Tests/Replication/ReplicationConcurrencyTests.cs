using System.Globalization;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Feed;
using Lockstep.Testing;
using Npgsql;

namespace Lockstep.Postgres.Tests.Replication;

/// <summary>
/// The proof that nothing is lost: writers run transactions at random (long, short, aborted, prepared, ending out of order) while clients
/// come and go and the feed's process is replaced; when the writers are done, every client's table equals the database. LOCKSTEP_SEEDS sets
/// the number of seeds.
/// </summary>
public sealed class ReplicationConcurrencyTests(LogicalPostgres postgres) : IClassFixture<LogicalPostgres>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<int> Seeds =>
        [.. Enumerable.Range(1, int.Parse(Environment.GetEnvironmentVariable("LOCKSTEP_SEEDS") ?? "6", CultureInfo.InvariantCulture))];

    [Theory(Timeout = 300_000)]
    [MemberData(nameof(Seeds))]
    public async Task Every_clients_table_equals_the_database_in_the_end(int seed)
    {
        using var folder = new TempFolder();
        await using var db = await postgres.CreateAsync(
            seed % 3 == 0
                ? "CREATE TABLE items (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE TABLE items_a PARTITION OF "
                    + "items FOR VALUES FROM (0) TO (20);"
                    + "CREATE TABLE items_b PARTITION OF items DEFAULT"
                : "CREATE TABLE items (id int PRIMARY KEY, v int)"
        );
        if (seed % 4 == 1)
            await db.RunAsync("ALTER TABLE items REPLICA IDENTITY FULL");

        // A small live log in half of the runs, so that clients are at every stage of the way.
        var options = LogicalPostgres.Options(folder) with
        {
            LiveBytes = seed % 2 == 0 ? 2048 : 16 << 20,
            MaxReaders = 3,
            PollInterval = TimeSpan.FromMilliseconds(30),
        };
        var feed = new Restartable(db.ConnectionString, options);
        await feed.StartAsync();
        try
        {
            using var done = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            var writers = Enumerable
                .Range(0, 5)
                .Select(i => Task.Run(() => RandomWriter.WriteAsync(db, new Random((seed * 100) + i), i, canPrepare: true), Cancel))
                .ToArray();
            var clients = Enumerable
                .Range(0, 6)
                .Select(i => Task.Run(() => FollowAsync(feed, new Random((seed * 1000) + i), done.Token), Cancel))
                .ToArray();
            var writing = Task.WhenAll(writers);
            while (!writing.IsCompleted)
            {
                await feed.RestartAsync();
                await Task.WhenAny(writing, Task.Delay(300, Cancel));
            }

            await writing;
            await done.CancelAsync();
            var expected = await db.RowsAsync("items");
            foreach (var follower in await Task.WhenAll(clients))
            {
                await LogicalPostgres.CatchUpAsync(follower, db, Cancel);
                Assert.Equal(expected, follower.Rows);
                Assert.Equal(0, follower.Resyncs);
            }
        }
        finally
        {
            await feed.DisposeAsync();
        }
    }

    /// <summary>A client that is cut off at random places, and sometimes by the end of the feed's process.</summary>
    private static async Task<Follower> FollowAsync(Restartable feed, Random random, CancellationToken done)
    {
        var follower = new Follower(feed);
        while (!done.IsCancellationRequested)
        {
            try
            {
                var chunks = random.Next(1, 30);
                await follower.ReadAsync(_ => --chunks <= 0, done);
            }
            catch (Exception e) when (e is OperationCanceledException or FeedUnavailableException or ObjectDisposedException)
            {
                // The writers are done, or the feed is being replaced.
                await Task.Delay(5, CancellationToken.None);
            }
        }

        return follower;
    }

    /// <summary>A feed whose process ends and restarts on the same log and slot.</summary>
    private sealed class Restartable(string connectionString, PostgresFeedOptions options) : IFeedSource
    {
        private volatile PostgresFeed? _feed;

        public string Name => "items";

        private PostgresFeed Feed => _feed ?? throw new FeedUnavailableException("The feed is being replaced.", TimeSpan.FromSeconds(1));

        public async Task StartAsync() => _feed = await PostgresFeed.StartAsync(connectionString, options, cancellationToken: Cancel);

        public async Task RestartAsync()
        {
            await DisposeAsync();
            await StartAsync();
        }

        public ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken) => Feed.GetStateAsync(cancellationToken);

        public ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken) =>
            Feed.OpenAsync(request, cancellationToken);

        public ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public async ValueTask DisposeAsync()
        {
            var feed = _feed;
            _feed = null;
            if (feed is not null)
                await feed.DisposeAsync();
        }
    }
}
