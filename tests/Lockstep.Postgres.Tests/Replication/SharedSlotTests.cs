using System.Globalization;
using Lockstep.Engine;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Feed;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Replication;

/// <summary>The tables of a database that one process serves share a slot and its stream.</summary>
public sealed class SharedSlotTests(LogicalPostgres postgres) : IClassFixture<LogicalPostgres>, IDisposable
{
    private const string Slots = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()";
    private const string Connections =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'lockstep'";
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Many_tables_that_start_at_once_have_one_slot_and_one_stream_and_go_on_after_a_restart()
    {
        const int Count = 12;
        await using var db = await postgres.CreateAsync(
            string.Concat(Enumerable.Range(0, Count).Select(i => $"CREATE TABLE t{i} (id int PRIMARY KEY, name text);"))
        );
        var clients = new Dictionary<string, Follower>();
        var notices = new System.Collections.Concurrent.ConcurrentQueue<string>();
        for (var life = 0; life < 3; life++)
        {
            await db.RunAsync(
                string.Concat(Enumerable.Range(0, Count).Select(i => $"INSERT INTO t{i} VALUES ({life}, 'while nobody looked');"))
            );
            var feeds = await Task.WhenAll(
                Enumerable
                    .Range(0, Count)
                    .Select(i => StartAsync(db, $"t{i}", o => o with { Logger = CallbackLogger.OfWarnings(notices.Enqueue) }))
            );
            Assert.Equal("1", await db.ScalarAsync(Slots));
            Assert.Equal(
                "1",
                await db.ScalarAsync(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'walsender'"
                )
            );

            // A transaction that changes all of them, in turn.
            await db.RunAsync(
                "BEGIN;"
                    + string.Concat(Enumerable.Range(0, 40).Select(i => $"INSERT INTO t{i % Count} VALUES ({(life * 100) + 10 + i}, 'n');"))
                    + "COMMIT"
            );
            for (var i = 0; i < Count; i++)
            {
                var table = $"t{i}";
                if (!clients.TryGetValue(table, out var client))
                    clients[table] = client = new Follower(feeds[i]);
                client.Source = feeds[i];
                await CatchUpAsync(client, db, table);
                Assert.Empty(notices);
                Assert.Equal(0, client.Resyncs);
            }

            foreach (var feed in feeds)
                await feed.DisposeAsync();
        }
    }

    [Fact(Timeout = 300_000)]
    public async Task Sixty_tables_that_are_followed_take_one_slot_one_publication_and_three_connections()
    {
        const int Count = 60;
        await using var db = await postgres.CreateAsync(
            string.Concat(Enumerable.Range(1, Count).Select(i => $"CREATE TABLE t{i} (id int PRIMARY KEY, name text);"))
        );
        var feeds = await Task.WhenAll(Enumerable.Range(1, Count).Select(i => StartAsync(db, $"t{i}")));
        try
        {
            var clients = feeds.Select(feed => new Follower(feed)).ToList();
            var following = await Task.WhenAll(clients.Select(client => client.FollowAsync(rows: 2, Cancel)));
            await InsertAsync(1);
            await SettleAsync();
            await InsertAsync(2);
            await Task.WhenAll(following);
            await SettleAsync();
            Assert.Equal("1|1", await LeftAsync(db));
            Assert.Equal($"{Count}", await db.ScalarAsync("SELECT count(*) FROM pg_publication_tables"));
            Assert.All(clients, client => Assert.Equal((2, 0), (client.Rows.Count, client.Resyncs)));
        }
        finally
        {
            foreach (var feed in feeds)
            {
                await feed.DisposeAsync();
            }
        }

        // What clients, or a wait for the server's disk, needed for a moment is closed after a while.
        Task SettleAsync() =>
            Eventually.TrueAsync(async () => int.Parse(await db.ScalarAsync(Connections), CultureInfo.InvariantCulture) <= 3);

        Task InsertAsync(int id) =>
            db.RunAsync(string.Concat(Enumerable.Range(1, Count).Select(i => $"INSERT INTO t{i} VALUES ({id}, 'n');")));
    }

