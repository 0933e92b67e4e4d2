using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>Columns with the names of a feed's own count as those only if they can be.</summary>
public sealed class OwnColumnTests(SharedPostgres postgres)
{
    private const string Columns = "id int PRIMARY KEY, deleted boolean, current_xmin int";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_materialized_view_loses_no_refresh_whatever_its_txid_says()
    {
        await using var items = await TableCase.MakeAsync(
            postgres,
            """
            CREATE TABLE base (id int PRIMARY KEY, v int); INSERT INTO base VALUES (1, 1), (2, 1);
            CREATE MATERIALIZED VIEW items AS SELECT id, v, 5::bigint AS txid, false AS deleted FROM base;
            CREATE UNIQUE INDEX ON items (id);
            """,
            track: false
        );
        await items.ServeAsync();
        await items.CatchUpAsync();
        await items.Db.RunAsync("UPDATE base SET v = 2 WHERE id = 1; DELETE FROM base WHERE id = 2; INSERT INTO base VALUES (3, 3)");
        await items.Db.RunAsync("REFRESH MATERIALIZED VIEW CONCURRENTLY items");
        await items.CatchUpAsync();
        Assert.Equal(["{\"id\":1,\"v\":2}", "{\"id\":3,\"v\":3}"], items.Client.Rows.Values);
    }

    [Fact]
    public async Task A_tracked_tables_own_columns_are_data_by_polling_and_by_replication()
    {
        await using var items = await TableCase.MakeAsync(
            postgres,
            $"CREATE TABLE items ({Columns}); INSERT INTO items VALUES (1, true, 7)"
        );
        await items.ServeAsync();
        await items.CatchUpAsync();
        Assert.Equal(["{\"current_xmin\":7,\"deleted\":true,\"id\":1}"], items.Client.Rows.Values);
        await items.Db.RunAsync("UPDATE items SET deleted = NULL; INSERT INTO items VALUES (2, true, 8); DELETE FROM items WHERE id = 1");
        await items.CatchUpAsync();
        Assert.Equal(["{\"current_xmin\":8,\"deleted\":true,\"id\":2}"], items.Client.Rows.Values);
        Assert.Empty(items.Notices);
    }

    [Fact]
    public async Task A_column_deleted_is_a_mark_if_the_user_says_so_and_then_not_replicated()
    {
        await using var items = await TableCase.MakeAsync(
            postgres,
            "CREATE TABLE items (id int PRIMARY KEY, deleted boolean); INSERT INTO items VALUES (1, true), (2, false)",
            options: new TrackingOptions { SoftDelete = true }
        );
        await items.ServeAsync();
        await items.CatchUpAsync();
        Assert.Equal(["{\"id\":2}"], items.Client.Rows.Values);
        await items.Db.RunAsync("UPDATE items SET deleted = true WHERE id = 2; UPDATE items SET deleted = false WHERE id = 1");
        await items.CatchUpAsync();
        Assert.Equal(["{\"id\":1}"], items.Client.Rows.Values);
        Assert.Equal(0, items.Client.Resyncs);

        // If this is changed, clients start over.
        await PostgresTracking.EnableAsync(items.Db.ConnectionString, TableCase.Items, new TrackingOptions { SoftDelete = false }, Cancel);
        await items.CatchUpAsync();
        Assert.Equal(["{\"deleted\":false,\"id\":1}", "{\"deleted\":true,\"id\":2}"], items.Client.Rows.Values);
        Assert.Equal(1, items.Client.Resyncs);
    }

    [Fact]
    public async Task A_table_that_an_earlier_version_tracks_is_served_otherwise_only_once_somebody_says_how()
    {
        await using var items = await TableCase.MakeAsync(postgres, $"CREATE TABLE items ({Columns})");
        await items.Db.RunAsync("ALTER TABLE lockstep.tracked DROP COLUMN soft_delete, DROP COLUMN tombstone_floor");
        var refused = await Assert.ThrowsAsync<PostgresTableException>(() => items.ServeAsync());
        Assert.Contains("tracked by an earlier version", refused.Message, StringComparison.Ordinal);
        Assert.Contains("SoftDelete", refused.RecommendedAction, StringComparison.Ordinal);
        await PostgresTracking.EnableAsync(items.Db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        await items.ServeAsync();
        await items.Db.RunAsync("INSERT INTO items VALUES (1, true, 1)");
        await items.CatchUpAsync();
        Assert.Single(items.Client.Rows);
    }

    [Fact]
    public async Task A_table_with_the_columns_of_a_feed_is_served_by_them_and_the_operator_is_told()
    {
        await using var items = await TableCase.MakeAsync(
            postgres,
            "CREATE TABLE items (id int PRIMARY KEY, txid bigint DEFAULT pg_current_xact_id()::text::bigint, deleted "
                + "boolean NOT NULL DEFAULT false)",
            track: false
        );
        await items.ServeAsync();
        await items.Db.RunAsync("INSERT INTO items VALUES (1), (2)");
        await items.CatchUpAsync();
        Assert.Equal(["{\"id\":1}", "{\"id\":2}"], items.Client.Rows.Values);
        Assert.Contains("by its own columns txid and deleted", Assert.Single(items.Notices), StringComparison.Ordinal);
    }
}
