using System.Globalization;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Feed;
using Lockstep.Testing;
using Npgsql;

namespace Lockstep.Postgres.Tests.Replication;

/// <summary>
/// The proof that nothing is lost: writers run transactions at random (long, short, aborted, prepared, ending out of order) while clients come and go and the feed's process is
/// replaced; when the writers are done every client's table equals the database. LOCKSTEP_SEEDS sets how many seeds are tried.
/// </summary>
public sealed class ReplicationConcurrencyTests(LogicalPostgres postgres) : IClassFixture<LogicalPostgres>
{
    private const int Keys = 40;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<int> Seeds =>
        [.. Enumerable.Range(1, int.Parse(Environment.GetEnvironmentVariable("LOCKSTEP_SEEDS") ?? "6", CultureInfo.InvariantCulture))];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Every_clients_table_equals_the_database_in_the_end(int seed)
    {
        using var folder = new TempFolder();
        await using var db = await postgres.CreateAsync(seed % 3 == 0
            ? "CREATE TABLE items (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE TABLE items_a PARTITION OF items FOR VALUES FROM (0) TO (20);"
                + "CREATE TABLE items_b PARTITION OF items DEFAULT"
            : "CREATE TABLE items (id int PRIMARY KEY, v int)");
        if (seed % 4 == 1) await db.RunAsync("ALTER TABLE items REPLICA IDENTITY FULL");

        // A small live log in half of the runs, so that clients are at every stage of the way.
        var options = LogicalPostgres.Options(folder) with { LiveBytes = seed % 2 == 0 ? 2048 : 16 << 20, MaxReaders = 3, PollInterval = TimeSpan.FromMilliseconds(30) };
        var feed = new Restartable(db.ConnectionString, options);
        await feed.StartAsync();
        try
        {
            using var done = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            var writers = Enumerable.Range(0, 5).Select(i => Task.Run(() => WriteAsync(db, new Random((seed * 100) + i), i), Cancel)).ToArray();
            var clients = Enumerable.Range(0, 6).Select(i => Task.Run(() => FollowAsync(feed, new Random((seed * 1000) + i), done.Token), Cancel)).ToArray();
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

    private static async Task WriteAsync(TestDatabase db, Random random, int writer)
    {
        await using var connection = await db.ConnectAsync();
        for (var n = 0; n < 40; n++)
        {
            try
            {
                await connection.ExecuteAsync(random.Next(3) == 0 ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "BEGIN", Cancel);
                for (var i = random.Next(1, 6); i > 0; i--)
                {
                    await connection.ExecuteAsync(Statement(random), Cancel);
                    if (random.Next(4) == 0) await Task.Delay(random.Next(random.Next(10) == 0 ? 60 : 6), Cancel);
                }

                await EndAsync(connection, random, $"{writer}-{n}");
            }
            catch (PostgresException e) when (e.SqlState is "40001" or "40P01" or "23505")
            {
                await connection.ExecuteAsync("ROLLBACK", Cancel);
            }
        }
    }

    private static async Task EndAsync(NpgsqlConnection connection, Random random, string name)
    {
        switch (random.Next(10))
        {
            case 0:
                await connection.ExecuteAsync("ROLLBACK", Cancel);
                break;
            case 1:
                await connection.ExecuteAsync($"PREPARE TRANSACTION '{name}'", Cancel);
                await Task.Delay(random.Next(30), Cancel);
                await connection.ExecuteAsync($"{(random.Next(3) == 0 ? "ROLLBACK" : "COMMIT")} PREPARED '{name}'", Cancel);
                break;
            default:
                await connection.ExecuteAsync("COMMIT", Cancel);
                break;
        }
    }

    private static string Statement(Random random)
    {
        var id = random.Next(Keys);
        return random.Next(8) switch
        {
            0 => $"DELETE FROM items WHERE id = {id}",
            1 => $"DELETE FROM items WHERE id BETWEEN {id} AND {id + 4}",
            2 => $"UPDATE items SET id = {random.Next(Keys)} WHERE id = {id} AND NOT EXISTS (SELECT FROM items WHERE id = {id} + 1)",
            3 => $"SAVEPOINT s; UPDATE items SET v = -1 WHERE id = {id}; ROLLBACK TO s",
            4 => $"SAVEPOINT s; UPDATE items SET v = v + 1 WHERE id = {id}; RELEASE s",
            5 => $"UPDATE items SET v = v + 1 WHERE id % 7 = {id % 7}",
            _ => $"INSERT INTO items VALUES ({id}, {random.Next(1000)}) ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v",
        };
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

    /// <summary>A feed whose process ends and is started again on the same log and slot.</summary>
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

        public ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken) => Feed.OpenAsync(request, cancellationToken);

        public ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken) => throw new NotSupportedException();

        public async ValueTask DisposeAsync()
        {
            var feed = _feed;
            _feed = null;
            if (feed is not null) await feed.DisposeAsync();
        }
    }
}
