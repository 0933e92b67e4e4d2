using Lockstep.Postgres.Tests.Replication;
using Lockstep.Testing;
using Npgsql;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>
/// What comes from a foreign table, or from a materialized view, has no stamps of this server: it is compared as a whole, whatever its
/// columns are called.
/// </summary>
public sealed class ForeignTableTests(SharedPostgres postgres, LogicalPostgres logical) : IClassFixture<LogicalPostgres>
{
    private const string Columns = "id int, v text, txid bigint, deleted boolean";
    private const string Options = "SERVER own OPTIONS (table_name 'base')";

    private const string Base =
        "CREATE TABLE base (id int PRIMARY KEY, v text, txid bigint, deleted boolean); "
        + "INSERT INTO base VALUES (1, 'a', 3, false), (2, 'b', 4, NULL)";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData($"CREATE FOREIGN TABLE items ({Columns}) {Options}")]
    [InlineData($"CREATE FOREIGN TABLE far ({Columns}) {Options}; CREATE VIEW items AS SELECT * FROM far")]
    [InlineData(
        $"CREATE FOREIGN TABLE far ({Columns}) {Options}; CREATE VIEW near AS SELECT * FROM far; CREATE VIEW items AS SELECT * FROM near"
    )]
    [InlineData(
        $"CREATE TABLE items ({Columns}) PARTITION BY RANGE (id); CREATE FOREIGN TABLE far PARTITION OF items FOR VALUES FROM (1) TO (9) "
            + Options
    )]
    [InlineData($"CREATE TABLE items ({Columns}); CREATE FOREIGN TABLE far () INHERITS (items) {Options}")]
    [InlineData(
        "CREATE MATERIALIZED VIEW far AS SELECT * FROM base; CREATE UNIQUE INDEX ON far (id); CREATE VIEW items AS SELECT * FROM far"
    )]
    public async Task Rows_with_the_columns_of_a_feed_lose_no_update(string sql)
    {
        await using var items = await MakeAsync(sql);
        await items.ServeAsync(named: ["id"]);
        await items.CatchUpAsync();
        var following = await items.Client.FollowAsync(rows: 4, Cancel);

        // The other server's transactions have their own numbers; here they are not even written.
        var refresh = sql.Contains("MATERIALIZED", StringComparison.Ordinal) ? "REFRESH MATERIALIZED VIEW CONCURRENTLY far" : "SELECT 1";
        await items.Db.RunAsync("INSERT INTO base VALUES (4, 'd', 5, false), (5, 'e', NULL, NULL)");
        await items.Db.RunAsync(refresh);
        await following;
        await items.Db.RunAsync(
            "UPDATE base SET v = 'changed' WHERE id = 1; DELETE FROM base WHERE id = 2; UPDATE base SET deleted = true WHERE id = 5"
        );
        await items.Db.RunAsync(refresh);
        await items.CatchUpAsync();
        Assert.Equal(["{\"id\":1,\"v\":\"changed\"}", "{\"id\":4,\"v\":\"d\"}"], items.Client.Rows.Values);
        Assert.Equal(0, items.Client.Resyncs);
        Assert.Equal(
            sql.StartsWith("CREATE FOREIGN TABLE items", StringComparison.Ordinal) ? [] : ["compared as a whole"],
            items.Notices.Select(n => n[n.IndexOf("compared", StringComparison.Ordinal)..n.IndexOf(", in spite", StringComparison.Ordinal)])
        );
    }

    [Theory]
    [InlineData("CREATE FOREIGN TABLE items (id int, v text) SERVER own OPTIONS (table_name 'base')")]
    [InlineData("CREATE FOREIGN TABLE items (id int, v text, txid bigint) SERVER own OPTIONS (table_name 'base')")]
    [InlineData("CREATE FOREIGN TABLE items (id int, v text, deleted boolean) SERVER own OPTIONS (table_name 'base')")]
    public async Task A_foreign_table_without_them_is_compared_too(string sql)
    {
        await using var items = await MakeAsync(sql);
        await items.ServeAsync(named: ["id"]);
        await items.CatchUpAsync();
        await items.Db.RunAsync(
            "UPDATE base SET v = 'changed' WHERE id = 1; DELETE FROM base WHERE id = 2; UPDATE base SET deleted = true"
        );
        await items.CatchUpAsync();
        Assert.Equal((await items.Db.RowsAsync("items")).Keys, items.Client.Rows.Keys);
        Assert.Contains("changed", items.Client.Rows["1"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_comes_later_makes_clients_start_over()
    {
        await using var items = await MakeAsync($"CREATE TABLE items ({Columns}) PARTITION BY RANGE (id)");
        await items.ServeAsync(named: ["id"]);
        await items.CatchUpAsync();
        Assert.Empty(items.Client.Rows);
        await items.Db.RunAsync($"CREATE FOREIGN TABLE far PARTITION OF items FOR VALUES FROM (1) TO (9) {Options}");
        await items.CatchUpAsync();
        Assert.Equal(2, items.Client.Rows.Count);
        await items.Db.RunAsync("UPDATE base SET v = 'changed'");
        await items.CatchUpAsync();
        Assert.All(items.Client.Rows.Values, row => Assert.Contains("changed", row, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Tracking_and_replication_refuse_it_and_say_what_to_do()
    {
        await using var db = await logical.CreateAsync(Base);
        await AddServerAsync(db);
        await db.RunAsync($"CREATE FOREIGN TABLE items ({Columns}) {Options}");
        var refused = await Assert.ThrowsAsync<PostgresTableException>(() =>
            PostgresTracking.PlanEnableAsync(db.ConnectionString, TableCase.Items, cancellationToken: Cancel)
        );
        Assert.Contains("is a foreign table", refused.Message, StringComparison.Ordinal);
        using var folder = new TempFolder();
        refused = await Assert.ThrowsAsync<PostgresTableException>(() =>
            PostgresFeed.StartAsync(db.ConnectionString, LogicalPostgres.Options(folder), cancellationToken: Cancel)
        );
        Assert.Contains("is a foreign table", refused.Message, StringComparison.Ordinal);
        Assert.Contains("by polling", refused.RecommendedAction, StringComparison.Ordinal);
    }

    /// <summary>A table <c>base</c> with two rows, and a foreign server that is the database itself.</summary>
    private async Task<TableCase> MakeAsync(string sql)
    {
        var items = await TableCase.MakeAsync(postgres, Base, track: false);
        await AddServerAsync(items.Db);
        await items.Db.RunAsync(sql);
        return items;
    }

    private static async Task AddServerAsync(TestDatabase db)
    {
        if (await db.ScalarAsync("SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'") == "0")
        {
            Assert.Skip("This PostgreSQL has no postgres_fdw.");
        }

        var at = new NpgsqlConnectionStringBuilder(db.ConnectionString);
        await db.RunAsync(
            $"CREATE EXTENSION postgres_fdw; CREATE SERVER own FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{at.Host}', "
                + $"port '{at.Port}', dbname '{at.Database}'); "
                + $"CREATE USER MAPPING FOR CURRENT_USER SERVER own OPTIONS (user '{at.Username}')"
        );
    }
}
