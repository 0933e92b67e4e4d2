using System.Text.Json;
using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

public sealed class PollingFeedTests(SharedPostgres postgres)
{
    private static readonly TableName Items = new(null, "items");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_empty_table_is_an_empty_snapshot()
    {
        await using var db = await TrackedAsync();
        await using var feed = await StartAsync(db);
        var follower = new Follower(feed);
        await follower.ReadAsync(chunk => chunk.Kind == FeedChunkKind.SnapshotCompleted, Cancel);
        Assert.Empty(follower.Rows);
        Assert.True(follower.Cursor > 0);
    }

    [Fact]
    public async Task A_client_gets_the_snapshot_and_then_every_change()
    {
        await using var db = await TrackedAsync();
        await db.RunAsync("INSERT INTO items SELECT g, 'n' || g FROM generate_series(1, 2500) g");
        await using var feed = await StartAsync(db);
        var follower = new Follower(feed);
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);

        await db.RunAsync(
            "INSERT INTO items VALUES (3000, 'new'); UPDATE items SET name = 'changed' WHERE id = 7; DELETE FROM items WHERE id = 8"
        );
        await db.RunAsync("UPDATE items SET id = 9000 WHERE id = 9");
        await db.RunAsync("DELETE FROM items WHERE id = 10; INSERT INTO items VALUES (10, 'again')");
        var before = follower.Received;
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
        Assert.Equal("{\"id\":10,\"name\":\"again\"}", follower.Rows["10"]);

