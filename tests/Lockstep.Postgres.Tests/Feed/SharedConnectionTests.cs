using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>Feeds of one database share its connections, and none polls while nobody follows it.</summary>
public sealed class SharedConnectionTests(SharedPostgres postgres)
{
    private const string Polls = "lockstep.feed.polls";
    private const string Connections =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'lockstep'";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact(Timeout = 300_000)]
    public async Task Two_hundred_tables_that_are_followed_take_five_connections()
    {
        const int Tables = 200;
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync(
            $"DO $$ BEGIN FOR i IN 1..{Tables} LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, name text)', i); END LOOP; END $$"
        );
        List<PostgresFeed> feeds = [];
        try
        {
            for (var i = 1; i <= Tables; i++)
            {
                var table = new TableName(null, $"t{i}");
                await PostgresTracking.EnableAsync(db.ConnectionString, table, new TrackingOptions { Wake = i % 2 == 0 }, Cancel);
                feeds.Add(
                    await PostgresFeed.StartAsync(db.ConnectionString, new PostgresFeedOptions { Table = table }, cancellationToken: Cancel)
                );
            }

            var followers = feeds.ConvertAll(feed => new Follower(feed));
            var reading = await Task.WhenAll(followers.Select(f => f.FollowAsync(rows: 2, Cancel)));
            await db.RunAsync(
                $"DO $$ BEGIN FOR i IN 1..{Tables} LOOP EXECUTE format('INSERT INTO t%s VALUES (1, $1)', i) USING 'one'; END LOOP; END $$"
            );
            await Eventually.TrueAsync(async () => int.Parse(await db.ScalarAsync(Connections)) <= 5);
            await db.RunAsync(
                $"DO $$ BEGIN FOR i IN 1..{Tables} LOOP EXECUTE format('INSERT INTO t%s VALUES (2, $1)', i) USING 'two'; END LOOP; END $$"
            );
            await Task.WhenAll(reading);
            Assert.InRange(int.Parse(await db.ScalarAsync(Connections)), 1, 5);
        }
        finally
        {
            foreach (var feed in feeds)
                await feed.DisposeAsync();
        }

        // A backend is listed for a moment after its connection is closed.
        await Eventually.TrueAsync(async () => await db.ScalarAsync(Connections) == "0");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Nothing_is_read_while_nobody_follows(bool wake)
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync(
            "CREATE TABLE items (id int PRIMARY KEY); CREATE TABLE base (id int PRIMARY KEY); CREATE VIEW clock AS SELECT "
                + "1 AS id, clock_timestamp() AS t"
        );
        await PostgresTracking.EnableAsync(db.ConnectionString, new TableName(null, "items"), new TrackingOptions { Wake = wake }, Cancel);
        using var idle = new FeedMeasurements("idle");
        using var busy = new FeedMeasurements("busy");
        await using var feed = await StartAsync(db, "items", "idle");
        await using var other = await StartAsync(db, "clock", "busy");
        var follower = new Follower(feed);
        await follower.ReadAsync(chunk => chunk.Kind == FeedChunkKind.CaughtUp, Cancel);

        // The other one, which has a follower, shows that there was enough time.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var reading = new Follower(other).ReadAsync(_ => false, stop.Token);
        await SpanAsync();
        var polls = idle.Sum(Polls);
        await db.RunAsync("INSERT INTO items VALUES (1)");
        await SpanAsync();
        Assert.Equal(polls, idle.Sum(Polls));
        Assert.Equal(TimeSpan.Zero, feed.HorizonLag.Age);

        // A request sees the current state, and a client that comes back misses nothing.
        Assert.True((await feed.GetStateAsync(Cancel)).Horizon > follower.Cursor);
        await (await follower.FollowAsync(rows: 1, Cancel));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);

        Task SpanAsync()
        {
            var end = busy.Sum(Polls) + 20;
            return Eventually.TrueAsync(() => busy.Sum(Polls) >= end);
        }
    }

    [Fact]
    public async Task A_table_that_somebody_has_locked_holds_up_no_other()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        List<PostgresFeed> feeds = [];
        foreach (var name in new[] { "a", "b", "c", "d" })
        {
            await db.RunAsync($"CREATE TABLE {name} (id int PRIMARY KEY)");
            await PostgresTracking.EnableAsync(db.ConnectionString, new TableName(null, name), cancellationToken: Cancel);
            feeds.Add(await StartAsync(db, name, name));
        }

        var followers = feeds.ConvertAll(f => new Follower(f));
        var reading = await Task.WhenAll(followers.Select(f => f.FollowAsync(rows: 1, Cancel)));
        await using (var connection = await db.ConnectAsync())
        {
            await connection.ExecuteAsync("BEGIN; LOCK TABLE a, b, c IN ACCESS EXCLUSIVE MODE; INSERT INTO a VALUES (1)", Cancel);
            await db.RunAsync("INSERT INTO d VALUES (1)");
            await reading[3];
            Assert.All(feeds, feed => Assert.Null(feed.Error));
            await connection.ExecuteAsync("INSERT INTO b VALUES (1); INSERT INTO c VALUES (1); COMMIT", Cancel);
        }

        await Task.WhenAll(reading);
        foreach (var feed in feeds)
            await feed.DisposeAsync();
    }

    private static Task<PostgresFeed> StartAsync(TestDatabase db, string table, string name) =>
        PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions
            {
                Table = new TableName(null, table),
                Name = name,
                PollInterval = TimeSpan.FromMilliseconds(20),
            },
            cancellationToken: Cancel
        );
}
