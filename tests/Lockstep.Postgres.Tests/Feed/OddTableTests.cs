using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Replication;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>What a DBA does with a table that is served, by polling and by replication: clients end with the table.</summary>
public sealed class OddTableTests(LogicalPostgres postgres) : IClassFixture<LogicalPostgres>, IDisposable
{
    private const string Plain = "CREATE TABLE items (id int PRIMARY KEY, name text)";
    private const string Three = "INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')";
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    /// <summary>The table, and what is done to it, one transaction after the other.</summary>
    public static TheoryData<string, string> Tables =>
        new()
        {
            {
                "savepoints",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text)
                    ----
                    INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')
                    ----
                    BEGIN; SAVEPOINT a; UPDATE items SET name = 'x'; ROLLBACK TO a; DELETE FROM items WHERE id = 2; SAVEPOINT b;
                        INSERT INTO items VALUES (4, 'd'); RELEASE b; SAVEPOINT c; INSERT INTO items VALUES (5, 'e'); ROLLBACK TO c;
                        COMMIT
                    ----
                    DO $$ BEGIN BEGIN UPDATE items SET name = 'y' WHERE id = 1; RAISE 'no'; EXCEPTION WHEN OTHERS THEN UPDATE items
                        SET name = 'z' WHERE id = 3; END; END $$
                    """
            },
            {
                "prepared",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text)
                    ----
                    INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')
                    ----
                    BEGIN; UPDATE items SET name = 'x' WHERE id = 1; DELETE FROM items WHERE id = 3; PREPARE TRANSACTION 'odd'
                    ----
                    INSERT INTO items VALUES (7, 'between')
                    ----
                    COMMIT PREPARED 'odd'
                    ----
                    BEGIN; DELETE FROM items; PREPARE TRANSACTION 'odd2'
                    ----
                    ROLLBACK PREPARED 'odd2'
                    """
            },
            {
                "copy",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text)
                    ----
                    INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')
                    ----
                    COPY items (id, name) FROM PROGRAM 'printf "10\tten\n11\televen\n"'
                    ----
                    DELETE FROM items WHERE id = 10
                    ----
                    COPY items (id, name) FROM PROGRAM 'printf "10\tagain\n"'
                    """
            },
            {
                "conflict",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text)
                    ----
                    INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')
                    ----
                    INSERT INTO items VALUES (1, 'x'), (8, 'n') ON CONFLICT (id) DO UPDATE SET name = 'upd'
                    ----
                    INSERT INTO items VALUES (1, 'y') ON CONFLICT DO NOTHING
                    ----
                    DELETE FROM items WHERE id = 8
                    ----
                    INSERT INTO items VALUES (8, 'n2') ON CONFLICT (id) DO UPDATE SET id = 80
                    ----
                    INSERT INTO items VALUES (8, 'n3') ON CONFLICT (id) DO UPDATE SET id = 80
                    """
            },
            {
                "cte",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text)
                    ----
                    INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')
                    ----
                    WITH gone AS (DELETE FROM items WHERE id < 3 RETURNING *) INSERT INTO items SELECT id + 10, name FROM gone
                    ----
                    WITH a AS (UPDATE items SET name = 'q' WHERE id = 3 RETURNING id) DELETE FROM items WHERE id = 11
                    """
            },
            {
                "row triggers",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text); CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$
                        BEGIN IF NEW.name = 'skip' THEN RETURN NULL; END IF; NEW.name := upper(NEW.name); NEW.id := abs(NEW.id);
                        RETURN NEW; END $$; CREATE TRIGGER odd BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION odd();
                        CREATE FUNCTION zodd() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF pg_trigger_depth() < 2 THEN UPDATE
                        items SET name = name || '!' WHERE id = NEW.id; DELETE FROM items WHERE name LIKE 'GO%'; END IF; RETURN
                        NULL; END $$; CREATE TRIGGER zzz_odd AFTER INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION zodd()
                    ----
                    INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')
                    ----
                    INSERT INTO items VALUES (-9, 'minus'), (10, 'skip'), (11, 'go')
                    ----
                    UPDATE items SET name = 'skip' WHERE id = 1
                    ----
                    UPDATE items SET name = 'go' WHERE id = 2
                    ----
                    INSERT INTO items VALUES (2, 'two')
                    """
            },
            {
                "cancelled delete",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text); CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$
                        BEGIN IF OLD.id = 2 THEN UPDATE items SET name = 'kept' WHERE id = 2; RETURN NULL; END IF; RETURN OLD; END
                        $$; CREATE TRIGGER odd BEFORE DELETE ON items FOR EACH ROW EXECUTE FUNCTION odd()
                    ----
                    INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')
                    ----
                    DELETE FROM items
                    """
            },
            {
                "rule",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text); CREATE RULE odd AS ON DELETE TO items DO INSTEAD UPDATE
                        items SET name = 'ruled' WHERE id = OLD.id
                    ----
                    INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')
                    ----
                    DELETE FROM items WHERE id = 1
                    ----
                    UPDATE items SET name = 'n' WHERE id = 2
                    """
            },
            {
                "cascade",
                """
                    CREATE TABLE p (k int PRIMARY KEY); CREATE TABLE items (id int PRIMARY KEY, k int REFERENCES p ON DELETE CASCADE
                        ON UPDATE CASCADE)
                    ----
                    INSERT INTO p VALUES (1), (2), (3)
                    ----
                    INSERT INTO items SELECT g, g % 3 + 1 FROM generate_series(1, 9) g
                    ----
                    UPDATE p SET k = 30 WHERE k = 3
                    ----
                    DELETE FROM p WHERE k = 1
                    """
            },
            {
                "generated",
                """
                    CREATE TABLE items (id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a * 2) STORED)
                    ----
                    INSERT INTO items VALUES (1, 1), (2, 2)
                    ----
                    UPDATE items SET a = 5 WHERE id = 1
                    ----
                    DELETE FROM items WHERE id = 2
                    """
            },
            {
                "identity always",
                """
                    CREATE TABLE items (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text)
                    ----
                    INSERT INTO items (v) VALUES ('a'), ('b')
                    ----
                    INSERT INTO items OVERRIDING SYSTEM VALUE VALUES (7, 'c')
                    ----
                    UPDATE items SET id = DEFAULT WHERE v = 'c'
                    ----
                    ALTER TABLE items ALTER id RESTART WITH 50
                    ----
                    INSERT INTO items (v) VALUES ('d')
                    """
            },
            {
                "enum key",
                """
                    CREATE TYPE mood AS ENUM ('x', 'a', 'm'); CREATE TABLE items (id mood PRIMARY KEY, v int)
                    ----
                    INSERT INTO items VALUES ('a', 1), ('x', 2)
                    ----
                    ALTER TYPE mood ADD VALUE 'first' BEFORE 'x'
                    ----
                    INSERT INTO items VALUES ('first', 3)
                    ----
                    ALTER TYPE mood RENAME VALUE 'a' TO 'b'
                    ----
                    DELETE FROM items WHERE id = 'x'
                    ----
                    UPDATE items SET v = 9
                    """
            },
            {
                "numrange key",
                """
                    CREATE TABLE items (id numrange PRIMARY KEY, v int)
                    ----
                    INSERT INTO items VALUES ('[1,5)', 1), ('[7,9]', 2)
                    ----
                    UPDATE items SET id = '[1.0,5.00)' WHERE v = 1
                    ----
                    DELETE FROM items WHERE v = 2
                    ----
                    INSERT INTO items VALUES ('[7.0,9]', 2)
                    """
            },
            {
                "multirange key",
                """
                    CREATE TABLE items (id nummultirange PRIMARY KEY, v int)
                    ----
                    INSERT INTO items VALUES ('{[1,5),[7,8)}', 1), ('{}', 2)
                    ----
                    UPDATE items SET id = '{[1.0,5.00),[7,8)}' WHERE v = 1
                    ----
                    DELETE FROM items WHERE v = 2
                    """
            },
            {
                "citext like",
                """
                    CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false); CREATE TABLE items (id
                        text COLLATE ci PRIMARY KEY, v int)
                    ----
                    INSERT INTO items VALUES ('Anna', 1), ('bob', 2)
                    ----
                    UPDATE items SET id = 'ANNA' WHERE v = 1
                    ----
                    DELETE FROM items WHERE id = 'BOB'
                    ----
                    INSERT INTO items VALUES ('BOB', 3)
                    """
            },
            {
                "renamed column",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text)
                    ----
                    INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')
                    ----
                    ALTER TABLE items RENAME COLUMN name TO label
                    ----
                    UPDATE items SET label = 'x' WHERE id = 1
                    ----
                    ALTER TABLE items RENAME COLUMN label TO name
                    ----
                    UPDATE items SET name = 'y' WHERE id = 2
                    """
            },
            {
                "swapped columns",
                """
                    CREATE TABLE items (id int PRIMARY KEY, a text, b text)
                    ----
                    INSERT INTO items VALUES (1, 'a', 'b')
                    ----
                    ALTER TABLE items RENAME a TO c; ALTER TABLE items RENAME b TO a; ALTER TABLE items RENAME c TO b
                    ----
                    INSERT INTO items VALUES (2, 'x', 'y')
                    """
            },
            {
                "dropped column",
                """
                    CREATE TABLE items (x int, id int PRIMARY KEY, y int, name text); ALTER TABLE items DROP COLUMN x, DROP COLUMN y
                    ----
                    INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')
                    ----
                    UPDATE items SET name = 'u' WHERE id = 2
                    ----
                    DELETE FROM items WHERE id = 1
                    """
            },
            {
                "renamed away",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text)
                    ----
                    INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')
                    ----
                    ALTER TABLE items RENAME TO other; ALTER TABLE other RENAME TO items
                    ----
                    UPDATE items SET name = 'u' WHERE id = 2
                    ----
                    CREATE SCHEMA away; ALTER TABLE items SET SCHEMA away; ALTER TABLE away.items SET SCHEMA public
                    ----
                    DELETE FROM items WHERE id = 1
                    """
            },
            {
                "truncate",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text)
                    ----
                    INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')
                    ----
                    TRUNCATE items
                    ----
                    INSERT INTO items VALUES (2, 'after')
                    ----
                    BEGIN; TRUNCATE items; INSERT INTO items VALUES (9, 'in'); COMMIT
                    ----
                    BEGIN; TRUNCATE items; ROLLBACK
                    ----
                    INSERT INTO items VALUES (10, 'x')
                    """
            },
            {
                "identity full",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text)
                    ----
                    INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')
                    ----
                    ALTER TABLE items REPLICA IDENTITY FULL
                    ----
                    UPDATE items SET name = 'u' WHERE id = 2
                    ----
                    DELETE FROM items WHERE id = 1
                    ----
                    ALTER TABLE items REPLICA IDENTITY DEFAULT
                    ----
                    DELETE FROM items WHERE id = 3
                    """
            },
            {
                "toast",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text)
                    ----
                    INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')
                    ----
                    UPDATE items SET name = (SELECT string_agg(md5(g::text), '') FROM generate_series(1, 3000) g) WHERE id = 1
                    ----
                    UPDATE items SET id = 100 WHERE id = 1
                    ----
                    ALTER TABLE items ADD COLUMN n int
                    ----
                    UPDATE items SET n = 5 WHERE id = 100
                    """
            },
            {
                "other partition order",
                """
                    CREATE TABLE items (id int, part int, name text, PRIMARY KEY (id, part)) PARTITION BY LIST (part); CREATE TABLE
                        p1 PARTITION OF items FOR VALUES IN (1)
                    ----
                    INSERT INTO items VALUES (1, 1, 'a'), (2, 1, 'b')
                    ----
                    CREATE TABLE p2 (name text, junk int, part int NOT NULL, id int NOT NULL); ALTER TABLE p2 DROP COLUMN junk; DO
                        $$ BEGIN IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'items'::regclass AND attname = 'txid') THEN
                        ALTER TABLE p2 ADD COLUMN txid bigint NOT NULL DEFAULT txid_current(); END IF; END $$; ALTER TABLE items
                        ATTACH PARTITION p2 FOR VALUES IN (2)
                    ----
                    INSERT INTO items VALUES (3, 2, 'c')
                    ----
                    UPDATE items SET part = 3 - part WHERE id = 1
                    ----
                    INSERT INTO p2 (id, part, name) VALUES (5, 2, 'direct')
                    ----
                    UPDATE p2 SET name = 'd2' WHERE id = 5
                    ----
                    DELETE FROM p2 WHERE id = 3
                    ----
                    CREATE TABLE pd PARTITION OF items DEFAULT PARTITION BY RANGE (id); CREATE TABLE pd1 PARTITION OF pd FOR VALUES
                        FROM (0) TO (1000)
                    ----
                    INSERT INTO items VALUES (9, 77, 'deep')
                    ----
                    UPDATE items SET part = 78 WHERE id = 9
                    ----
                    ALTER TABLE items DETACH PARTITION p2
                    ----
                    INSERT INTO items VALUES (10, 2, 'to default')
                    ----
                    TRUNCATE pd1
                    ----
                    INSERT INTO items VALUES (11, 1, 'last')
                    """
            },
            {
                "writable view",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text); CREATE VIEW v AS SELECT * FROM items WHERE id < 100
                    ----
                    INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')
                    ----
                    UPDATE v SET name = 'via' WHERE id = 1
                    ----
                    DELETE FROM v WHERE id = 2
                    ----
                    INSERT INTO v (id, name) VALUES (5, 'via')
                    """
            },
            {
                "wide types",
                """
                    CREATE TYPE pair AS (a int, b text); CREATE TABLE items (id int PRIMARY KEY, c pair, r tstzrange, m
                        int4multirange, a text[], j jsonb, x xml, ts tsvector, p point, h bit(3), n numeric, f float8)
                    ----
                    INSERT INTO items VALUES (1, (1, 'q"'), '[2020-01-01, 2021-01-01)', '{[1,3)}', '{a,NULL,"b c"}',
                        '{"a":[1,null]}', '<a/>', 'a:1 b:2', '(1,2)', '101', 'NaN', 'Infinity')
                    ----
                    UPDATE items SET c = (2, NULL), f = 'NaN', n = 1e-10 WHERE id = 1
                    ----
                    ALTER TYPE pair ADD ATTRIBUTE c int
                    ----
                    UPDATE items SET c = (3, 'x', 4)
                    ----
                    ALTER TYPE pair RENAME ATTRIBUTE a TO z
                    """
            },
            {
                "merge from 15",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text)
                    ----
                    MERGE INTO items USING generate_series(1, 4) g ON id = g WHEN NOT MATCHED THEN INSERT VALUES (g, 'new')
                    ----
                    MERGE INTO items USING generate_series(3, 6) g ON id = g WHEN MATCHED AND g = 3 THEN DELETE
                        WHEN MATCHED THEN UPDATE SET name = 'again', id = 40 WHEN NOT MATCHED THEN INSERT VALUES (g, 'late')
                    ----
                    MERGE INTO items USING generate_series(3, 3) g ON id = g WHEN NOT MATCHED THEN INSERT VALUES (g, 'back')
                        WHEN MATCHED THEN DO NOTHING
                    """
            },
            {
                "merge between partitions from 15",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text) PARTITION BY RANGE (id); CREATE TABLE a PARTITION OF items
                        FOR VALUES FROM (0) TO (10); CREATE TABLE b PARTITION OF items DEFAULT
                    ----
                    MERGE INTO items USING generate_series(1, 4) g ON id = g WHEN NOT MATCHED THEN INSERT VALUES (g, 'new')
                    ----
                    MERGE INTO items USING generate_series(2, 6) g ON id = g WHEN MATCHED AND g = 2 THEN DELETE
                        WHEN MATCHED THEN UPDATE SET id = id + 10 WHEN NOT MATCHED THEN INSERT VALUES (g, 'late')
                    """
            },
            {
                "virtual columns from 18",
                """
                    CREATE TABLE items (id int PRIMARY KEY, name text, upper text GENERATED ALWAYS AS (upper(name)) VIRTUAL)
                    ----
                    INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')
                    ----
                    UPDATE items SET name = 'x' WHERE id = 2
                    ----
                    ALTER TABLE items DROP COLUMN upper, ADD COLUMN upper text GENERATED ALWAYS AS (name || '!')
                    ----
                    ALTER TABLE items ADD COLUMN twice int GENERATED ALWAYS AS (id * 2)
                    ----
                    UPDATE items SET id = 9 WHERE id = 3
                    ----
                    ALTER TABLE items DROP COLUMN upper
                    ----
                    DELETE FROM items WHERE id = 1
                    """
            },
        };

    [Theory]
    [MemberData(nameof(Tables))]
    public async Task Clients_end_with_the_table(string what, string sql)
    {
        var parts = sql.Split("\n----\n");
        var faults = new List<string>();
        foreach (var mode in (PostgresFeedMode[])[PostgresFeedMode.Polling, PostgresFeedMode.Replication])
        {
            await using var db = await postgres.CreateAsync("SELECT 1");
            if (what.Split(" from ") is [_, var first])
                await NeedAsync(db, first);
            await db.RunAsync(parts[0]);
            if (mode == PostgresFeedMode.Polling)
                await PostgresTracking.EnableAsync(db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
            await using var feed = await PostgresFeed.StartAsync(
                db.ConnectionString,
                LogicalPostgres.Options(_folder, r => r with { LogPath = _folder[$"{mode}.log"] }) with
                {
                    Mode = mode,
                },
                cancellationToken: Cancel
            );
            var (often, seldom) = (new Follower(feed), new Follower(feed));
            await CatchUpAsync(seldom, db, mode);
            foreach (var step in parts.Skip(1))
            {
                await db.RunAsync(step);
                if (faults.Count == 0)
                    await CatchUpAsync(often, db, mode);
                if (faults.Count == 0 && !await SameAsync(db, often))
                    faults.Add($"{mode} after {step}: {await DifferenceAsync(db, often)}");
            }

            await CatchUpAsync(seldom, db, mode);
            if (!await SameAsync(db, seldom))
                faults.Add($"{mode} at the end: {await DifferenceAsync(db, seldom)}");
        }

        Assert.True(faults.Count == 0, $"{what}: {string.Join('\n', faults)}");
    }

    /// <summary>The table, what makes its changes go unnoticed, what is changed meanwhile, and what ends that.</summary>
    public static TheoryData<string, string, string> Unfit =>
        new()
        {
            {
                "ALTER TABLE items DISABLE TRIGGER USER",
                "UPDATE items SET name = 'x'; DELETE FROM items WHERE id = 2",
                "ALTER TABLE items ENABLE TRIGGER USER"
            },
            {
                "ALTER TABLE items ENABLE REPLICA TRIGGER zz_lockstep_stamp; ALTER TABLE items ENABLE REPLICA TRIGGER zz_lockstep_rows",
                "UPDATE items SET name = 'x'; DELETE FROM items WHERE id = 2",
                "ALTER TABLE items ENABLE ALWAYS TRIGGER zz_lockstep_stamp; ALTER TABLE items ENABLE ALWAYS TRIGGER zz_lockstep_rows"
            },
            Missing("stamp", "UPDATE items SET name = 'x'"),
            Missing("key", "UPDATE items SET id = 9 WHERE id = 2"),
            Missing("rows", "DELETE FROM items WHERE id = 2"),
            Missing("truncate", "TRUNCATE items"),
            {
                "CREATE TABLE heirs () INHERITS (items)",
                "INSERT INTO heirs VALUES (7, 'x'); UPDATE heirs SET name = 'y'",
                "ALTER TABLE heirs NO INHERIT items"
            },
            {
                "ALTER TABLE items DROP CONSTRAINT items_pkey",
                "INSERT INTO items VALUES (1, 'second')",
                "DELETE FROM items WHERE name = 'second'; ALTER TABLE items ADD PRIMARY KEY (id)"
            },
        };

    /// <summary>A trigger is dropped, and made again as it was.</summary>
    private static (string, string, string) Missing(string trigger, string change) =>
        (
            $"CREATE TABLE made AS SELECT pg_get_triggerdef(oid) AS sql FROM pg_trigger WHERE tgname = 'zz_lockstep_{trigger}'; "
                + $"DROP TRIGGER zz_lockstep_{trigger} ON items",
            change,
            $"DO 'BEGIN EXECUTE (SELECT sql FROM made); END'; ALTER TABLE items ENABLE ALWAYS TRIGGER zz_lockstep_{trigger}"
        );

    [Theory]
    [MemberData(nameof(Unfit))]
    public async Task A_tracked_table_is_not_served_while_changes_of_it_are_missed(string begin, string change, string end)
    {
        await using var db = await postgres.CreateAsync(Plain);
        await PostgresTracking.EnableAsync(db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        await db.RunAsync(Three);
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            LogicalPostgres.Options(_folder) with
            {
                Mode = PostgresFeedMode.Polling,
            },
            cancellationToken: Cancel
        );
        var client = new Follower(feed);
        await CatchUpAsync(client, db, PostgresFeedMode.Polling);
        await db.RunAsync(begin);
        await db.RunAsync(change);
        var refused = await Record.ExceptionAsync(async () => await feed.OpenAsync(new FeedRequest(0, null, Follower.Heartbeat), Cancel));
        Assert.True(refused is PostgresTableException or FeedUnavailableException, refused?.ToString() ?? "It is served.");
        await db.RunAsync(end);
        await Eventually.WithoutAsync<PostgresTableException>(() => CatchUpAsync(client, db, PostgresFeedMode.Polling));
        Assert.Equal(await db.RowsAsync("items"), client.Rows);
    }

    [Fact]
    public async Task A_generated_key_is_refused_by_replication_and_served_by_polling()
    {
        await using var db = await postgres.CreateAsync(
            "CREATE TABLE items (a int, id int GENERATED ALWAYS AS (a + 1) STORED PRIMARY KEY)"
        );
        var refused = await Assert.ThrowsAsync<PostgresTableException>(() =>
            PostgresFeed.StartAsync(db.ConnectionString, LogicalPostgres.Options(_folder), cancellationToken: Cancel)
        );
        Assert.Contains("key column id of items is generated", refused.Message, StringComparison.Ordinal);
        await PostgresTracking.EnableAsync(db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            LogicalPostgres.Options(_folder) with
            {
                Mode = PostgresFeedMode.Polling,
            },
            cancellationToken: Cancel
        );
        var client = new Follower(feed);
        foreach (
            var sql in (string[])
                ["INSERT INTO items VALUES (1), (2)", "UPDATE items SET a = 5 WHERE id = 2", "DELETE FROM items WHERE id = 3"]
        )
        {
            await db.RunAsync(sql);
            await CatchUpAsync(client, db, PostgresFeedMode.Polling);
            Assert.Equal(await db.RowsAsync("items"), client.Rows);
        }
    }

    [Theory]
    [InlineData(PostgresFeedMode.Polling)]
    [InlineData(PostgresFeedMode.Replication)]
    public async Task Names_may_be_anything(PostgresFeedMode mode)
    {
        const string Table = "\"Süd $1 \"\"%\".\"it's 表; -- {0}\"";
        const string Key = "Schlüssel \"k\" 😀";
        await using var db = await postgres.CreateAsync(
            $"""
            CREATE SCHEMA "Süd $1 ""%"; CREATE TABLE {Table} ("{Key.Replace("\"", "\"\"", StringComparison.Ordinal)}" int PRIMARY KEY,
                "r" text, "key0" text, "t.x'" text, "data " text) PARTITION BY RANGE ("{Key.Replace(
                "\"",
                "\"\"",
                StringComparison.Ordinal
            )}");
            CREATE TABLE "Süd $1 ""%"."p 一 ""0" PARTITION OF {Table} FOR VALUES FROM (0) TO (10)
            """
        );
        var name = new TableName("Süd $1 \"%", "it's 表; -- {0}");
        if (mode == PostgresFeedMode.Polling)
            await PostgresTracking.EnableAsync(db.ConnectionString, name, cancellationToken: Cancel);
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            LogicalPostgres.Options(_folder) with
            {
                Table = name,
                Mode = mode,
            },
            cancellationToken: Cancel
        );
        var client = new Follower(feed, Key);
        foreach (
            var sql in (string[])
                [
                    $"INSERT INTO {Table} VALUES (1, 'r', 'k', 'é''\"', NULL), (2, 'r', NULL, 't', 'd')",
                    $"CREATE TABLE \"Süd $1 \"\"%\".\"p'1\" PARTITION OF {Table} FOR VALUES FROM (10) TO (20)",
                    $"UPDATE {Table} SET \"Schlüssel \"\"k\"\" 😀\" = 12 WHERE r = 'r' AND key0 IS NULL",
                    $"DELETE FROM {Table} WHERE key0 = 'k'; INSERT INTO {Table} VALUES (3, 'x', 'y', 'z', '')",
                    $"ALTER TABLE \"Süd $1 \"\"%\".\"p'1\" RENAME TO \"p ' 2\"",
                    $"ALTER TABLE {Table} ADD COLUMN \"neu \"\"\" text; UPDATE {Table} SET \"neu \"\"\" = 'ü' ",
                ]
        )
        {
            await db.RunAsync(sql);
            await CatchUpAsync(client, db, mode);
            Assert.Equal(await db.RowsAsync(Table, Key.Replace("'", "''", StringComparison.Ordinal)), client.Rows);
        }

        Assert.Equal(0, client.Resyncs);
    }

    [Fact]
    public async Task A_replica_identity_that_tells_nothing_ends_service_until_it_tells_rows_again()
    {
        await using var db = await postgres.CreateAsync(Plain);
        await db.RunAsync(Three);
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            LogicalPostgres.Options(_folder),
            cancellationToken: Cancel
        );
        var client = new Follower(feed);
        await CatchUpAsync(client, db, PostgresFeedMode.Replication);
        await db.RunAsync("ALTER TABLE items REPLICA IDENTITY NOTHING; INSERT INTO items VALUES (4, 'd')");
        var refused = await Record.ExceptionAsync(async () => await feed.OpenAsync(new FeedRequest(0, null, Follower.Heartbeat), Cancel));
        Assert.Contains("does not tell which row", refused?.Message ?? "It is served.", StringComparison.Ordinal);
        await db.RunAsync("ALTER TABLE items REPLICA IDENTITY FULL; DELETE FROM items WHERE id = 1; UPDATE items SET name = 'x'");
        await Eventually.WithoutAsync<PostgresTableException>(() => CatchUpAsync(client, db, PostgresFeedMode.Replication));
        Assert.Equal(await db.RowsAsync("items"), client.Rows);
        await db.RunAsync("ALTER TABLE items REPLICA IDENTITY NOTHING; INSERT INTO items VALUES (5, 'e')");
        await db.RunAsync("ALTER TABLE items REPLICA IDENTITY DEFAULT; DELETE FROM items WHERE id = 2");
        await Eventually.WithoutAsync<PostgresTableException>(() => CatchUpAsync(client, db, PostgresFeedMode.Replication));
        Assert.Equal(await db.RowsAsync("items"), client.Rows);
        Assert.InRange(client.Resyncs, 1, 4);
    }

    [Fact]
    public async Task Generated_columns_that_a_publication_has_are_no_reason_to_start_over()
    {
        await using var db = await postgres.CreateAsync("SELECT 1");
        await NeedAsync(db, "18");
        await db.RunAsync(
            "CREATE TABLE items (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED, name text); CREATE PUBLICATION own FOR "
                + "TABLE items WITH (publish_generated_columns = stored)"
        );
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            LogicalPostgres.Options(_folder, r => r with { Publication = "own" }),
            cancellationToken: Cancel
        );
        var client = new Follower(feed);
        foreach (
            var sql in (string[])
                ["INSERT INTO items (id, name) VALUES (1, 'a'), (2, 'b')", "UPDATE items SET id = 5 WHERE id = 2", "DELETE FROM items"]
        )
        {
            await CatchUpAsync(client, db, PostgresFeedMode.Replication);
            await db.RunAsync(sql);
            await CatchUpAsync(client, db, PostgresFeedMode.Replication);
            Assert.Equal(await db.RowsAsync("items"), client.Rows);
        }

        Assert.Equal(0, client.Resyncs);
    }

    private static async Task NeedAsync(TestDatabase db, string version)
    {
        if (await db.ScalarAsync($"SELECT current_setting('server_version_num')::int < {version}0000") == "True")
            Assert.Skip($"PostgreSQL has it from version {version} on.");
    }

    private static async Task CatchUpAsync(Follower client, TestDatabase db, PostgresFeedMode mode)
    {
        if (mode == PostgresFeedMode.Replication)
        {
            await LogicalPostgres.CatchUpAsync(client, db, Cancel);
            return;
        }

        // A transaction that is prepared holds the horizon.
        var horizon = long.Parse(
            await db.ScalarAsync("SELECT pg_snapshot_xmin(pg_current_snapshot())"),
            System.Globalization.CultureInfo.InvariantCulture
        );
        await Eventually.WithoutAsync<FeedUnavailableException>(() => client.CatchUpAsync(horizon, Cancel));
    }

    private static async Task<bool> SameAsync(TestDatabase db, Follower client) => (await DifferenceAsync(db, client)).Length == 0;

    /// <summary>A member that is null may be absent: the column came later.</summary>
    private static async Task<string> DifferenceAsync(TestDatabase db, Follower client)
    {
        var expected = (await db.RowsAsync("items")).Select(WithoutNulls).ToHashSet();
        var got = client.Rows.Select(WithoutNulls).ToHashSet();
        return string.Join('\n', expected.Except(got).Select(r => "- " + r).Concat(got.Except(expected).Select(r => "+ " + r)));
    }

    private static string WithoutNulls(KeyValuePair<string, string> row)
    {
        var members = System.Text.Json.Nodes.JsonNode.Parse(row.Value)!.AsObject();
        return row.Key
            + " "
            + string.Join(
                ' ',
                members.Where(m => m.Value is not null).Select(m => $"{m.Key}={m.Value!.ToJsonString()}").Order(StringComparer.Ordinal)
            );
    }
}