        // Six rows, each once from the database, and at most once more: with the one poll that started before this read and ended after it.
        Assert.InRange(follower.Received - before, 6, 12);
        Assert.Equal(0, follower.Resyncs);
    }

    [Fact]
    public async Task A_client_that_follows_live_gets_changes_without_reading_the_database()
    {
        await using var db = await TrackedAsync();
        await using var feed = await StartAsync(db);
        var follower = new Follower(feed);
        var reading = await follower.FollowAsync(rows: 3, Cancel);
        for (var i = 1; i <= 3; i++)
            await db.RunAsync($"INSERT INTO items VALUES ({i}, 'live')");
        await reading;
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
        Assert.Equal(3, follower.Received);
    }

    [Fact]
    public async Task An_open_transaction_delays_the_horizon_but_nothing_is_sent_twice()
    {
        await using var db = await TrackedAsync();
        await using var open = await db.ConnectAsync();
        await open.ExecuteAsync("BEGIN; INSERT INTO items VALUES (1, 'late')", Cancel);
        await using var feed = await StartAsync(db);
        var follower = new Follower(feed);
        await follower.ReadAsync(chunk => chunk.Kind == FeedChunkKind.SnapshotCompleted, Cancel);
        var held = long.Parse(await ScalarAsync(open, "SELECT pg_current_xact_id()"), System.Globalization.CultureInfo.InvariantCulture);

        // The feed slept before. Once its first look is over, and not only the client's, what comes is sent once.
        var (follows, beats, silent) = (new TaskCompletionSource(), 0, 0);
        var reading = follower.ReadAsync(
            chunk =>
            {
                if (chunk.Kind == FeedChunkKind.CaughtUp && ++silent == 8)
                    follows.TrySetResult();
                return chunk.Kind == FeedChunkKind.CaughtUp && follower.Rows.Count == 20 && ++beats == 5;
            },
            Cancel
        );
        await follows.Task.WaitAsync(Cancel);
        for (var i = 100; i < 120; i++)
            await db.RunAsync($"INSERT INTO items VALUES ({i}, 'other')");
        await reading;
        Assert.Equal(20, follower.Received);
        Assert.InRange(follower.Cursor, 1, held);
        Assert.True(feed.HorizonLag.Transactions >= 20);
        Assert.True(feed.HorizonLag.Age > TimeSpan.Zero);

        await open.ExecuteAsync("COMMIT", Cancel);
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
    }

    [Fact]
    public async Task A_truncate_and_a_rewriting_alter_force_a_resync()
    {
        await using var db = await TrackedAsync();
        await db.RunAsync("INSERT INTO items SELECT g, 'n' FROM generate_series(1, 10) g");
        await using var feed = await StartAsync(db);
        var follower = new Follower(feed);
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        await db.RunAsync("BEGIN; TRUNCATE items; INSERT INTO items VALUES (1, 'after'); COMMIT");
        await FeedSeesAsync(feed, db);
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(1, follower.Resyncs);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);

        await db.RunAsync("ALTER TABLE items ALTER COLUMN name TYPE text USING name || '!', ADD COLUMN more int DEFAULT 5");
        await FeedSeesAsync(feed, db);
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(2, follower.Resyncs);
        Assert.Equal("{\"id\":1,\"more\":5,\"name\":\"after!\"}", follower.Rows["1"]);

        await db.RunAsync("ALTER TABLE items RENAME COLUMN more TO less; ALTER TABLE items DROP COLUMN name");
        await FeedSeesAsync(feed, db);
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal("{\"id\":1,\"less\":5}", follower.Rows["1"]);
    }

    [Fact]
    public async Task An_operator_can_have_all_clients_start_over()
    {
        // After a volume was restored from a snapshot, of which PostgreSQL knows nothing.
        await using var db = await TrackedAsync();
        await db.RunAsync("INSERT INTO items VALUES (1, 'a')");
        await using var feed = await StartAsync(db);
        var follower = new Follower(feed);
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        await db.RunAsync("UPDATE lockstep.tracked SET epoch = (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(1, follower.Resyncs);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
    }

    [Theory]
    [InlineData("mood", "'ok'", "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'", "\"fine\"")]
    [InlineData("mood[]", "'{ok}'", "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'", "[\"fine\"]")]
    [InlineData("pair", "ROW('ok', 1)", "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'", "{\"m\":\"fine\",\"n\":1}")]
    [InlineData("pairs", "ARRAY[ROW('ok', 1)::pair]", "ALTER TYPE pair RENAME ATTRIBUTE n TO count", "[{\"count\":1,\"m\":\"ok\"}]")]
    public async Task A_name_in_a_type_that_is_changed_forces_a_resync(string type, string value, string change, string json)
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync(
            "CREATE TYPE mood AS ENUM ('ok', 'sad'); CREATE TYPE pair AS (m mood, n int); CREATE DOMAIN pairs AS pair[];"
                + $"CREATE TABLE items (id int PRIMARY KEY, v {type}); INSERT INTO items VALUES (1, {value})"
        );
        await PostgresTracking.EnableAsync(db.ConnectionString, Items, cancellationToken: Cancel);
        await using var feed = await StartAsync(db);
        var follower = new Follower(feed);
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        await db.RunAsync(change);
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal($"{{\"id\":1,\"v\":{json}}}", follower.Rows["1"]);
    }

    [Fact]
    public async Task A_table_of_which_policies_hide_rows_is_refused_also_when_they_come_later()
    {
        await using var db = await TrackedAsync();
        var role = $"hidden_from_{Guid.NewGuid():N}";
        await db.RunAsync(
            $"CREATE ROLE {role} LOGIN; GRANT SELECT ON items, lockstep.\"public.items\" TO {role}; INSERT INTO items VALUES (1, 'a')"
        );
        var reader = TestDatabase.Open(db.ConnectionString.Replace("Username=lockstep", $"Username={role}", StringComparison.Ordinal));
        await using var feed = await StartAsync(reader);
        await new Follower(feed).CatchUpAsync(await HorizonAsync(db), Cancel);
        await db.RunAsync($"ALTER TABLE items ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON items USING (name = 'a')");
        var told = await Record.ExceptionAsync(async () => await feed.OpenAsync(new FeedRequest(0, null, Follower.Heartbeat), Cancel));
        Assert.True(told is PostgresAccessException or FeedUnavailableException { InnerException: PostgresAccessException }, $"{told}");
        var refused = await Assert.ThrowsAsync<PostgresAccessException>(() => StartAsync(reader));
        Assert.Contains("BYPASSRLS", refused.RecommendedAction, StringComparison.Ordinal);

        // The owner sees everything.
        await using var whole = await StartAsync(db);
        var follower = new Follower(whole);
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
    }

    [Fact]
    public async Task A_cursor_of_another_feed_is_refused_and_one_ahead_has_to_wait()
    {
        await using var db = await TrackedAsync();
        await using var feed = await StartAsync(db);
        var state = await feed.GetStateAsync(Cancel);
        await Assert.ThrowsAsync<FeedIdentityChangedException>(async () =>
            await feed.OpenAsync(new FeedRequest(5, "other", Follower.Heartbeat), Cancel)
        );
        await Assert.ThrowsAsync<FeedBehindException>(async () =>
            await feed.OpenAsync(new FeedRequest(state.Horizon + 1000, state.Identity, Follower.Heartbeat), Cancel)
        );
        await feed.OpenAsync(new FeedRequest(0, "other", Follower.Heartbeat), Cancel);
    }

    [Fact]
    public async Task Pages_of_a_snapshot_hold_every_row_once_below_one_horizon()
    {
        await using var db = await TrackedAsync();
        await db.RunAsync("INSERT INTO items SELECT g, 'n' FROM generate_series(1, 25) g");
        await using var feed = await StartAsync(db, o => o with { PageRows = 10 });
        var first = await feed.ReadPageAsync(new SnapshotPageRequest(null, null, null), Cancel);
        await db.RunAsync("UPDATE items SET name = 'later' WHERE id = 20");
        var ids = new List<int>();
        for (var page = first; ; page = await feed.ReadPageAsync(new SnapshotPageRequest(first.Identity, first.Horizon, page.Next), Cancel))
        {
            foreach (
                var line in page.Lines.SelectMany(l =>
                    System.Text.Encoding.UTF8.GetString(l.Span).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                )
            )
            {
                using var json = JsonDocument.Parse(line);
                ids.Add(json.RootElement.GetProperty("data").GetProperty("id").GetInt32());
                Assert.True(json.RootElement.GetProperty("since").GetInt64() <= first.Horizon);
            }

            Assert.Equal(first.Horizon, page.Horizon);
            if (page.Next is null)
                break;
        }

        Assert.Equal(Enumerable.Range(1, 25), ids);
        await Assert.ThrowsAsync<FeedPositionException>(async () =>
            await feed.ReadPageAsync(new SnapshotPageRequest(first.Identity, first.Horizon, "x'; drop table items"), Cancel)
        );
        await Assert.ThrowsAsync<FeedIdentityChangedException>(async () =>
            await feed.ReadPageAsync(new SnapshotPageRequest("other", first.Horizon, first.Next), Cancel)
        );
    }

    [Fact]
    public async Task A_snapshot_in_one_body_says_at_which_page_it_goes_on()
    {
        await using var db = await TrackedAsync();
        await db.RunAsync("INSERT INTO items SELECT g, repeat('n', 2000) FROM generate_series(1, 3000) g");
        await using var feed = await StartAsync(db, o => o);
        var request = new FeedRequest(0, null, TimeSpan.FromSeconds(1)) { WantsPages = true };
        var (rows, places) = (0, new List<(int Rows, SnapshotPageRequest Page)>());
        await foreach (var chunk in (await feed.OpenAsync(request, Cancel)).Chunks.WithCancellation(Cancel))
        {
            rows += chunk.Lines.Span.Count((byte)'\n');
            if (chunk.Page is { } page)
                places.Add((rows, page));
            if (chunk.Kind == FeedChunkKind.SnapshotCompleted)
                break;
        }

        Assert.Equal((3000, 0), (rows, places[0].Rows));
        Assert.True(places.Count > 2);
        foreach (var (before, place) in places)
        {
            var (rest, next) = (0, (string?)place.After);
            do
            {
                var page = await feed.ReadPageAsync(place with { After = next }, Cancel);
                Assert.Equal(place.Horizon, page.Horizon);
                rest += page.Lines.Sum(piece => piece.Span.Count((byte)'\n'));
                next = page.Next;
            } while (next is not null);
            Assert.Equal(3000 - before, rest);
        }
    }

    [Fact]
    public async Task A_key_of_several_columns_a_name_in_need_of_quotes_and_a_schema_are_respected()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync(
            """
            CREATE SCHEMA "Odd.Schema";
            CREATE TABLE "Odd.Schema"."my ""table" ("the id" text COLLATE "C", part numeric, "select" int, PRIMARY KEY ("the id", part));
            """
        );
        var name = TableName.Parse("\"Odd.Schema\".\"my \"\"table\"");
        await PostgresTracking.EnableAsync(db.ConnectionString, name, cancellationToken: Cancel);
        const string Table = "\"Odd.Schema\".\"my \"\"table\"";
        await db.RunAsync($"INSERT INTO {Table} SELECT 'k' || g % 7, g + 0.5, g FROM generate_series(1, 100) g");
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions { Table = name, PollInterval = TimeSpan.FromMilliseconds(20) },
            cancellationToken: Cancel
        );
        Assert.Equal(["the id", "part"], (await feed.GetStateAsync(Cancel)).KeyColumns);
        var follower = new Follower(feed, "part");
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        await db.RunAsync($"DELETE FROM {Table} WHERE part < 10; UPDATE {Table} SET part = part + 1000 WHERE part < 20");
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(await db.RowsAsync(Table, "part"), follower.Rows);
    }

    [Fact]
    public async Task A_server_that_goes_down_in_the_middle_is_waited_for()
    {
        await using var server = await PostgresServer.StartAsync(Cancel);
        await using var db = TestDatabase.Open(server.ConnectionString);
        await MakeAsync(db);
        await db.RunAsync("INSERT INTO items SELECT g, 'n' FROM generate_series(1, 1000) g");
        await using var feed = await StartAsync(db);
        var follower = new Follower(feed);
        var reading = await follower.FollowAsync(rows: 1001, Cancel);
        await server.CrashAsync(Cancel);
        await server.StartAsync(Cancel);
        await db.RunAsync("INSERT INTO items VALUES (2000, 'after the crash')");
        await reading;
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
    }

    [Fact]
    public async Task Bad_input_is_told_at_the_start()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync("CREATE TABLE plain (id int PRIMARY KEY); CREATE TABLE \"wrong\" (id int, txid text)");
        await db.RunAsync("DROP ROLE IF EXISTS nobody_reads; CREATE ROLE nobody_reads LOGIN");
        await Fails<PostgresTableException>(db.ConnectionString, "missing", "There is no table or view missing");
        await Fails<PostgresTableException>(db.ConnectionString, "plain", "no column txid");
        await Fails<PostgresTableException>(db.ConnectionString, "wrong", "type text");
        await MakeAsync(db);
        await Fails<PostgresAccessException>(
            db.ConnectionString.Replace("Username=lockstep", "Username=nobody_reads", StringComparison.Ordinal),
            "items",
            "Grant"
        );
        await Fails<FeedUnavailableException>("Host=127.0.0.1;Port=1;Username=x;Password=secret;Timeout=2", "items", "cannot be reached");
        await Fails<FeedUnavailableException>("Host=127.0.0.1;Port=1;Password=secret;Timeout=2", "items", "at 127.0.0.1:1 cannot");
        await Fails<FeedUnavailableException>("Host=127.0.0.1;Port=1;Password=secret;Timeout=2", "items", "refused.Check the host");
        await Fails<FeedUnavailableException>("Host=no.invalid;Port=2;Password=secret;Timeout=2", "items", "at no.invalid:2 cannot");
        await Assert.ThrowsAsync<ArgumentException>(() =>
            PostgresFeed.StartAsync("Hast=secret", new PostgresFeedOptions { Table = Items }, cancellationToken: Cancel)
        );

        static async Task Fails<T>(string connectionString, string table, string message)
            where T : Exception
        {
            var error = await Assert.ThrowsAsync<T>(() =>
                PostgresFeed.StartAsync(
                    connectionString,
                    new PostgresFeedOptions { Table = new TableName(null, table) },
                    cancellationToken: Cancel
                )
            );
            Assert.Contains(
                message,
                error.Message + ((Engine.LockstepException)(Exception)error).RecommendedAction,
                StringComparison.Ordinal
            );
            Assert.DoesNotContain("secret", error.ToString(), StringComparison.Ordinal);
        }
    }

    private static async Task<string> ScalarAsync(Npgsql.NpgsqlConnection connection, string sql) =>
        (await connection.QueryAsync(sql, [], r => r.GetValue(0).ToString()!, Cancel))[0];

    private static async Task MakeAsync(TestDatabase db)
    {
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, name text)");
        await PostgresTracking.EnableAsync(db.ConnectionString, Items, cancellationToken: Cancel);
    }

    private static Task<PostgresFeed> StartAsync(TestDatabase db, Func<PostgresFeedOptions, PostgresFeedOptions>? change = null)
    {
        var options = new PostgresFeedOptions { Table = Items, PollInterval = TimeSpan.FromMilliseconds(20) };
        return PostgresFeed.StartAsync(db.ConnectionString, change is null ? options : change(options), cancellationToken: Cancel);
    }

    [Fact]
    public async Task A_view_with_its_own_tombstones_is_followed()
    {
        await using var db = await TrackedAsync();
        await db.RunAsync(
            """
            INSERT INTO items SELECT g, 'n' FROM generate_series(1, 20) g;
            CREATE VIEW shown AS SELECT id, name, txid, false AS deleted FROM items
                UNION ALL SELECT id, NULL, txid, true FROM lockstep."public.items"
            """
        );
        await using var feed = await StartAsync(db, o => o with { Table = new TableName(null, "shown"), Key = ["id"] });
        var follower = new Follower(feed);
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        await db.RunAsync(
            "DELETE FROM items WHERE id < 5; UPDATE items SET name = 'changed' WHERE id = 6; INSERT INTO items VALUES (2, 'back')"
        );
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
        Assert.Equal(0, follower.Resyncs);
    }

    [Fact]
    public async Task A_client_that_does_not_read_a_view_without_a_key_keeps_no_transaction_open()
    {
        await using var db = await TrackedAsync();
        await db.RunAsync(
            "INSERT INTO items SELECT g, repeat('n', 20000) FROM generate_series(1, 100) g; CREATE VIEW shown AS SELECT "
                + "id, name, txid FROM items"
        );
        await using var feed = await StartAsync(db, o => o with { Table = new TableName(null, "shown") });
        List<IAsyncEnumerator<FeedChunk>> stuck = [];
        for (var i = 0; i < 8; i++)
        {
            var reading = await feed.OpenAsync(new FeedRequest(0, null, TimeSpan.FromSeconds(10)), Cancel);
            stuck.Add(reading.Chunks.GetAsyncEnumerator(Cancel));
            Assert.True(await stuck[^1].MoveNextAsync());
        }

        const string Open =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL AND pid "
            + "<> pg_backend_pid()";
        await Eventually.TrueAsync(async () => await db.ScalarAsync(Open) == "0");
        await db.RunAsync("SET lock_timeout = '5s'; ALTER TABLE items ADD COLUMN more int");

        // They continue from where they are.
        foreach (var client in stuck)
        {
            var rows = 0;
            do
            {
                rows += client.Current.Lines.Span.Count((byte)'\n');
            } while (client.Current.Kind != FeedChunkKind.SnapshotCompleted && await client.MoveNextAsync() && rows < 100);
            Assert.Equal(100, rows);
            await client.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_bulk_change_larger_than_the_live_log_reaches_those_who_follow()
    {
        await using var db = await TrackedAsync();
        await using var feed = await StartAsync(db, o => o with { LiveBytes = 10_000 });
        var follower = new Follower(feed);
        var reading = await follower.FollowAsync(rows: 5000, Cancel);
        await db.RunAsync("INSERT INTO items SELECT g, 'bulk' FROM generate_series(1, 5000) g");
        await reading;
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
    }

    [Fact]
    public async Task A_row_inserted_under_an_older_snapshot_than_its_deletion_lives()
    {
        await using var db = await TrackedAsync();
        await db.RunAsync("INSERT INTO items VALUES (1, 'first')");
        await using var feed = await StartAsync(db);
        var follower = new Follower(feed);
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        await using var older = await db.ConnectAsync();
        await older.ExecuteAsync("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()", Cancel);
        await db.RunAsync("DELETE FROM items");
        await older.ExecuteAsync("INSERT INTO items VALUES (1, 'second'); COMMIT", Cancel);
        Assert.Equal(
            "1",
            await db.ScalarAsync("SELECT count(*) FROM items JOIN lockstep.\"public.items\" gone USING (id) WHERE gone.txid > items.txid")
        );
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
    }

    /// <summary>
    /// A cursor that has everything committed so far. Other tests' transactions in the cluster may hold clients back from it for moments.
    /// </summary>
    private static async Task<long> HorizonAsync(TestDatabase db) =>
        long.Parse(
            await db.ScalarAsync("SELECT pg_snapshot_xmax(pg_current_snapshot())"),
            System.Globalization.CultureInfo.InvariantCulture
        );

    private static async Task FeedSeesAsync(PostgresFeed feed, TestDatabase db)
    {
        var horizon = await HorizonAsync(db);
        await Eventually.TrueAsync(async () => (await feed.GetStateAsync(Cancel)).Horizon >= horizon);
    }

    private async Task<TestDatabase> TrackedAsync()
    {
        var db = await TestDatabase.CreateAsync(postgres);
        await MakeAsync(db);
        return db;
    }
}