    [Fact]
    public async Task A_table_that_is_added_later_waits_for_old_transactions_and_holds_up_nobody()
    {
        await using var db = await postgres.CreateAsync();
        await db.RunAsync("CREATE TABLE later (id int PRIMARY KEY, name text); INSERT INTO later VALUES (1, 'n')");
        await using var items = await StartAsync(db, "items");
        var first = new Follower(items);
        await CatchUpAsync(first, db, "items");

        // What it writes before the table is published is not streamed; what it writes afterwards is.
        await using var open = await db.ConnectAsync();
        await open.ExecuteAsync("BEGIN; INSERT INTO later VALUES (2, 'before')", Cancel);
        await using var later = await StartAsync(db, "later", o => o with { Patience = TimeSpan.FromMilliseconds(200) });
        await Eventually.TrueAsync(() =>
            later.Error?.Message.Contains("once all open transactions have ended", StringComparison.Ordinal) == true
        );
        await db.RunAsync("INSERT INTO items VALUES (1, 'n'); INSERT INTO later VALUES (3, 'n'); UPDATE later SET name = 'x' WHERE id = 1");
        await CatchUpAsync(first, db, "items");
        Assert.NotNull(later.Error);
        await open.ExecuteAsync("INSERT INTO later VALUES (4, 'after'); DELETE FROM later WHERE id = 3; COMMIT", Cancel);
        var second = new Follower(later);
        await CatchUpAsync(second, db, "later");
        await db.RunAsync("BEGIN; UPDATE later SET name = 'all'; INSERT INTO items VALUES (2, 'n'); COMMIT");
        await CatchUpAsync(second, db, "later");
        await CatchUpAsync(first, db, "items");
        Assert.Equal((0, 0), (first.Resyncs, second.Resyncs));
    }

    [Fact]
    public async Task Tables_that_join_while_others_write_miss_nothing()
    {
        await using var db = await postgres.CreateAsync(
            "CREATE TABLE items (id int PRIMARY KEY, v int); CREATE TABLE more (id int PRIMARY KEY, v int)"
        );
        await using var items = await StartAsync(db, "items");
        var writers = Enumerable
            .Range(0, 4)
            .Select(i => Task.Run(() => RandomWriter.WriteAsync(db, new Random(i), i, canPrepare: true), Cancel))
            .ToArray();
        await db.RunAsync(
            "CREATE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN IF TG_OP <> 'INSERT' THEN DELETE FROM "
                + "more WHERE id = OLD.id; END IF; "
                + "IF TG_OP <> 'DELETE' THEN INSERT INTO more VALUES (NEW.id, NEW.v) ON CONFLICT (id) DO UPDATE SET v = "
                + "EXCLUDED.v; END IF; RETURN NULL; END $f$; "
                + "CREATE TRIGGER copy AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION copy()"
        );
        var clients = new List<(Follower Client, PostgresFeed Feed)>();
        try
        {
            while (clients.Count < 3 || !writers.All(w => w.IsCompleted))
            {
                // A feed that had the table is stopped, and its log is lost: each time the table joins as a new one.
                var feed = await PostgresFeed.StartAsync(
                    db.ConnectionString,
                    Options("more") with
                    {
                        Replication = new PostgresReplicationOptions { LogPath = _folder[$"more{clients.Count}.log"] },
                        Name = $"more{clients.Count}",
                    },
                    cancellationToken: Cancel
                );
                clients.Add((new Follower(feed), feed));
                await clients[^1].Client.ReadAsync(chunk => chunk.Kind == FeedChunkKind.SnapshotCompleted, Cancel);
            }

            await Task.WhenAll(writers);
            foreach (var (client, _) in clients)
                await CatchUpAsync(client, db, "more");
            await CatchUpAsync(new Follower(items), db, "items");
        }
        finally
        {
            foreach (var (_, feed) in clients)
                await feed.DisposeAsync();
        }
    }

