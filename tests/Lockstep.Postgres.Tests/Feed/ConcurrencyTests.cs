using System.Globalization;
using Lockstep.Engine.Serving;
using Lockstep.Testing;
using Npgsql;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>
/// The proof that nothing is lost: writers run transactions at random (long, short, aborted, prepared, at several isolation levels,
/// committing out of order) while clients come and go; when the writers are done, every client's table equals the database. LOCKSTEP_SEEDS
/// sets the number of seeds.
/// </summary>
public sealed class ConcurrencyTests : IClassFixture<ConcurrencyTests.Server>
{
    private readonly Server _server;

    public ConcurrencyTests(Server server) => _server = server;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<int> Seeds =>
        [.. Enumerable.Range(1, int.Parse(Environment.GetEnvironmentVariable("LOCKSTEP_SEEDS") ?? "6", CultureInfo.InvariantCulture))];

    [Theory(Timeout = 300_000)]
    [MemberData(nameof(Seeds))]
    public async Task Every_clients_table_equals_the_database_in_the_end(int seed)
    {
        await using var db = TestDatabase.Open(await _server.CreateDatabaseAsync());
        var partitioned = seed % 3 == 0;
        var wake = seed % 2 == 0;
        await db.RunAsync(
            partitioned
                ? "CREATE TABLE items (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE TABLE items_a PARTITION OF "
                    + "items FOR VALUES FROM (0) TO (20);"
                    + "CREATE TABLE items_b PARTITION OF items DEFAULT"
                : "CREATE TABLE items (id int PRIMARY KEY, v int)"
        );
        await PostgresTracking.EnableAsync(db.ConnectionString, new TableName(null, "items"), new TrackingOptions { Wake = wake }, Cancel);

        // Small pages and a small log, so that clients are at every stage of the way.
        var options = new PostgresFeedOptions
        {
            Table = new TableName(null, "items"),
            PollInterval = TimeSpan.FromMilliseconds(7),
            LiveBytes = seed % 4 == 0 ? 4096 : 16 << 20,
            MaxReaders = 3,
        };
        await using var one = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
        await using var other = await PostgresFeed.StartAsync(
            db.ConnectionString,
            options with
            {
                Listen = false,
            },
            cancellationToken: Cancel
        );

        using var done = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var writers = Enumerable
            .Range(0, 5)
            .Select(i => Task.Run(() => RandomWriter.WriteAsync(db, new Random((seed * 100) + i), i, canPrepare: !wake), Cancel))
            .ToArray();
        var clients = Enumerable
            .Range(0, 6)
            .Select(i => Task.Run(() => FollowAsync([one, other], new Random((seed * 1000) + i), done.Token), Cancel))
            .ToArray();
        await Task.WhenAll(writers);
        await done.CancelAsync();
        var followers = await Task.WhenAll(clients);

        var horizon = long.Parse(await db.ScalarAsync("SELECT pg_snapshot_xmax(pg_current_snapshot())"), CultureInfo.InvariantCulture);
        var expected = await db.RowsAsync("items");
        foreach (var follower in followers)
        {
            await follower.CatchUpAsync(horizon, Cancel);
            Assert.Equal(expected, follower.Rows);
            Assert.Equal(0, follower.Resyncs);
        }
    }

    /// <summary>A client that connects to either server, is cut off at random places, and sometimes starts over.</summary>
    private static async Task<Follower> FollowAsync(PostgresFeed[] feeds, Random random, CancellationToken done)
    {
        var follower = new Follower(new EitherFeed(feeds, random));
        while (!done.IsCancellationRequested)
        {
            try
            {
                var chunks = random.Next(1, 30);
                await follower.ReadAsync(_ => --chunks <= 0, done);
            }
            catch (OperationCanceledException) when (done.IsCancellationRequested) { }
            catch (FeedBehindException)
            {
                // The other server has not looked since: like a lagging replica.
                await Task.Delay(5, CancellationToken.None);
            }
        }

        return follower;
    }

    /// <summary>Two servers over one database, behind a load balancer.</summary>
    private sealed class EitherFeed(PostgresFeed[] feeds, Random random) : IFeedSource
    {
        public string Name => "items";

        public ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken) => feeds[0].GetStateAsync(cancellationToken);

        public async ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken)
        {
            while (true)
            {
                try
                {
                    return await feeds[random.Next(feeds.Length)].OpenAsync(request, cancellationToken);
                }
                catch (FeedBehindException)
                {
                    await Task.Delay(5, cancellationToken);
                }
            }
        }

        public ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    public sealed class Server : IAsyncDisposable
    {
        private PostgresServer? _server;

        public async Task<string> CreateDatabaseAsync()
        {
            _server ??= await PostgresServer.StartAsync(Cancel, "max_prepared_transactions=20");
            return await _server.CreateDatabaseAsync(Cancel);
        }

        public async ValueTask DisposeAsync()
        {
            if (_server is not null)
                await _server.DisposeAsync();
        }
    }
}
