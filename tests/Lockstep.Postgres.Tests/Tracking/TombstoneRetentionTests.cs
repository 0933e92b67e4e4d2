using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Feed;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Tracking;

public sealed class TombstoneRetentionTests(SharedPostgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_client_that_missed_a_tombstone_that_was_cleared_starts_over_and_the_others_go_on()
    {
        await using var items = await TableCase.MakeAsync(postgres, "CREATE TABLE items (id int PRIMARY KEY)");
        await items.Db.RunAsync("INSERT INTO items VALUES (1), (2), (3)");
        await items.ServeAsync();
        await items.CatchUpAsync();
        var away = new Follower(items.Feed);
        await away.ReadAsync(chunk => chunk.Kind == FeedChunkKind.SnapshotCompleted, Cancel);
        await items.Db.RunAsync("DELETE FROM items WHERE id = 1");
        await items.CatchUpAsync();

        Assert.Equal(0, await ClearAsync(items.Db, TimeSpan.FromHours(1)));
        Assert.Equal(1, await ClearAsync(items.Db, TimeSpan.Zero, run: false));
        Assert.Equal("1", await items.Db.ScalarAsync("SELECT count(*) FROM lockstep.\"public.items\""));
        Assert.Equal(1, await ClearAsync(items.Db, TimeSpan.Zero));
        Assert.Equal("0", await items.Db.ScalarAsync("SELECT count(*) FROM lockstep.\"public.items\""));

        await items.CatchUpAsync();
        Assert.Equal(0, items.Client.Resyncs);
        await away.ReadAsync(chunk => chunk.Kind == FeedChunkKind.CaughtUp, Cancel);
        Assert.Equal(1, away.Resyncs);
        Assert.Equal(await items.Db.RowsAsync("items"), away.Rows);
    }

    [Fact]
    public async Task Who_follows_misses_no_deletion_whose_tombstone_is_cleared_before_the_next_poll()
    {
        await using var items = await TableCase.MakeAsync(postgres, "CREATE TABLE items (id int PRIMARY KEY)");
        await items.Db.RunAsync("INSERT INTO items VALUES (1), (2), (3)");

        // Polls begin a second after a change.
        await using var feed = await PostgresFeed.StartAsync(
            items.Db.ConnectionString,
            new PostgresFeedOptions { Table = TableCase.Items, PollInterval = TimeSpan.FromSeconds(64) },
            cancellationToken: Cancel
        );
        var client = new Follower(feed);
        var reading = await client.FollowAsync(rows: 2, Cancel);
        await items.Db.RunAsync("DELETE FROM items WHERE id = 1");
        await Eventually.TrueAsync(async () => await ClearAsync(items.Db, TimeSpan.Zero) == 1);
        try
        {
            await reading;
        }
        catch (FeedCursorExpiredException)
        {
            await client.ReadAsync(_ => client.Rows.Count == 2, Cancel);
        }

        Assert.Equal(await items.Db.RowsAsync("items"), client.Rows);
    }

    [Fact]
    public async Task Tombstones_of_an_earlier_version_begin_to_age_when_they_are_first_looked_at()
    {
        await using var items = await TableCase.MakeAsync(postgres, "CREATE TABLE items (id int PRIMARY KEY)");
        await items.Db.RunAsync("INSERT INTO items VALUES (1), (2)");
        await items.Db.RunAsync("DELETE FROM items WHERE id = 1");
        await items.Db.RunAsync(
            "ALTER TABLE lockstep.tracked DROP COLUMN tombstone_floor; ALTER TABLE lockstep.\"public.items\" DROP COLUMN lockstep_at"
        );
        Assert.Equal(0, await ClearAsync(items.Db, TimeSpan.FromHours(1)));

        // Other tests' transactions on the same server hold it for a while.
        await Eventually.TrueAsync(async () => await ClearAsync(items.Db, TimeSpan.Zero) == 1);
        Assert.Equal(0, await ClearAsync(items.Db, TimeSpan.Zero));
    }

    [Fact]
    public async Task A_tombstone_stays_as_long_as_an_open_transaction_holds_cursors_before_it()
    {
        await using var items = await TableCase.MakeAsync(postgres, "CREATE TABLE items (id int PRIMARY KEY)");
        await items.Db.RunAsync("INSERT INTO items VALUES (1), (2)");
        await using var open = await items.Db.ConnectAsync();
        await open.ExecuteAsync("BEGIN; SELECT pg_current_xact_id()", Cancel);
        await items.Db.RunAsync("DELETE FROM items WHERE id = 1");
        Assert.Equal(0, await ClearAsync(items.Db, TimeSpan.Zero));
        await open.ExecuteAsync("COMMIT", Cancel);

        // Transactions of other tests on the same server hold it for a while.
        await Eventually.TrueAsync(async () => await ClearAsync(items.Db, TimeSpan.Zero) == 1);
    }

    [Theory]
    [InlineData("CREATE TABLE other (id int PRIMARY KEY)")]
    [InlineData("CREATE TABLE items (id int PRIMARY KEY)")]
    public async Task Tombstones_of_a_table_that_is_not_there_are_refused_by_its_name(string sql)
    {
        await using var items = await TableCase.MakeAsync(postgres, sql, track: sql.Contains("items", StringComparison.Ordinal));
        var error = await Assert.ThrowsAsync<PostgresTableException>(() =>
            PostgresTracking.ClearTombstonesAsync(
                items.Db.ConnectionString,
                new TableName("public", "missing"),
                TimeSpan.Zero,
                true,
                Cancel
            )
        );
        Assert.Contains("There is no table public.missing", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tracking_lets_readers_by_while_it_waits_for_a_table_that_is_in_use()
    {
        await using var items = await TableCase.MakeAsync(postgres, "CREATE TABLE items (id int PRIMARY KEY)", track: false);
        await using var open = await items.Db.ConnectAsync();
        await open.ExecuteAsync("BEGIN; SELECT * FROM items", Cancel);
        var options = new TrackingOptions { LockTimeout = TimeSpan.FromMilliseconds(50), Attempts = 3 };
        var refused = await Assert.ThrowsAsync<PostgresTableException>(() =>
            PostgresTracking.EnableAsync(items.Db.ConnectionString, TableCase.Items, options, Cancel)
        );
        Assert.Contains("locked by others", refused.Message, StringComparison.Ordinal);
        var enabling = PostgresTracking.EnableAsync(
            items.Db.ConnectionString,
            TableCase.Items,
            options with
            {
                Attempts = 100_000,
            },
            Cancel
        );
        for (var i = 0; i < 10; i++)
            await items.Db.RunAsync("SET statement_timeout = 5000; SELECT * FROM items");
        await open.ExecuteAsync("COMMIT", Cancel);
        await enabling;
        Assert.Equal("0", await items.Db.ScalarAsync("SELECT count(*) FROM pg_trigger WHERE tgname = 'zz_lockstep_wake'"));
    }

    private static Task<long> ClearAsync(TestDatabase db, TimeSpan age, bool run = true) =>
        PostgresTracking.ClearTombstonesAsync(db.ConnectionString, TableCase.Items, age, run, Cancel);
}
