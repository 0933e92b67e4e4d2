using Lockstep.Engine;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Feed;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Replication;

/// <summary>How a server, its settings and its disk affect a feed by replication.</summary>
public sealed class ReplicationServerTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_server_that_goes_down_in_the_middle_is_waited_for()
    {
        using var folder = new TempFolder();
        await using var server = await LogicalPostgres.StartServerAsync();
        await using var db = TestDatabase.Open(server.ConnectionString);
        await db.RunAsync(
            "CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items SELECT g, 'n' FROM generate_series(1, 1000) g"
        );
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            LogicalPostgres.Options(folder),
            cancellationToken: Cancel
        );
        var identity = (await feed.GetStateAsync(Cancel)).Identity;
        var follower = new Follower(feed);
        var reading = await follower.FollowAsync(rows: 1001, Cancel);
        await server.CrashAsync(Cancel);
        await server.StartAsync(Cancel);
        await db.RunAsync("INSERT INTO items VALUES (2000, 'after the crash')");
        await reading;
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
        Assert.Equal(identity, follower.Identity);
    }

    [Fact]
    public async Task A_server_that_is_stopped_in_good_order_does_not_wait_for_the_stream()
    {
        // It waits until everything that it has is confirmed, its own last record too, which concerns no table.
        using var folder = new TempFolder();
        await using var server = await LogicalPostgres.StartServerAsync();
        await using var db = TestDatabase.Open(server.ConnectionString);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, name text); CREATE TABLE others (v text)");
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            LogicalPostgres.Options(folder),
            cancellationToken: Cancel
        );
        var follower = new Follower(feed);
        await LogicalPostgres.CatchUpAsync(follower, db, Cancel);
        await db.RunAsync("INSERT INTO items VALUES (1, 'confirmed')");
        var end = await LogicalPostgres.EndAsync(db);
        await Eventually.TrueAsync(async () =>
            await db.ScalarAsync($"SELECT (confirmed_flush_lsn - '0/0'::pg_lsn >= {end} - 256)::text FROM pg_replication_slots") == "true"
        );
        await db.RunAsync("INSERT INTO others VALUES ('n')");

        await server.StopAsync(Cancel);

        await server.StartAsync(Cancel);
        await db.RunAsync("INSERT INTO items VALUES (2, 'after')");
        await LogicalPostgres.CatchUpAsync(follower, db, Cancel);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
        Assert.Equal(0, follower.Resyncs);
    }

    [Fact]
    public async Task A_slot_for_which_the_server_keeps_too_much_is_dropped_and_made_again()
    {
        using var folder = new TempFolder();
        await using var server = await LogicalPostgres.StartServerAsync();
        await using var db = TestDatabase.Open(server.ConnectionString);
        await db.RunAsync(
            "CREATE TABLE items (id int PRIMARY KEY, name text); CREATE TABLE others (v text); INSERT INTO items VALUES (1, 'n')"
        );
        var notices = new List<string>();
        var options = LogicalPostgres.Options(folder, r => r with { MaxSlotLagBytes = 16 << 20 }) with
        {
            Logger = CallbackLogger.OfWarnings(notices.Add),
            Name = "bounded",
        };
        using var metrics = new FeedMeasurements("bounded");
        await using var feed = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
        var follower = new Follower(feed);
        await LogicalPostgres.CatchUpAsync(follower, db, Cancel);

        // An open transaction keeps the slot from advancing, while others write.
        await using var open = await db.ConnectAsync();
        await open.ExecuteAsync("BEGIN; INSERT INTO items VALUES (2, 'late')", Cancel);
        const int Enough = 40;
        var i = 0;
        await Eventually.TrueAsync(async () =>
        {
            if (i++ < Enough)
                await db.RunAsync("INSERT INTO others SELECT repeat(md5(g::text), 20) FROM generate_series(1, 2000) g");
            metrics.Observe();
            return feed.Error is not null;
        });

        await Assert.ThrowsAsync<FeedUnavailableException>(async () =>
            await feed.OpenAsync(new FeedRequest(follower.Cursor, follower.Identity, Follower.Heartbeat), Cancel)
        );
        await open.ExecuteAsync("COMMIT", Cancel);
        await LogicalPostgres.CatchUpAsync(follower, db, Cancel);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
        Assert.Equal(1, follower.Resyncs);
        var dropped = metrics.Sum("lockstep.feed.slots_dropped");
        Assert.InRange(dropped, 1, long.MaxValue);
        Assert.InRange(metrics.Greatest("lockstep.feed.slot_lag"), 1, long.MaxValue);
        Assert.All(notices, n => Assert.Contains("was dropped because the server kept", n, StringComparison.Ordinal));
        Assert.Equal(dropped, notices.Count);
        Assert.Equal("1", await db.ScalarAsync("SELECT count(*) FROM pg_replication_slots"));
    }

    [Fact]
    public async Task A_commit_that_the_stream_knows_of_before_snapshots_show_it_is_not_lost()
    {
        // It is in the server's log, and so in the stream, but is not visible until a standby confirms it, which never happens.
        using var folder = new TempFolder();
        await using var server = await LogicalPostgres.StartServerAsync("synchronous_standby_names=nobody", "synchronous_commit=local");
        await using var db = TestDatabase.Open(server.ConnectionString);
        await db.RunAsync(
            "CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items SELECT g, 'n' FROM generate_series(1, 10) g"
        );
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            LogicalPostgres.Options(folder) with
            {
                Patience = TimeSpan.FromSeconds(1),
            },
            cancellationToken: Cancel
        );
        await Eventually.TrueAsync(() => feed.Error is null);
        await using var committer = await db.ConnectAsync();
        await committer.ExecuteAsync("SET synchronous_commit = on", Cancel);
        var (id, waiting) = (0, Task.CompletedTask);
        while (waiting.IsCompleted)
        {
            // A newly started server may not wait for standbys yet.
            await waiting;
            id++;
            waiting = committer.ExecuteAsync(
                $"BEGIN; INSERT INTO items VALUES ({id + 10}, 'waits'); DELETE FROM items WHERE id = {id}; COMMIT",
                Cancel
            );
            await Eventually.TrueAsync(async () =>
                waiting.IsCompleted || await db.ScalarAsync("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") != "0"
            );
        }

        var live = new Follower(feed);
        await live.ReadAsync(_ => live.Rows.ContainsKey($"{id + 10}"), Cancel);
        Assert.Equal("1", await db.ScalarAsync($"SELECT count(*) FROM items WHERE id = {id}"));

        // A later change, which snapshots do show, is in the log after it.
        await db.RunAsync("UPDATE items SET name = 'later' WHERE id = 10");
        var fresh = new Follower(feed);
        await fresh.ReadAsync(chunk => chunk.Kind == FeedChunkKind.SnapshotCompleted, Cancel);
        await Assert.ThrowsAsync<FeedUnavailableException>(async () =>
            await feed.ReadPageAsync(new SnapshotPageRequest(null, null, null), Cancel)
        );
        await db.RunAsync("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        await waiting;
        Assert.Equal(await db.RowsAsync("items"), fresh.Rows);
        await LogicalPostgres.CatchUpAsync(fresh, db, Cancel);
        Assert.Equal(await db.RowsAsync("items"), fresh.Rows);
    }

    [Fact]
    public async Task A_busy_server_whose_table_is_quiet_keeps_little_for_the_slot()
    {
        using var folder = new TempFolder();
        await using var server = await LogicalPostgres.StartServerAsync();
        await using var db = TestDatabase.Open(server.ConnectionString);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, name text); CREATE TABLE others (v text)");
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            LogicalPostgres.Options(folder),
            cancellationToken: Cancel
        );
        await db.RunAsync("INSERT INTO others SELECT repeat(md5(g::text), 20) FROM generate_series(1, 20000) g");
        var end = await LogicalPostgres.EndAsync(db);

        // Nobody reads and nothing changes, and still the position advances; the next status reports it to the server.
        await Eventually.TrueAsync(async () => (await feed.GetStateAsync(Cancel)).Horizon >= end);
        await Eventually.TrueAsync(async () =>
            await db.ScalarAsync($"SELECT (confirmed_flush_lsn - '0/0'::pg_lsn >= {end})::text FROM pg_replication_slots") == "true"
        );
    }

    [Fact]
    public async Task A_slot_that_waits_for_an_open_transaction_is_told_of_and_comes_when_that_ends()
    {
        using var folder = new TempFolder();
        await using var server = await LogicalPostgres.StartServerAsync();
        await using var db = TestDatabase.Open(server.ConnectionString);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items VALUES (1, 'n')");
        await using var open = await db.ConnectAsync();
        await open.ExecuteAsync("BEGIN; INSERT INTO items VALUES (2, 'late')", Cancel);
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            LogicalPostgres.Options(folder) with
            {
                Patience = TimeSpan.FromMilliseconds(300),
            },
            cancellationToken: Cancel
        );
        await Eventually.TrueAsync(() =>
            feed.Error?.Message.Contains("waits for all open transactions to end", StringComparison.Ordinal) == true
        );
        await Assert.ThrowsAsync<FeedUnavailableException>(async () => await feed.GetStateAsync(Cancel));
        await open.ExecuteAsync("COMMIT", Cancel);
        var follower = new Follower(feed);
        await LogicalPostgres.CatchUpAsync(follower, db, Cancel);
        Assert.Equal(2, follower.Rows.Count);
    }

    [Fact]
    public async Task A_second_feed_needs_a_log_and_a_slot_of_its_own()
    {
        using var folder = new TempFolder();
        await using var server = await LogicalPostgres.StartServerAsync();
        await using var db = TestDatabase.Open(server.ConnectionString);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, name text)");
        var options = LogicalPostgres.Options(folder);
        await using var feed = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
        var taken = await Assert.ThrowsAsync<PostgresReplicationException>(() =>
            PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel)
        );
        Assert.Contains("cannot be opened", taken.Message, StringComparison.Ordinal);

        var log = options with { Replication = options.Replication! with { LogPath = folder["other.log"] } };
        await using (
            var second = await PostgresFeed.StartAsync(
                db.ConnectionString,
                log with
                {
                    Replication = log.Replication! with { Slot = "second" },
                },
                cancellationToken: Cancel
            )
        )
        {
            await db.RunAsync("INSERT INTO items VALUES (1, 'n')");
            foreach (var follower in (Follower[])[new(feed), new(second)])
            {
                await LogicalPostgres.CatchUpAsync(follower, db, Cancel);
                Assert.Single(follower.Rows);
            }
        }

        // A slot that may be somebody else's is not taken over.
        var theirs = log with
        {
            Replication = log.Replication! with { LogPath = folder["third.log"], Slot = "second" },
        };
        var refused = await Assert.ThrowsAsync<PostgresReplicationException>(() =>
            PostgresFeed.StartAsync(db.ConnectionString, theirs, cancellationToken: Cancel)
        );
        Assert.Contains("pg_drop_replication_slot('second')", refused.RecommendedAction, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_missing_is_told_at_the_start_with_what_to_do()
    {
        using var folder = new TempFolder();
        await using var server = await LogicalPostgres.StartServerAsync();
        await using var db = TestDatabase.Open(server.ConnectionString);
        await db.RunAsync(
            """
            CREATE TABLE keyless (id int); CREATE VIEW v AS SELECT 1 AS id; CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
            CREATE TABLE items (id int PRIMARY KEY);
            CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child () INHERITS (parent);
            CREATE TABLE late (id int PRIMARY KEY DEFERRABLE);
            CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
            CREATE PUBLICATION narrow FOR TABLE items WITH (publish = 'insert');
            CREATE ROLE reader LOGIN; CREATE ROLE replicator LOGIN REPLICATION; GRANT SELECT ON items TO reader, replicator;
            """
        );
        foreach (
            var (table, message) in ((string, string)[])
                [
                    ("missing", "There is no table"),
                    ("keyless", "primary key"),
                    ("v", "not a table"),
                    ("unlogged", "SET LOGGED"),
                    ("parent", "inherit"),
                    ("late", "not deferrable"),
                    ("nothing", "REPLICA IDENTITY DEFAULT"),
                ]
        )
        {
            await FailsAsync<PostgresTableException>(db.ConnectionString, table, message);
        }

        await FailsAsync<PostgresAccessException>(As("reader"), "items", "ALTER ROLE \"reader\" REPLICATION");
        await FailsAsync<PostgresAccessException>(As("replicator"), "items", "CREATE PUBLICATION");
        await FailsAsync<PostgresReplicationException>(
            db.ConnectionString,
            "items",
            "CREATE PUBLICATION \"none\"",
            r => r with { Publication = "none" }
        );
        await FailsAsync<PostgresReplicationException>(
            db.ConnectionString,
            "items",
            "does not publish every change",
            r => r with { Publication = "narrow" }
        );
        Assert.Equal("0", await db.ScalarAsync("SELECT count(*) FROM pg_replication_slots"));

        // With a publication by the table's owner, a user that only reads and replicates can do it.
        await db.RunAsync("CREATE PUBLICATION wide FOR TABLE items; INSERT INTO items VALUES (1)");
        var options = LogicalPostgres.Options(folder, r => r with { Publication = "wide" });
        await using (var feed = await PostgresFeed.StartAsync(As("replicator"), options, cancellationToken: Cancel))
        {
            var follower = new Follower(feed);
            await LogicalPostgres.CatchUpAsync(follower, db, Cancel);
            await db.RunAsync("INSERT INTO items VALUES (2)");
            await LogicalPostgres.CatchUpAsync(follower, db, Cancel);
            Assert.Equal(2, follower.Rows.Count);
        }

        await Assert.ThrowsAsync<ArgumentException>(() =>
            PostgresFeed.StartAsync(
                db.ConnectionString,
                new PostgresFeedOptions { Table = LogicalPostgres.Items, Mode = PostgresFeedMode.Replication },
                cancellationToken: Cancel
            )
        );

        string As(string role) => db.ConnectionString.Replace("Username=lockstep", $"Username={role}", StringComparison.Ordinal);

        async Task FailsAsync<T>(
            string connectionString,
            string table,
            string message,
            Func<PostgresReplicationOptions, PostgresReplicationOptions>? change = null
        )
            where T : Engine.LockstepException
        {
            var options = LogicalPostgres.Options(folder, change) with { Table = new TableName(null, table) };
            var error = await Assert.ThrowsAsync<T>(() => PostgresFeed.StartAsync(connectionString, options, cancellationToken: Cancel));
            Assert.Contains(message, error.Message + error.RecommendedAction, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_server_without_logical_replication_is_told_how_to_get_it()
    {
        using var folder = new TempFolder();
        await using var server = await PostgresServer.StartAsync(Cancel);
        await using var db = TestDatabase.Open(server.ConnectionString);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY)");
        var error = await Assert.ThrowsAsync<PostgresReplicationException>(() =>
            PostgresFeed.StartAsync(db.ConnectionString, LogicalPostgres.Options(folder), cancellationToken: Cancel)
        );
        Assert.Contains("ALTER SYSTEM SET wal_level = logical", error.RecommendedAction, StringComparison.Ordinal);
    }
}
