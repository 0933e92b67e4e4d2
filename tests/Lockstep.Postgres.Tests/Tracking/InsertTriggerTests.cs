using System.Globalization;
using Lockstep.Postgres.Tests.Feed;
using Lockstep.Postgres.Tests.Replication;
using Lockstep.Testing;
using Npgsql;

namespace Lockstep.Postgres.Tests.Tracking;

/// <summary>An INSERT takes along tombstones in one statement if a statement-level trigger sees all of its rows.</summary>
public sealed class InsertTriggerTests(SharedPostgres postgres)
{
    private const string Keyed = "CREATE TABLE items (id int PRIMARY KEY)";
    private const string Tombstones = "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM lockstep.\"public.items\"";

    private const string RowTriggers = """
        SELECT count(*) FROM pg_trigger WHERE tgrelid = 'items'::regclass AND tgname LIKE 'zz\_lockstep\_%' AND tgtype::int & 7 = 5
        """;

    // As an earlier version created them.
    private const string EarlierTriggers = """
        DROP TRIGGER zz_lockstep_insert ON items;
        CREATE OR REPLACE TRIGGER zz_lockstep_rows AFTER INSERT OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION lockstep."public.items"();
        ALTER TABLE items ENABLE ALWAYS TRIGGER zz_lockstep_rows
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_a_writer_gives_the_stamp_counts_for_nothing_and_an_insert_calls_no_function()
    {
        await using var items = await TableCase.MakeAsync(postgres, "CREATE TABLE items (id int PRIMARY KEY, v int)");
        const string Odd = "SELECT count(*) FROM items WHERE txid <> pg_current_xact_id()::text::bigint";
        await using (var connection = await items.Db.ConnectAsync())
        {
            await connection.ExecuteAsync("BEGIN", Cancel);
            await connection.ExecuteAsync(
                "SET LOCAL track_functions = 'all'; INSERT INTO items VALUES (1, 1); INSERT INTO items (id, txid) VALUES "
                    + "(2, 5), (3, NULL), (4, DEFAULT)",
                Cancel
            );
            await using (var copy = await connection.BeginTextImportAsync("COPY items (id, v, txid) FROM STDIN", Cancel))
                await copy.WriteAsync("5\t1\t7\n6\t1\t9223372036854775807\n");
            await using (var copy = await connection.BeginTextImportAsync("COPY items (id, v) FROM STDIN", Cancel))
                await copy.WriteAsync("7\t1\n");
            await connection.ExecuteAsync(
                "INSERT INTO items SELECT id + 10, v, 3 FROM items; UPDATE items SET txid = 4 WHERE id = 1;"
                    + "INSERT INTO items VALUES (2, 2, 1) ON CONFLICT (id) DO UPDATE SET v = 2, txid = 6",
                Cancel
            );
            Assert.Equal([0L], await connection.QueryAsync(Odd, [], r => r.GetInt64(0), Cancel));

            // Seven copies for the seven rows that INSERT and COPY brought with another stamp, and two updates; none for the four without
            // one.
            Assert.Equal(
                [4L + 7 + 1 + 2],
                await connection.QueryAsync(
                    "SELECT pg_stat_get_xact_function_calls('lockstep.stamp'::regproc)",
                    [],
                    r => r.GetInt64(0),
                    Cancel
                )
            );
            await connection.ExecuteAsync("COMMIT", Cancel);
        }

        await PostgresTracking.DisableAsync(items.Db.ConnectionString, TableCase.Items, Cancel);
        await items.Db.RunAsync("INSERT INTO items VALUES (100, 1)");
    }

    [Theory]
    [InlineData("int", "g", 4)]
    [InlineData("int", "g", 500)]
    [InlineData("interval", "make_interval(hours => g)", 4)]
    [InlineData("interval", "make_interval(hours => g)", 500)]
    public async Task Tombstones_go_with_the_rows_that_one_statement_brings_back(string type, string key, int rows)
    {
        await using var items = await TableCase.MakeAsync(postgres, $"CREATE TABLE items (\"i$$d\" {type} PRIMARY KEY)");
        var insert = FormattableString.Invariant($"INSERT INTO items SELECT {key} FROM generate_series(1, {rows}) g");
        await items.Db.RunAsync(insert);
        await items.Db.RunAsync("DELETE FROM items");
        Assert.Equal(rows.ToString(CultureInfo.InvariantCulture), await CountAsync(items.Db));

        // Back under another name of the table: some of them, then all; existing ones are left out.
        await items.Db.RunAsync("ALTER TABLE items RENAME TO renamed");
        await items.Db.RunAsync(insert.Replace("items", "renamed", StringComparison.Ordinal) + " WHERE g % 2 = 0");
        await items.Db.RunAsync("ALTER TABLE renamed RENAME TO items");
        Assert.Equal((rows / 2).ToString(CultureInfo.InvariantCulture), await CountAsync(items.Db));
        await items.Db.RunAsync($"SET session_replication_role = replica; {insert} ON CONFLICT DO NOTHING");
        Assert.Equal("0", await CountAsync(items.Db));
        Assert.Equal("0", await items.Db.ScalarAsync(RowTriggers));
    }

    [Fact]
    public async Task A_row_that_another_trigger_deletes_again_is_told_as_gone()
    {
        await using var items = await TableCase.MakeAsync(
            postgres,
            Keyed
                + "; INSERT INTO items VALUES (1), (3);"
                + "CREATE FUNCTION prune() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM items WHERE id = 1; RETURN NULL; END'"
        );
        await items.ServeAsync();
        await items.CatchUpAsync();
        await items.Db.RunAsync(
            """
            CREATE TRIGGER prune AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION prune();
            DELETE FROM items WHERE id = 1; INSERT INTO items VALUES (1), (2)
            """
        );
        await items.CatchUpAsync();
        Assert.Equal(["{\"id\":2}", "{\"id\":3}"], items.Client.Rows.Values);
        Assert.Equal(0, items.Client.Resyncs);
    }

    [Fact]
    public async Task Who_tracked_a_table_and_no_longer_owns_it_holds_up_nobody_who_writes()
    {
        await using var items = await TableCase.MakeAsync(
            postgres,
            """
            DO $$ BEGIN CREATE ROLE tracking_first LOGIN; CREATE ROLE tracking_heir; EXCEPTION WHEN duplicate_object THEN END $$;
            DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO tracking_first', current_database()); END $$;
            GRANT CREATE ON SCHEMA public TO tracking_first;
            SET ROLE tracking_first; CREATE TABLE items (id int PRIMARY KEY)
            """,
            track: false
        );
        await PostgresTracking.EnableAsync(
            items.Db.ConnectionString.Replace("Username=lockstep", "Username=tracking_first", StringComparison.Ordinal),
            TableCase.Items,
            cancellationToken: Cancel
        );
        await items.Db.RunAsync("INSERT INTO items SELECT generate_series(1, 30); ALTER TABLE items OWNER TO tracking_heir");
        await items.ServeAsync();
        await items.CatchUpAsync();
        await items.Db.RunAsync("SET ROLE tracking_heir; DELETE FROM items; INSERT INTO items VALUES (1)");
        await items.Db.RunAsync("SET ROLE tracking_heir; INSERT INTO items SELECT generate_series(2, 29)");
        await items.CatchUpAsync();
        Assert.Equal(await items.Db.RowsAsync("items"), items.Client.Rows);
        Assert.Equal(29, items.Client.Rows.Count);
    }

    [Fact]
    public async Task A_table_of_an_earlier_version_gets_the_new_triggers_when_it_is_tracked_again_which_is_said()
    {
        await using var items = await TableCase.MakeAsync(postgres, Keyed);
        await items.Db.RunAsync($"{EarlierTriggers}; ALTER TABLE lockstep.\"public.items\" DROP COLUMN lockstep_at");
        await items.Db.RunAsync("INSERT INTO items SELECT generate_series(1, 100)");
        await items.ServeAsync();
        await items.CatchUpAsync();

        var plan = await PostgresTracking.PlanEnableAsync(items.Db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        Assert.Contains("costs writers less", plan.Warning, StringComparison.Ordinal);
        await PostgresTracking.EnableAsync(items.Db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        Assert.Equal("0", await items.Db.ScalarAsync(RowTriggers));
        var again = await PostgresTracking.PlanEnableAsync(items.Db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        Assert.Empty(again.Statements);
        Assert.Null(again.Warning);

        await items.Db.RunAsync("DELETE FROM items WHERE id < 60; INSERT INTO items SELECT generate_series(1, 50)");
        await items.CatchUpAsync();
        Assert.Equal(await items.Db.RowsAsync("items"), items.Client.Rows);
        Assert.Equal(1, items.Client.Resyncs);
        Assert.Equal("51,52,53,54,55,56,57,58,59", await items.Db.ScalarAsync(Tombstones));
        await PostgresTracking.DisableAsync(items.Db.ConnectionString, TableCase.Items, Cancel);
        Assert.Equal("0", await items.Db.ScalarAsync("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"));
    }

    [Fact]
    public async Task Tombstones_that_an_earlier_version_keeps_by_another_type_keep_their_triggers()
    {
        await using var items = await TableCase.MakeAsync(postgres, "CREATE TABLE items (id interval PRIMARY KEY)");
        await items.Db.RunAsync(
            $"{EarlierTriggers}; ALTER TABLE lockstep.\"public.items\" ALTER COLUMN id TYPE interval USING id::interval"
        );
        var plan = await PostgresTracking.PlanEnableAsync(items.Db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        Assert.Empty(plan.Statements);
        Assert.Null(plan.Warning);
    }

    [Fact]
    public async Task A_partitioned_table_has_a_trigger_for_each_row()
    {
        await using var items = await TableCase.MakeAsync(
            postgres,
            "CREATE TABLE items (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE rest PARTITION OF items DEFAULT"
        );
        Assert.Equal("1", await items.Db.ScalarAsync(RowTriggers));
        await items.Db.RunAsync("INSERT INTO rest VALUES (1), (2)");
        await items.Db.RunAsync("DELETE FROM rest; INSERT INTO rest VALUES (2)");
        Assert.Equal("1", await items.Db.ScalarAsync(Tombstones));
    }

    [Fact]
    public async Task A_table_that_a_subscription_writes_has_a_trigger_for_each_row()
    {
        await using var server = new LogicalPostgres();
        await using var source = await server.CreateAsync(Keyed);
        await using var copy = await server.CreateAsync(Keyed);
        await PostgresTracking.EnableAsync(copy.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        var from = new NpgsqlConnectionStringBuilder(source.ConnectionString);
        await source.RunAsync("CREATE PUBLICATION all_of_it FOR TABLE items");
        await source.RunAsync("SELECT pg_create_logical_replication_slot('to_copy', 'pgoutput')");
        await copy.RunAsync(
            string.Create(
                CultureInfo.InvariantCulture,
                $"CREATE SUBSCRIPTION to_copy CONNECTION 'host={from.Host} port={from.Port} user={from.Username} "
                    + $"dbname={from.Database}' PUBLICATION all_of_it WITH (create_slot = false)"
            )
        );
        var plan = await PostgresTracking.EnableAsync(copy.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        Assert.Contains("a subscription writes to it", plan.Warning, StringComparison.Ordinal);
        Assert.Equal("1", await copy.ScalarAsync(RowTriggers));

        const string Rows = "SELECT string_agg(id::text, ',' ORDER BY id) FROM items";
        await source.RunAsync("INSERT INTO items VALUES (1), (2)");
        await Eventually.TrueAsync(async () => await copy.ScalarAsync(Rows) == "1,2");
        await source.RunAsync("DELETE FROM items; INSERT INTO items VALUES (2), (3)");
        await Eventually.TrueAsync(async () => await copy.ScalarAsync(Rows) == "2,3");
        Assert.Equal("1", await copy.ScalarAsync(Tombstones));
    }

    private static Task<string> CountAsync(TestDatabase db) => db.ScalarAsync("SELECT count(*) FROM lockstep.\"public.items\"");
}
