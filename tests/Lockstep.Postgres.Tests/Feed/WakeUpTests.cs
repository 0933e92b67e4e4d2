using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>Notifications wake the poller. The interval is an hour throughout: whatever arrives did not wait for it.</summary>
public sealed class WakeUpTests(SharedPostgres postgres)
{
    private const string Polls = "lockstep.feed.polls";
    private static readonly TableName Items = new(null, "items");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_change_wakes_the_poller_that_listens_and_no_other()
    {
        await using var db = await TrackedAsync(wake: true);
        using var deaf = new FeedMeasurements("deaf");
        await using var sleeper = await StartAsync(db, "deaf", listen: false);
        await using var feed = await StartAsync(db, "woken", listen: true);
        await FollowAsync(feed, db);

        // The one that listens has received the notification, and the other one would have.
        Assert.Equal(1, deaf.Sum(Polls));
        var follower = new Follower(sleeper);
        await follower.ReadAsync(chunk => chunk.Kind == FeedChunkKind.SnapshotCompleted, Cancel);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
    }

    [Fact]
    public async Task Every_listen_is_followed_by_a_poll_for_what_went_unheard_before_it()
    {
        await using var db = await TrackedAsync(wake: true);
        using var metrics = new FeedMeasurements("listens");
        await using var feed = await StartAsync(db, "listens", listen: true);
        var follower = new Follower(feed);
        var reading = await follower.FollowAsync(rows: 1, Cancel);

        // At the start, for the client that connected, and when notifications arrive.
        await ReachedAsync(metrics, 3);

        // What is committed while they do not arrives after the next connection, which makes the feed look once it listens.
        var polls = metrics.Sum(Polls);
        var server = await postgres.GetAsync(Cancel);
        var name = await db.ScalarAsync("SELECT current_database()");
        await using (var inside = await db.ConnectAsync())
        {
            await server.RunSqlAsync($"ALTER DATABASE {name} ALLOW_CONNECTIONS false", Cancel);
            await inside.ExecuteAsync(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = current_database() AND "
                    + "application_name = 'lockstep'",
                Cancel
            );
            await inside.ExecuteAsync("INSERT INTO items VALUES (1, 'unheard')", Cancel);
        }

        await server.RunSqlAsync($"ALTER DATABASE {name} ALLOW_CONNECTIONS true", Cancel);
        await reading;
        await ReachedAsync(metrics, polls + 2);
    }

    [Fact]
    public async Task Without_wake_ups_a_table_takes_prepared_transactions_which_they_forbid()
    {
        await using var server = await PostgresServer.StartAsync(Cancel, "max_prepared_transactions=2");
        await using var db = TestDatabase.Open(server.ConnectionString);
        await MakeAsync(db, wake: false);
        await using var feed = await StartAsync(db, "unwoken", listen: true);
        await db.RunAsync("BEGIN; INSERT INTO items VALUES (1, 'prepared'); PREPARE TRANSACTION 'one'");
        await db.RunAsync("COMMIT PREPARED 'one'");
        var follower = new Follower(feed);
        await follower.ReadAsync(chunk => chunk.Kind == FeedChunkKind.SnapshotCompleted, Cancel);
        Assert.Single(follower.Rows);

        await PostgresTracking.DisableAsync(db.ConnectionString, Items, Cancel);
        await PostgresTracking.EnableAsync(db.ConnectionString, Items, new TrackingOptions { Wake = true }, Cancel);
        var refused = await Assert.ThrowsAsync<Npgsql.PostgresException>(() =>
            db.RunAsync("BEGIN; INSERT INTO items VALUES (2, 'prepared'); PREPARE TRANSACTION 'two'")
        );
        Assert.Equal("0A000", refused.SqlState);
    }

    private static async Task FollowAsync(PostgresFeed feed, TestDatabase db)
    {
        var follower = new Follower(feed);
        var reading = await follower.FollowAsync(rows: 3, Cancel);
        for (var i = 1; i <= 3; i++)
            await db.RunAsync($"INSERT INTO items VALUES ({i}, 'heard')");
        await reading;
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
    }

    private static Task ReachedAsync(FeedMeasurements metrics, long polls) => Eventually.TrueAsync(() => metrics.Sum(Polls) >= polls);

    private static Task<PostgresFeed> StartAsync(TestDatabase db, string name, bool listen) =>
        PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions
            {
                Table = Items,
                Name = name,
                PollInterval = TimeSpan.FromHours(1),
                Listen = listen,
            },
            cancellationToken: Cancel
        );

    private static async Task MakeAsync(TestDatabase db, bool wake)
    {
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, name text)");
        await PostgresTracking.EnableAsync(db.ConnectionString, Items, new TrackingOptions { Wake = wake }, Cancel);
    }

    private async Task<TestDatabase> TrackedAsync(bool wake)
    {
        var db = await TestDatabase.CreateAsync(postgres);
        await MakeAsync(db, wake);
        return db;
    }
}
