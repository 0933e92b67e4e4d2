using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Tracking;

public sealed class PostgresTrackingTests(SharedPostgres postgres)
{
    private static readonly TableName Items = new(null, "items");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_a_dropped_table_has_left_goes_when_another_one_is_tracked()
    {
        await using var items = await Feed.TableCase.MakeAsync(
            postgres,
            "CREATE TABLE items (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)"
        );
        await items.Db.RunAsync("DROP TABLE items");
        const string Left = "SELECT count(*) FROM pg_class WHERE relnamespace = 'lockstep'::regnamespace AND relname = 'public.items'";
        const string Functions = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'lockstep'::regnamespace AND proname = 'public.items'";
        Assert.Equal("1", await items.Db.ScalarAsync(Left));
        await PostgresTracking.EnableAsync(items.Db.ConnectionString, new TableName(null, "other"), cancellationToken: Cancel);
        Assert.Equal("0", await items.Db.ScalarAsync(Left));
        Assert.Equal("0", await items.Db.ScalarAsync(Functions));
        Assert.Equal("public.other", await items.Db.ScalarAsync("SELECT string_agg(name, ' ') FROM lockstep.tracked"));

        // And a table that returns under the name is tracked as a new one.
        await items.Db.RunAsync("CREATE TABLE public.items (id int PRIMARY KEY)");
        await PostgresTracking.EnableAsync(items.Db.ConnectionString, Feed.TableCase.Items, cancellationToken: Cancel);
        Assert.Equal(
            "public.items public.other",
            await items.Db.ScalarAsync("SELECT string_agg(name, ' ' ORDER BY name) FROM lockstep.tracked")
        );
    }

    [Fact]
    public async Task Who_serves_removes_what_dropped_tables_have_left_as_far_as_its_rights_go()
    {
        await using var items = await Feed.TableCase.MakeAsync(
            postgres,
            "CREATE TABLE items (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)"
        );
        Assert.Empty(await PostgresTracking.PruneAsync(items.Db.ConnectionString, Cancel));
        await PostgresTracking.EnableAsync(items.Db.ConnectionString, new TableName(null, "other"), cancellationToken: Cancel);
        await items.Db.RunAsync("DROP TABLE items");
        var role = $"reader_{Guid.NewGuid():N}";
        await items.Db.RunAsync($"CREATE ROLE {role} LOGIN; GRANT DELETE ON lockstep.tracked TO {role}");
        var reader = items.Db.ConnectionString.Replace("Username=lockstep", $"Username={role}", StringComparison.Ordinal);
        Assert.Empty(await PostgresTracking.PruneAsync(reader, Cancel));
        Assert.Equal(["public.items"], await PostgresTracking.PruneAsync(items.Db.ConnectionString, Cancel));
        Assert.Equal(
            "public.other|t|f|stamp truncated wake public.other",
            await items.Db.ScalarAsync(
                "SELECT concat_ws('|', (SELECT string_agg(name, ' ') FROM lockstep.tracked), "
                    + "to_regclass('lockstep.\"public.items\"') IS NULL, to_regclass('lockstep.\"public.other\"') IS NULL, "
                    + "(SELECT string_agg(proname, ' ' ORDER BY oid) FROM pg_proc WHERE pronamespace = 'lockstep'::regnamespace))"
            )
        );
        await using var empty = await TestDatabase.CreateAsync(postgres);
        Assert.Empty(await PostgresTracking.PruneAsync(empty.ConnectionString, Cancel));
    }

