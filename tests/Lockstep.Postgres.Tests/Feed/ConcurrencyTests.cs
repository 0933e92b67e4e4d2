using System.Globalization;
using Lockstep.Engine.Serving;
using Lockstep.Testing;
using Npgsql;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>
/// The proof that nothing is lost: writers run transactions at random (long, short, aborted, prepared, at several isolation levels, committing out of order) while clients come and go;
/// when the writers are done every client's table equals the database. LOCKSTEP_SEEDS sets how many seeds are tried.
/// </summary>
public sealed class ConcurrencyTests : IClassFixture<ConcurrencyTests.Server>
{
    private const int Keys = 40;
    private readonly Server _server;

    public ConcurrencyTests(Server server) => _server = server;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<int> Seeds =>
        [.. Enumerable.Range(1, int.Parse(Environment.GetEnvironmentVariable("LOCKSTEP_SEEDS") ?? "6", CultureInfo.InvariantCulture))];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Every_clients_table_equals_the_database_in_the_end(int seed)
    {
        await using var db = TestDatabase.Open(await _server.CreateDatabaseAsync());
        var partitioned = seed % 3 == 0;
        var wake = seed % 2 == 0;
        await db.RunAsync(partitioned
            ? "CREATE TABLE items (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE TABLE items_a PARTITION OF items FOR VALUES FROM (0) TO (20);"
                + "CREATE TABLE items_b PARTITION OF items DEFAULT"
            : "CREATE TABLE items (id int PRIMARY KEY, v int)");
        await PostgresTracking.EnableAsync(db.ConnectionString, new TableName(null, "items"), wake, Cancel);

        // Small pages and a small log, so that clients are at every stage of the way.
        var options = new PostgresFeedOptions
        {
            Table = new TableName(null, "items"), PollInterval = TimeSpan.FromMilliseconds(7), LiveBytes = seed % 4 == 0 ? 4096 : 16 << 20, MaxReaders = 3,
        };
        await using var one = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
        await using var other = await PostgresFeed.StartAsync(db.ConnectionString, options with { Listen = false }, cancellationToken: Cancel);

        using var done = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var writers = Enumerable.Range(0, 5).Select(i => Task.Run(() => WriteAsync(db, new Random((seed * 100) + i), i, canPrepare: !wake), Cancel)).ToArray();
        var clients = Enumerable.Range(0, 6).Select(i => Task.Run(() => FollowAsync([one, other], new Random((seed * 1000) + i), done.Token), Cancel)).ToArray();
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

    private static async Task WriteAsync(TestDatabase db, Random random, int writer, bool canPrepare)
    {
        await using var connection = await db.ConnectAsync();
        for (var n = 0; n < 40; n++)
        {
            var isolation = random.Next(3) switch { 0 => "REPEATABLE READ", 1 => "SERIALIZABLE", _ => "READ COMMITTED" };
            try
            {
                await connection.ExecuteAsync($"BEGIN ISOLATION LEVEL {isolation}", Cancel);
                for (var i = random.Next(1, 6); i > 0; i--)
                {
                    await connection.ExecuteAsync(Statement(random), Cancel);
                    if (random.Next(4) == 0) await Task.Delay(random.Next(random.Next(10) == 0 ? 60 : 6), Cancel);
                }

                await EndAsync(connection, random, $"{writer}-{n}", canPrepare);
            }
            catch (PostgresException e) when (e.SqlState is "40001" or "40P01" or "23505")
            {
                await connection.ExecuteAsync("ROLLBACK", Cancel);
            }
        }
    }

    private static async Task EndAsync(NpgsqlConnection connection, Random random, string name, bool canPrepare)
    {
        switch (random.Next(10))
        {
            case 0:
                await connection.ExecuteAsync("ROLLBACK", Cancel);
                break;
            case 1 when canPrepare:
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
        return random.Next(9) switch
        {
            0 => $"DELETE FROM items WHERE id = {id}",
            1 => $"DELETE FROM items WHERE id BETWEEN {id} AND {id + 4}",
            2 => $"UPDATE items SET id = {random.Next(Keys)} WHERE id = {id} AND NOT EXISTS (SELECT FROM items WHERE id = {id} + 1)",
            3 => $"SAVEPOINT s; UPDATE items SET v = -1 WHERE id = {id}; ROLLBACK TO s",
            4 => $"SAVEPOINT s; UPDATE items SET v = v + 1 WHERE id = {id}; RELEASE s",
            5 => "SELECT pg_current_xact_id()",
            6 => $"UPDATE items SET v = v + 1 WHERE id % 7 = {id % 7}",
            _ => $"INSERT INTO items VALUES ({id}, {random.Next(1000)}) ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v",
        };
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
            catch (OperationCanceledException) when (done.IsCancellationRequested)
            {
            }
            catch (FeedBehindException)
            {
                // The other server has not looked since: as a replica that lags.
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

        public ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken) => throw new NotSupportedException();

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
            if (_server is not null) await _server.DisposeAsync();
        }
    }
}