    [Fact]
    public async Task What_is_wrong_with_one_table_does_not_stop_the_others()
    {
        await using var db = await postgres.CreateAsync(
            "CREATE TABLE items (id int PRIMARY KEY, name text); CREATE TABLE numbers (id numeric PRIMARY KEY)"
        );
        await using var items = await StartAsync(db, "items");
        await using var numbers = await StartAsync(db, "numbers");
        var client = new Follower(items);
        await CatchUpAsync(client, db, "items");

        // A key that no client can hold.
        await db.RunAsync("INSERT INTO numbers VALUES ('NaN'), (1)");
        await Eventually.TrueAsync(() => numbers.LeftOut.Count > 0);
        await db.RunAsync("INSERT INTO items VALUES (1, 'n')");
        await CatchUpAsync(client, db, "items");
        await db.RunAsync("DELETE FROM numbers WHERE id = 'NaN'");
        await CatchUpAsync(new Follower(numbers), db, "numbers");
        Assert.Equal(0, client.Resyncs);

        // One that is dropped.
        await db.RunAsync("DROP TABLE numbers; INSERT INTO items VALUES (2, 'n')");
        await CatchUpAsync(client, db, "items");
        await Eventually.TrueAsync(() => numbers.Error is PostgresTableException);
        await db.RunAsync("INSERT INTO items VALUES (3, 'n')");
        await CatchUpAsync(client, db, "items");
        Assert.Equal(0, client.Resyncs);
    }

    [Fact]
    public async Task The_loss_of_the_slot_makes_clients_of_all_its_tables_start_over_and_is_said()
    {
        await using var db = await postgres.CreateAsync("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
        var notices = new List<string>();
        var followers = new Dictionary<string, Follower>();
        for (var life = 0; life < 2; life++)
        {
            var feeds = new List<PostgresFeed>();
            foreach (var table in (string[])["a", "b"])
            {
                feeds.Add(await StartAsync(db, table, o => o with { Logger = CallbackLogger.OfWarnings(notices.Add) }));
                if (!followers.TryGetValue(table, out var client))
                    followers[table] = client = new Follower(feeds[^1]);
                client.Source = feeds[^1];
                await CatchUpAsync(client, db, table);
                Assert.Equal(life, client.Resyncs);
            }

            foreach (var feed in feeds)
                await feed.DisposeAsync();
            await LogicalPostgres.DropSlotsAsync(db);
            await db.RunAsync("INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING; DELETE FROM b");
        }

        Assert.NotEmpty(notices);
        Assert.All(notices, n => Assert.Contains("all clients must resync", n, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_start_that_fails_leaves_nothing_behind_and_what_others_use_stays()
    {
        await using var db = await postgres.CreateAsync();
        await db.RunAsync("CREATE TABLE loose (id int PRIMARY KEY DEFERRABLE)");
        await Assert.ThrowsAsync<PostgresTableException>(() => StartAsync(db, "loose"));
        Assert.Equal("0|0", await LeftAsync(db));
        await using (await StartAsync(db, "items"))
        {
            await Assert.ThrowsAsync<PostgresTableException>(() => StartAsync(db, "loose"));
            Assert.Equal("1|1", await LeftAsync(db));
        }

        await Eventually.WithoutAsync<FeedUnavailableException>(() =>
            PostgresFeed.RemoveReplicationAsync(db.ConnectionString, Options("items"), Cancel)
        );
        Assert.Equal("0|0", await LeftAsync(db));

        // With no slot left on the server, the publication already exists.
        await using var full = await LogicalPostgres.StartServerAsync("max_replication_slots=0");
        await using var none = TestDatabase.Open(full.ConnectionString);
        await none.RunAsync("CREATE TABLE items (id int PRIMARY KEY)");
        await Assert.ThrowsAnyAsync<Engine.LockstepException>(() => StartAsync(none, "items"));
        Assert.Equal("0|0", await LeftAsync(none));
    }

    private static Task<string> LeftAsync(TestDatabase db) =>
        db.ScalarAsync($"SELECT ({Slots}) || '|' || (SELECT count(*) FROM pg_publication)");

    private static async Task CatchUpAsync(Follower client, TestDatabase db, string table)
    {
        await LogicalPostgres.CatchUpAsync(client, db, Cancel);
        Assert.Equal(await db.RowsAsync(table), client.Rows);
    }

    private PostgresFeedOptions Options(string table) =>
        LogicalPostgres.Options(_folder) with
        {
            Table = new TableName(null, table),
            Replication = new PostgresReplicationOptions { LogPath = _folder[table + ".log"] },
        };

    private Task<PostgresFeed> StartAsync(TestDatabase db, string table, Func<PostgresFeedOptions, PostgresFeedOptions>? change = null) =>
        PostgresFeed.StartAsync(db.ConnectionString, change is null ? Options(table) : change(Options(table)), cancellationToken: Cancel);
}