    [Fact]
    public async Task A_plan_changes_nothing_and_its_script_does_the_same_as_enabling()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY); INSERT INTO items VALUES (1)");
        var plan = await PostgresTracking.PlanEnableAsync(db.ConnectionString, Items, cancellationToken: Cancel);
        Assert.Equal("f", await db.ScalarAsync("SELECT (to_regclass('lockstep.tracked') IS NOT NULL)::text") is "true" ? "t" : "f");
        await db.RunAsync(plan.ToString());
        Assert.Equal("0", await db.ScalarAsync("SELECT txid FROM items"));
        Assert.Empty((await PostgresTracking.EnableAsync(db.ConnectionString, Items, cancellationToken: Cancel)).Statements);
    }

    [Fact]
    public async Task Disabling_takes_away_everything_that_enabling_added()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY); CREATE TABLE own (id int PRIMARY KEY, txid bigint)");
        var own = new TableName("public", "own");
        foreach (var table in (TableName[])[Items, own])
        {
            await PostgresTracking.EnableAsync(db.ConnectionString, table, cancellationToken: Cancel);
            await PostgresTracking.DisableAsync(db.ConnectionString, table, Cancel);
            Assert.Empty((await PostgresTracking.DisableAsync(db.ConnectionString, table, Cancel)).Statements);
        }

        Assert.Equal("0", await db.ScalarAsync("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"));
        Assert.Equal(
            "tracked",
            await db.ScalarAsync(
                "SELECT string_agg(relname, ',') FROM pg_class WHERE relnamespace = 'lockstep'::regnamespace AND relkind = 'r'"
            )
        );
        Assert.Equal(
            "id|id,txid",
            await db.ScalarAsync(
                "SELECT string_agg(c, '|' ORDER BY r) FROM (SELECT attrelid::regclass::text r, string_agg(attname, ',' "
                    + "ORDER BY attnum) c FROM pg_attribute "
                    + "WHERE attrelid IN ('items'::regclass, 'own'::regclass) AND attnum > 0 AND NOT attisdropped GROUP BY 1) x"
            )
        );
        await db.RunAsync("INSERT INTO items VALUES (1)");
    }

    [Fact]
    public async Task Every_write_is_stamped_with_its_transaction_also_under_the_replica_role()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, v int)");
        await PostgresTracking.EnableAsync(db.ConnectionString, Items, cancellationToken: Cancel);
        await db.RunAsync("SET session_replication_role = replica; INSERT INTO items VALUES (1, 1)");
        var first = long.Parse(await db.ScalarAsync("SELECT txid FROM items"), System.Globalization.CultureInfo.InvariantCulture);
        Assert.True(first > 0);
        await db.RunAsync("UPDATE items SET v = 2, txid = 0");
        Assert.True(long.Parse(await db.ScalarAsync("SELECT txid FROM items"), System.Globalization.CultureInfo.InvariantCulture) > first);
    }

    [Fact]
    public async Task There_is_one_tombstone_at_most_for_a_key_that_is_gone()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync("CREATE EXTENSION citext; CREATE TABLE items (id citext, part int, PRIMARY KEY (id, part))");
        await PostgresTracking.EnableAsync(db.ConnectionString, Items, cancellationToken: Cancel);
        Task<string> Tombstones() =>
            db.ScalarAsync("SELECT coalesce(string_agg(id || part, ',' ORDER BY id, part), '') FROM lockstep.\"public.items\"");
        await db.RunAsync("INSERT INTO items VALUES ('a', 1), ('b', 2)");
        Assert.Equal("", await Tombstones());
        await db.RunAsync("DELETE FROM items WHERE id = 'a'");
        Assert.Equal("a1", await Tombstones());
        await db.RunAsync("BEGIN; INSERT INTO items VALUES ('A', 1); DELETE FROM items WHERE part = 1; COMMIT");

        // For clients these are two keys, whatever citext considers equal.
        Assert.Equal("A1,a1", await Tombstones());
        await db.RunAsync("UPDATE items SET part = 3 WHERE id = 'b'");
        Assert.Equal("A1,a1,b2", await Tombstones());
        await db.RunAsync("INSERT INTO items VALUES ('a', 1); UPDATE items SET part = 2 WHERE id = 'b'");
        Assert.Equal("A1,b3", await Tombstones());
        await db.RunAsync("TRUNCATE items");
        Assert.Equal("", await Tombstones());
    }

    [Fact]
    public async Task A_row_that_moves_between_partitions_leaves_one_for_its_old_key()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync(
            "CREATE TABLE items (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE one PARTITION OF items FOR VALUES IN (1)"
        );
        await PostgresTracking.EnableAsync(db.ConnectionString, Items, cancellationToken: Cancel);
        await db.RunAsync("CREATE TABLE later PARTITION OF items DEFAULT");
        await db.RunAsync(
            "SET session_replication_role = replica; INSERT INTO items VALUES (1); UPDATE items SET id = 2; INSERT INTO "
                + "later VALUES (7); DELETE FROM later WHERE id = 7"
        );
        Assert.Equal("1,7", await db.ScalarAsync("SELECT string_agg(id::text, ',' ORDER BY id) FROM lockstep.\"public.items\""));
    }

    [Fact]
    public async Task Who_may_write_the_table_needs_no_right_on_the_tombstones_and_who_may_read_it_may_read_them()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync(
            """
            DO $$ BEGIN CREATE ROLE tracking_writer LOGIN; CREATE ROLE tracking_reader LOGIN; EXCEPTION WHEN duplicate_object THEN END $$;
            CREATE TABLE items (id int PRIMARY KEY); GRANT INSERT, DELETE, SELECT ON items TO tracking_writer; GRANT
                SELECT ON items TO tracking_reader;
            """
        );
        await PostgresTracking.EnableAsync(db.ConnectionString, Items, cancellationToken: Cancel);
        await db.RunAsync("SET ROLE tracking_writer; INSERT INTO items VALUES (1), (2); DELETE FROM items WHERE id = 1");
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString.Replace("Username=lockstep", "Username=tracking_reader", StringComparison.Ordinal),
            new PostgresFeedOptions { Table = Items },
            cancellationToken: Cancel
        );
        var follower = new Feed.Follower(feed);
        await follower.ReadAsync(chunk => chunk.Kind == Engine.Serving.FeedChunkKind.SnapshotCompleted, Cancel);
        Assert.Equal(["{\"id\":2}"], follower.Rows.Values);
    }

    [Fact]
    public async Task A_truncate_raises_the_epoch()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY)");
        await PostgresTracking.EnableAsync(db.ConnectionString, Items, cancellationToken: Cancel);
        var before = await db.ScalarAsync("SELECT epoch FROM lockstep.tracked");
        await db.RunAsync("TRUNCATE items");
        Assert.NotEqual(before, await db.ScalarAsync("SELECT epoch FROM lockstep.tracked"));
    }

    [Fact]
    public async Task What_cannot_be_tracked_is_refused_with_the_reason()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync(
            """
            CREATE TABLE keyless (id int); CREATE VIEW v AS SELECT 1 AS id; CREATE TABLE typed (id int PRIMARY KEY, txid text);
            CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child () INHERITS (parent);
            CREATE TABLE payments (id int PRIMARY KEY, txid bigint); INSERT INTO payments VALUES (1, 5), (2, 99999999999);
            CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF parts DEFAULT;
            """
        );
        foreach (
            var (table, message) in ((string, string)[])
                [
                    ("keyless", "no primary key"),
                    ("v", "not a table"),
                    ("typed", "type text"),
                    ("payments", "holds 99999999999"),
                    ("parent", "inherit"),
                    ("part", "is a partition"),
                    ("missing", "There is no table"),
                ]
        )
        {
            var error = await Assert.ThrowsAsync<PostgresTableException>(() =>
                PostgresTracking.PlanEnableAsync(db.ConnectionString, new TableName(null, table), cancellationToken: Cancel)
            );
            Assert.Contains(message, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_column_txid_that_is_there_is_kept_and_warned_of()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, txid bigint); INSERT INTO items VALUES (1, 5), (2, NULL)");
        Assert.Contains(
            "is overwritten",
            (await PostgresTracking.PlanEnableAsync(db.ConnectionString, Items, cancellationToken: Cancel)).Warning,
            StringComparison.Ordinal
        );
        await PostgresTracking.EnableAsync(db.ConnectionString, Items, cancellationToken: Cancel);
        Assert.Null((await PostgresTracking.PlanEnableAsync(db.ConnectionString, Items, cancellationToken: Cancel)).Warning);
        await PostgresTracking.DisableAsync(db.ConnectionString, Items, Cancel);
        Assert.Equal("5", await db.ScalarAsync("SELECT txid FROM items WHERE id = 1"));
    }

    [Fact]
    public async Task A_long_name_is_shortened_and_a_renamed_tables_name_is_not_taken_again()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var name = new string('ü', 30);
        await db.RunAsync($"CREATE TABLE {name} (id int PRIMARY KEY); CREATE TABLE items (id int PRIMARY KEY)");
        await PostgresTracking.EnableAsync(db.ConnectionString, new TableName(null, name), cancellationToken: Cancel);
        await PostgresTracking.EnableAsync(db.ConnectionString, Items, cancellationToken: Cancel);
        await db.RunAsync("ALTER TABLE items RENAME TO items_old; CREATE TABLE items (id int PRIMARY KEY)");
        await PostgresTracking.EnableAsync(db.ConnectionString, Items, cancellationToken: Cancel);
        await db.RunAsync($"INSERT INTO {name} VALUES (1); DELETE FROM {name}; INSERT INTO items VALUES (1); DELETE FROM items");
        Assert.Equal("3", await db.ScalarAsync("SELECT count(*) FROM lockstep.tracked"));
    }
}
