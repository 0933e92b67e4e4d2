using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lockstep.Engine;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Feed;
using Lockstep.Postgres.Tests.Serving;
using Lockstep.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Replication;

public sealed class ReplicationFeedTests(LogicalPostgres postgres) : IClassFixture<LogicalPostgres>, IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_tracked_table_shows_the_same_columns_as_by_polling()
    {
        await using var db = await postgres.CreateAsync("CREATE TABLE items (id int PRIMARY KEY, deleted boolean, current_xmin int)");
        await PostgresTracking.EnableAsync(db.ConnectionString, LogicalPostgres.Items, cancellationToken: Cancel);
        await db.RunAsync("INSERT INTO items VALUES (1, true, 2)");
        await using var streamed = await StartAsync(db);
        await using var polled = await PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions { Table = LogicalPostgres.Items },
            cancellationToken: Cancel
        );
        var (stream, poll) = (new Follower(streamed), new Follower(polled));
        await CatchUpAsync(stream, db);
        await db.RunAsync("INSERT INTO items VALUES (2, false, 3)");
        await CatchUpAsync(stream, db);
        await poll.ReadAsync(chunk => chunk.Kind == FeedChunkKind.SnapshotCompleted, Cancel);
        Assert.Equal(poll.Rows, stream.Rows);
        Assert.Equal("{\"current_xmin\":3,\"deleted\":false,\"id\":2}", stream.Rows["2"]);
    }

    [Fact]
    public async Task A_client_gets_the_snapshot_and_then_every_change()
    {
        await using var db = await postgres.CreateAsync();
        await db.RunAsync("INSERT INTO items SELECT g, 'n' || g FROM generate_series(1, 2500) g");
        await using var feed = await StartAsync(db);
        var follower = new Follower(feed);
        await CatchUpAsync(follower, db);
        Assert.Equal(2500, follower.Rows.Count);

        await db.RunAsync(
            "INSERT INTO items VALUES (3000, 'new'); UPDATE items SET name = 'changed' WHERE id = 7; DELETE FROM items WHERE id = 8"
        );
        await db.RunAsync("UPDATE items SET id = 9000 WHERE id = 9");
        await db.RunAsync("DELETE FROM items WHERE id = 10; INSERT INTO items VALUES (10, 'again')");
        var before = follower.Received;
        await CatchUpAsync(follower, db);
        Assert.Equal("{\"id\":10,\"name\":\"again\"}", follower.Rows["10"]);

        // Seven changes; those of a batch that the client had started before it was complete may come twice.
        Assert.InRange(follower.Received - before, 7, 14);
        Assert.Equal(0, follower.Resyncs);
        Assert.Equal(
            "0",
            await db.ScalarAsync("SELECT count(*) FROM pg_attribute WHERE attrelid = 'items'::regclass AND attname = 'txid'")
        );
    }

    [Fact]
    public async Task An_empty_table_is_an_empty_snapshot()
    {
        await using var db = await postgres.CreateAsync();
        await using var feed = await StartAsync(db);
        var follower = new Follower(feed);
        await follower.ReadAsync(chunk => chunk.Kind == FeedChunkKind.SnapshotCompleted, Cancel);
        Assert.Empty(follower.Rows);
        Assert.True(follower.Cursor > 0);
    }

    [Fact]
    public async Task A_client_that_follows_live_gets_each_change_once()
    {
        await using var db = await postgres.CreateAsync();
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
    public async Task From_each_cursor_on_come_the_records_at_it_and_none_below()
    {
        await using var db = await postgres.CreateAsync();
        await using var feed = await StartAsync(db);
        var follower = new Follower(feed);
        await CatchUpAsync(follower, db);
        var start = follower.Cursor;

        // So fast that the log holds several transactions in one piece.
        await db.RunAsync(string.Concat(Enumerable.Range(1, 100).Select(id => $"BEGIN; INSERT INTO items VALUES ({id}, 'n'); COMMIT; ")));
        await CatchUpAsync(follower, db);

        var places = await PlacesAsync(start);
        Assert.Equal(100, places.Count);
        foreach (var (at, place) in places.Index())
            Assert.Equal(places.Skip(at), await PlacesAsync(place));

        async Task<List<long>> PlacesAsync(long cursor)
        {
            var reading = await feed.OpenAsync(new FeedRequest(cursor, follower.Identity, Follower.Heartbeat), Cancel);
            List<long> found = [];
            await foreach (var chunk in reading.Chunks.WithCancellation(Cancel))
            {
                foreach (var line in Encoding.UTF8.GetString(chunk.Lines.Span).Split('\n', StringSplitOptions.RemoveEmptyEntries))
                    found.Add((long)JsonNode.Parse(line)!["since"]!);
                if (chunk.Kind == FeedChunkKind.CaughtUp)
                    break;
            }

            return found;
        }
    }

    [Fact]
    public async Task A_transaction_larger_than_what_is_held_in_memory_comes_whole()
    {
        await using var db = await postgres.CreateAsync();
        await using var feed = await StartAsync(db, (PostgresFeedOptions o) => o with { LiveBytes = 50_000 });
        var follower = new Follower(feed);
        await CatchUpAsync(follower, db);
        await db.RunAsync(
            "INSERT INTO items VALUES (-1, 'before'); INSERT INTO items SELECT g, repeat('x', 100) FROM generate_series(1, "
                + "20000) g; DELETE FROM items WHERE id % 3 = 0"
        );
        await CatchUpAsync(follower, db);
        Assert.Equal(0, follower.Resyncs);
    }

    [Fact]
    public async Task A_large_value_that_an_update_leaves_alone_is_sent_along()
    {
        await using var db = await postgres.CreateAsync("CREATE TABLE items (id int PRIMARY KEY, name text, big text, more text)");
        await db.RunAsync("ALTER TABLE items ALTER COLUMN big SET STORAGE EXTERNAL, ALTER COLUMN more SET STORAGE EXTERNAL");
        await using var feed = await StartAsync(db);
        var follower = new Follower(feed);
        await CatchUpAsync(follower, db);
        await db.RunAsync("INSERT INTO items SELECT g, 'n', repeat(g::text, 5000), repeat('ab', 5000) FROM generate_series(1, 5) g");
        await db.RunAsync(
            "UPDATE items SET name = 'changed'; UPDATE items SET id = id + 100 WHERE id > 3; UPDATE items SET big = "
                + "repeat('y', 9000), id = 200 WHERE id = 3"
        );
        await db.RunAsync("BEGIN; UPDATE items SET name = 'gone' WHERE id = 2; DELETE FROM items WHERE id = 2; COMMIT");
        await CatchUpAsync(follower, db);
        Assert.Contains(follower.Lines, l => l.Contains("\"changed\"", StringComparison.Ordinal));

        await db.RunAsync("ALTER TABLE items REPLICA IDENTITY FULL");
        await db.RunAsync("UPDATE items SET name = 'full'; UPDATE items SET id = -id WHERE id = 1; DELETE FROM items WHERE id = 200");
        await CatchUpAsync(follower, db);
    }

    [Fact]
    public async Task A_generated_column_and_a_key_of_several_columns_are_followed()
    {
        await using var db = await TableAsync(
            "CREATE TABLE items (twice int GENERATED ALWAYS AS (part * 2) STORED, \"the id\" text COLLATE \"C\", part int, "
                + "v numeric, PRIMARY KEY (part, \"the id\"))"
        );
        await using var feed = await StartAsync(db);
        Assert.Equal(["part", "the id"], (await feed.GetStateAsync(Cancel)).KeyColumns);
        var follower = new Follower(feed, "part");
        await follower.ReadAsync(chunk => chunk.Kind == FeedChunkKind.SnapshotCompleted, Cancel);
        await db.RunAsync(
            "INSERT INTO items SELECT 'k' || g, g, g + 0.50 FROM generate_series(1, 20) g".Replace(
                "items SELECT",
                "items (\"the id\", part, v) SELECT",
                StringComparison.Ordinal
            )
        );
        await db.RunAsync(
            "UPDATE items SET v = 1 WHERE part = 3; UPDATE items SET part = part + 100 WHERE part > 15; DELETE FROM items WHERE part < 3"
        );
        await follower.CatchUpAsync(await LogicalPostgres.EndAsync(db), Cancel);
        Assert.Equal(await db.RowsAsync("items", "part"), follower.Rows);
        Assert.Contains("\"twice\":6", follower.Rows["3"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_partitioned_table_is_followed_across_its_partitions()
    {
        await using var db = await TableAsync(
            "CREATE TABLE items (id int PRIMARY KEY, name text) PARTITION BY RANGE (id); CREATE TABLE low PARTITION OF "
                + "items FOR VALUES FROM (0) TO (10); "
                + "CREATE TABLE high (name text, id int NOT NULL PRIMARY KEY); ALTER TABLE items ATTACH PARTITION high DEFAULT"
        );
        await using var feed = await StartAsync(db);
        var follower = new Follower(feed);
        await db.RunAsync("INSERT INTO items SELECT g, 'n' FROM generate_series(1, 20) g");
        await CatchUpAsync(follower, db);
        await db.RunAsync(
            "UPDATE items SET id = id + 15 WHERE id = 7; UPDATE items SET name = 'changed' WHERE id > 12; DELETE FROM items WHERE id = 2"
        );
        await CatchUpAsync(follower, db);
        Assert.Equal(0, follower.Resyncs);
        await db.RunAsync("TRUNCATE low");
        await CatchUpAsync(follower, db);
        Assert.Equal(1, follower.Resyncs);
    }

    [Fact]
    public async Task A_truncate_and_ddl_force_a_resync()
    {
        await using var db = await postgres.CreateAsync();
        await db.RunAsync("INSERT INTO items SELECT g, 'n' FROM generate_series(1, 10) g");
        var notices = new List<string>();
        await using var feed = await StartAsync(db, (PostgresFeedOptions o) => o with { Logger = CallbackLogger.OfWarnings(notices.Add) });
        var follower = new Follower(feed);
        await CatchUpAsync(follower, db);
        await db.RunAsync("BEGIN; INSERT INTO items VALUES (0, 'before'); TRUNCATE items; INSERT INTO items VALUES (1, 'after'); COMMIT");
        await CatchUpAsync(follower, db);
        Assert.Equal(1, follower.Resyncs);

        await db.RunAsync("ALTER TABLE items ALTER COLUMN name TYPE text USING name || '!', ADD COLUMN more int DEFAULT 5");
        await db.RunAsync("INSERT INTO items VALUES (2, 'x', 6)");
        await CatchUpAsync(follower, db);
        Assert.Equal("{\"id\":1,\"more\":5,\"name\":\"after!\"}", follower.Rows["1"]);

        await db.RunAsync(
            "BEGIN; INSERT INTO items VALUES (3, 'y', 7); ALTER TABLE items RENAME COLUMN more TO less; ALTER TABLE items "
                + "DROP COLUMN name; INSERT INTO items VALUES (4, 8); COMMIT"
        );
        await CatchUpAsync(follower, db);
        Assert.Equal("{\"id\":3,\"less\":7}", follower.Rows["3"]);
        Assert.Equal(3, follower.Resyncs);
        Assert.Equal(3, notices.Count);

        // A table of the same name in its place: it must be published, and gets a slot of its own.
        await db.RunAsync("DROP TABLE items; CREATE TABLE items (id int PRIMARY KEY, other text); INSERT INTO items VALUES (1, 'another')");
        await CatchUpAsync(follower, db);
        await db.RunAsync("INSERT INTO items VALUES (2, 'more')");
        await CatchUpAsync(follower, db);
        Assert.Equal(["{\"id\":1,\"other\":\"another\"}", "{\"id\":2,\"other\":\"more\"}"], follower.Rows.Values);
    }

    [Fact]
    public async Task A_name_in_a_type_that_is_changed_forces_a_resync_and_hidden_rows_are_refused()
    {
        await using var db = await postgres.CreateAsync("CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE items (id int PRIMARY KEY, d mood)");
        await db.RunAsync("INSERT INTO items VALUES (1, 'ok')");
        await using (var feed = await StartAsync(db))
        {
            var follower = new Follower(feed);
            await CatchUpAsync(follower, db);
            await db.RunAsync("ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'; INSERT INTO items VALUES (2, 'fine')");
            await CatchUpAsync(follower, db);
            Assert.Equal(["{\"d\":\"fine\",\"id\":1}", "{\"d\":\"fine\",\"id\":2}"], follower.Rows.Values);
        }

        // The stream knows no policies, and would reveal what they hide.
        var role = $"replicates_{Guid.NewGuid():N}";
        await db.RunAsync(
            $"CREATE ROLE {role} LOGIN REPLICATION; GRANT SELECT ON items TO {role}; ALTER TABLE items ENABLE ROW LEVEL SECURITY"
        );
        var reader = TestDatabase.Open(db.ConnectionString.Replace("Username=lockstep", $"Username={role}", StringComparison.Ordinal));
        await Assert.ThrowsAsync<PostgresAccessException>(() => StartAsync(reader));
    }

    [Fact]
    public async Task A_row_looks_the_same_in_the_stream_as_in_a_snapshot()
    {
        var values = new (string Type, string Value)[]
        {
            ("bigint", "9223372036854775807"),
            ("numeric", "123456789012345678901234567890.1230"),
            ("numeric(9,4)", "'NaN'"),
            ("double precision", "0.1"),
            ("real", "'-Infinity'"),
            ("boolean", "true"),
            ("text", "E'a\"b\\n\\u00e9\\U0001F600, {}\\\\'"),
            ("varchar(3)[]", "ARRAY['a,b', NULL, '\"']"),
            ("char(4)", "'x'"),
            ("\"char\"", "'y'"),
            ("name", "'n'"),
            ("timestamptz", "'2024-03-01 12:00:00.5+02'"),
            ("timestamp", "'infinity'"),
            ("date", "'2024-03-01'"),
            ("time(2)", "'12:00:00.123'"),
            ("interval", "'1 day 2 hours'"),
            ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
            ("bytea", "decode(repeat('00ff', 40), 'hex')"),
            ("bytea[]", "ARRAY['\\x01'::bytea, NULL]"),
            ("bytea[]", "ARRAY[['\\x01'::bytea, NULL], ['\\x02'::bytea, '\\x']]"),
            ("timestamptz", "'4713-01-01 00:00 BC'"),
            ("numeric", "'Infinity'"),
            ("interval", "'1 mon -3 days 04:05:06.7'"),
            ("int[]", "'{{1,2},{3,NULL}}'"),
            ("jsonb", "'{\"b\": 1, \"a\": [1.50]}'"),
            ("json", "E'{\"b\": 1,\\r\\n \"a\": \"x\\\\ny\"}'"),
            ("int4range", "'[1,5]'"),
            ("tstzrange", "'[2024-03-01 12:00+02,)'"),
            ("inet", "'10.0.0.1'"),
            ("point", "'(1,2)'"),
            ("money", "12.5"),
            ("xml", "'<a/>'"),
            ("bit varying", "B'101'"),
            ("bit(3)", "B'110'"),
            ("tsvector", "'a b'"),
            ("mood", "'so-so'"),
            ("mood[]", "'{so-so}'"),
            ("small", "7"),
            ("secret", "'\\x00'"),
            ("pair", "ROW(1, 'x')"),
            ("pair[]", "ARRAY[ROW(1, 'x, y')::pair]"),
            ("regclass", "'items'"),
            ("pg_lsn", "'0/1'"),
            ("int", "NULL"),
        };
        await using var db = await postgres.CreateAsync(
            "CREATE TYPE mood AS ENUM ('so-so'); CREATE DOMAIN small AS int CHECK (VALUE < 10); CREATE DOMAIN secret AS "
                + "bytea; CREATE TYPE pair AS (a int, b text);"
                + $"CREATE TABLE items (id int PRIMARY KEY, {string.Join(", ", values.Select((v, i) => $"c{i} {v.Type}"))})"
        );
        var row = string.Join(", ", values.Select(v => v.Value));
        await db.RunAsync($"INSERT INTO items VALUES (1, {row})");
        await using var feed = await StartAsync(db);
        var follower = new Follower(feed);
        await follower.ReadAsync(chunk => chunk.Kind == FeedChunkKind.SnapshotCompleted, Cancel);
        await db.RunAsync($"INSERT INTO items VALUES (2, {row})");
        await follower.CatchUpAsync(await LogicalPostgres.EndAsync(db), Cancel);
        Assert.Equal(
            follower.Lines[0][follower.Lines[0].IndexOf("\"c0\"", StringComparison.Ordinal)..],
            follower.Lines[1][follower.Lines[1].IndexOf("\"c0\"", StringComparison.Ordinal)..]
        );
        Assert.Contains("\"id\":2,", follower.Lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_prepared_transaction_comes_when_it_is_committed_and_one_rolled_back_never()
    {
        await using var db = await postgres.CreateAsync();
        await using var feed = await StartAsync(db);
        await db.RunAsync("BEGIN; INSERT INTO items VALUES (1, 'prepared'); PREPARE TRANSACTION 'one'");
        await db.RunAsync("BEGIN; INSERT INTO items VALUES (2, 'never'); PREPARE TRANSACTION 'two'");
        await db.RunAsync("INSERT INTO items VALUES (3, 'meanwhile')");
        var follower = new Follower(feed);
        await CatchUpAsync(follower, db);
        Assert.Single(follower.Rows);
        await db.RunAsync("COMMIT PREPARED 'one'");
        await db.RunAsync("ROLLBACK PREPARED 'two'");
        await CatchUpAsync(follower, db);
        Assert.Equal(["1", "3"], follower.Rows.Keys);
    }

    [Fact]
    public async Task A_new_feed_on_the_same_slot_goes_on_where_the_last_one_stopped()
    {
        await using var db = await postgres.CreateAsync();
        await db.RunAsync("INSERT INTO items SELECT g, 'n' FROM generate_series(1, 10) g");
        var options = LogicalPostgres.Options(_folder);
        var follower = await FollowAsync(db, options);
        await db.RunAsync("UPDATE items SET name = 'while nobody looked' WHERE id = 5; DELETE FROM items WHERE id = 6");
        await using var feed = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
        var again = new Follower(feed);
        Assert.Equal(follower.Identity, (await feed.GetStateAsync(Cancel)).Identity);
        await CatchUpAsync(again, db);
        Assert.Equal(follower.Identity, again.Identity);
        var resumed = new FeedRequest(follower.Cursor, follower.Identity, Follower.Heartbeat);
        var reading = await feed.OpenAsync(resumed, Cancel);
        var lines = 0;
        await foreach (var chunk in reading.Chunks)
        {
            lines += chunk.Lines.Span.Count((byte)'\n');
            if (chunk.Kind == FeedChunkKind.CaughtUp)
                break;
        }

        Assert.Equal(2, lines);
    }

    [Fact]
    public async Task Without_its_log_or_its_slot_a_feed_starts_over_with_another_identity()
    {
        await using var db = await postgres.CreateAsync();
        await db.RunAsync("INSERT INTO items SELECT g, 'n' FROM generate_series(1, 10) g");
        var notices = new List<string>();
        var options = LogicalPostgres.Options(_folder) with { Logger = CallbackLogger.OfWarnings(notices.Add) };
        var first = await FollowAsync(db, options);
        File.Delete(_folder["items.log"]);
        File.Delete(_folder["items.log-wal"]);
        var second = await FollowAsync(db, options);
        Assert.NotEqual(first.Identity, second.Identity);
        Assert.Equal("1", await db.ScalarAsync("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"));

        await LogicalPostgres.DropSlotsAsync(db);
        await db.RunAsync("DELETE FROM items WHERE id = 1");
        await using (var feed = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel))
        {
            await Assert.ThrowsAsync<FeedIdentityChangedException>(async () =>
                await feed.OpenAsync(new FeedRequest(second.Cursor, second.Identity, Follower.Heartbeat), Cancel)
            );
        }

        Assert.Contains("is gone from the server", Assert.Single(notices), StringComparison.Ordinal);

        await Eventually.WithoutAsync<FeedUnavailableException>(() =>
            PostgresFeed.RemoveReplicationAsync(db.ConnectionString, options, Cancel)
        );
        await PostgresFeed.RemoveReplicationAsync(db.ConnectionString, options, Cancel);
        Assert.Equal(
            "0|0",
            await db.ScalarAsync(
                "SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()) || '|' || (SELECT "
                    + "count(*) FROM pg_publication)"
            )
        );
    }

    [Fact]
    public async Task A_feed_that_is_ended_as_its_stream_begins_ends()
    {
        await using var db = await postgres.CreateAsync();
        var to = new Npgsql.NpgsqlConnectionStringBuilder(db.ConnectionString);
        await using var held = new HeldServer(to.Port, "START_REPLICATION");
        to.Port = held.Port;
        await using var feed = await PostgresFeed.StartAsync(
            to.ConnectionString,
            LogicalPostgres.Options(_folder),
            cancellationToken: Cancel
        );
        await held.Held.WaitAsync(Eventually.Deadline, Cancel);
        await feed.DisposeAsync().AsTask().WaitAsync(Eventually.Deadline, Cancel);
    }

    [Fact]
    public async Task The_identity_is_never_that_of_polling()
    {
        await using var db = await postgres.CreateAsync();
        await PostgresTracking.EnableAsync(db.ConnectionString, LogicalPostgres.Items, cancellationToken: Cancel);
        await using var polling = await PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions { Table = LogicalPostgres.Items },
            cancellationToken: Cancel
        );
        await using var feed = await StartAsync(db);
        var (one, other) = (await polling.GetStateAsync(Cancel), await feed.GetStateAsync(Cancel));
        Assert.NotEqual(one.Identity, other.Identity);
        await Assert.ThrowsAsync<FeedIdentityChangedException>(async () =>
            await feed.OpenAsync(new FeedRequest(one.Horizon, one.Identity, Follower.Heartbeat), Cancel)
        );
        await Assert.ThrowsAsync<FeedIdentityChangedException>(async () =>
            await polling.OpenAsync(new FeedRequest(1, other.Identity, Follower.Heartbeat), Cancel)
        );
    }

    [Fact]
    public async Task A_cursor_older_than_the_log_is_expired_and_the_log_keeps_to_its_size()
    {
        await using var db = await postgres.CreateAsync();
        await using var feed = await StartAsync(db, (PostgresReplicationOptions r) => r with { LogBytes = 64 << 10 });
        var follower = new Follower(feed);
        await CatchUpAsync(follower, db);
        var old = new FeedRequest(follower.Cursor, follower.Identity, Follower.Heartbeat);
        for (var i = 0; i < 20; i++)
            await db.RunAsync($"INSERT INTO items SELECT {i} * 100 + g, repeat('x', 100) FROM generate_series(1, 100) g");
        FeedCursorExpiredException? expired = null;
        await Eventually.TrueAsync(async () =>
        {
            expired = await Record.ExceptionAsync(async () => await feed.OpenAsync(old, Cancel)) as FeedCursorExpiredException;
            return expired is not null;
        });
        Assert.InRange(expired!.Oldest, old.Since + 1, await LogicalPostgres.EndAsync(db));
        await Assert.ThrowsAsync<FeedBehindException>(async () => await feed.OpenAsync(old with { Since = long.MaxValue }, Cancel));
        var fresh = new Follower(feed);
        await CatchUpAsync(fresh, db);
        Assert.Equal(2000, fresh.Rows.Count);
    }

    [Fact]
    public async Task Pages_of_a_snapshot_and_the_log_after_their_horizon_make_the_table()
    {
        await using var db = await postgres.CreateAsync();
        await db.RunAsync("INSERT INTO items SELECT g, 'n' FROM generate_series(1, 25) g");
        await using var feed = await StartAsync(db, (PostgresFeedOptions o) => o with { PageRows = 10 });
        var first = await feed.ReadPageAsync(new SnapshotPageRequest(null, null, null), Cancel);
        await db.RunAsync("UPDATE items SET name = 'later' WHERE id = 20; DELETE FROM items WHERE id = 3");
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
                Assert.Equal(first.Horizon, json.RootElement.GetProperty("since").GetInt64());
            }

            if (page.Next is null)
                break;
        }

        Assert.Equal(Enumerable.Range(1, 25), ids);
        var reading = await feed.OpenAsync(new FeedRequest(first.Horizon, first.Identity, Follower.Heartbeat), Cancel);
        var lines = new List<string>();
        await foreach (var chunk in reading.Chunks)
        {
            lines.AddRange(System.Text.Encoding.UTF8.GetString(chunk.Lines.Span).Split('\n', StringSplitOptions.RemoveEmptyEntries));
            if (chunk.Kind == FeedChunkKind.CaughtUp)
                break;
        }

        Assert.Contains(lines, l => l.Contains("\"later\"", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.Contains("\"deleted\":true,\"data\":{\"id\":3}", StringComparison.Ordinal));
        await Assert.ThrowsAsync<FeedPositionException>(async () =>
            await feed.ReadPageAsync(new SnapshotPageRequest(first.Identity, first.Horizon, "x'; drop table items"), Cancel)
        );
        await Assert.ThrowsAsync<FeedIdentityChangedException>(async () =>
            await feed.ReadPageAsync(new SnapshotPageRequest("other", first.Horizon, first.Next), Cancel)
        );
    }

    [Fact]
    public async Task A_synced_table_file_equals_the_table_in_the_database()
    {
        await using var db = await postgres.CreateAsync();
        await db.RunAsync("INSERT INTO items SELECT g, 'n' || g FROM generate_series(1, 3000) g");
        var feed = await StartAsync(db, (PostgresReplicationOptions r) => r with { LogBytes = 64 << 10 });
        await using var server = await FeedServer.StartAsync(
            [feed],
            new FeedServerOptions { HeartbeatInterval = TimeSpan.FromMilliseconds(200) },
            cancellationToken: Cancel
        );
        var file = new SyncedFile(new Uri(server.Uri, "items"), _folder["items.db"]);
        await file.SyncUntilAsync(await db.RowsAsync("items"), Cancel);
        await db.RunAsync(
            "DELETE FROM items WHERE id < 100; UPDATE items SET name = 'changed' WHERE id % 10 = 0; UPDATE items SET id = "
                + "-id WHERE id > 2990"
        );
        await file.SyncUntilAsync(await db.RowsAsync("items"), Cancel);

        // More than the log keeps, which means a resync with the same identity; and one with another.
        for (var i = 0; i < 4; i++)
        {
            await db.RunAsync(
                "UPDATE items SET name = name || 'x'; DELETE FROM items WHERE id = (SELECT max(id) FROM items); INSERT "
                    + "INTO items VALUES (5, 'back') ON CONFLICT DO NOTHING"
            );
        }

        await file.SyncUntilAsync(await db.RowsAsync("items"), Cancel);
        await db.RunAsync("TRUNCATE items; INSERT INTO items VALUES (1, 'after')");
        await file.SyncUntilAsync(await db.RowsAsync("items"), Cancel);
    }

    /// <summary>A feed's whole life, from start to end, with one client.</summary>
    private static async Task<Follower> FollowAsync(TestDatabase db, PostgresFeedOptions options)
    {
        await using var feed = await PostgresFeed.StartAsync(db.ConnectionString, options, cancellationToken: Cancel);
        var follower = new Follower(feed);
        await CatchUpAsync(follower, db);
        return follower;
    }

    private static async Task CatchUpAsync(Follower follower, TestDatabase db)
    {
        await LogicalPostgres.CatchUpAsync(follower, db, Cancel);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
    }

    private Task<TestDatabase> TableAsync(string sql) => postgres.CreateAsync(sql);

    private Task<PostgresFeed> StartAsync(TestDatabase db, Func<PostgresReplicationOptions, PostgresReplicationOptions> change) =>
        PostgresFeed.StartAsync(db.ConnectionString, LogicalPostgres.Options(_folder, change), cancellationToken: Cancel);

    private Task<PostgresFeed> StartAsync(TestDatabase db, Func<PostgresFeedOptions, PostgresFeedOptions>? change = null)
    {
        var options = LogicalPostgres.Options(_folder);
        return PostgresFeed.StartAsync(db.ConnectionString, change is null ? options : change(options), cancellationToken: Cancel);
    }
}
