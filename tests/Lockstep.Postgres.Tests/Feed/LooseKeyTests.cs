using System.Globalization;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>Keys of types that consider two values equal which clients distinguish, because their JSON differs.</summary>
public sealed class LooseKeyTests(SharedPostgres postgres)
{
    private static readonly TableName Items = new(null, "items");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("citext", "'Abc'", "'aBC'", "'other'")]
    [InlineData("email", "'Abc@d'", "'aBC@d'", "'other@d'")]
    [InlineData("text COLLATE anycase", "'Abc'", "'aBC'", "'other'")]
    [InlineData("varchar(20) COLLATE anycase", "'Abc'", "'aBC'", "'other'")]
    [InlineData("interval", "'1 day'", "'24 hours'", "'2 hours'")]
    [InlineData("bpchar", "'ab'", "'ab  '", "'abc'")]
    [InlineData("numrange", "'[1,5)'", "'[1.0,5.00)'", "'[1,6)'")]
    [InlineData("nummultirange", "'{[1,5)}'", "'{[1.0,5)}'", "'{[1,6)}'")]
    public async Task A_key_that_is_written_otherwise_leaves_nothing_behind(string type, string one, string same, string other)
    {
        await using var db = await MakeAsync($"name {type} PRIMARY KEY, v int");
        await using var feed = await StartAsync(db);
        var (live, now) = (new Follower(feed, "name"), new Follower(feed, "name"));
        foreach (
            var change in (string[])
                [
                    $"INSERT INTO items VALUES ({one}, 1), ({other}, 1)",
                    $"UPDATE items SET name = {same} WHERE name = {one}",
                    $"BEGIN; DELETE FROM items WHERE name = {one}; INSERT INTO items VALUES ({one}, 2); COMMIT",
                    $"DELETE FROM items WHERE name = {same}",
                    $"INSERT INTO items VALUES ({same}, 3)",
                    $"UPDATE items SET name = {one}, v = 4 WHERE name = {same}",
                    $"UPDATE items SET name = {same} WHERE name = {one}; DELETE FROM items WHERE name = {one}",
                    $"UPDATE items SET name = {one} WHERE name = {other}",
                ]
        )
        {
            await db.RunAsync(change);
            await live.CatchUpAsync(await HorizonAsync(db), Cancel);
            Assert.Equal(await RowsAsync(db), live.Rows.Values);
        }

        // One tombstone for each form that is gone, and none for the existing one.
        Assert.Equal("2", await db.ScalarAsync("SELECT count(*) FROM lockstep.\"public.items\""));
        await now.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(live.Rows, now.Rows);
        Assert.Equal(0, live.Resyncs);
    }

    [Fact]
    public async Task Pages_of_changes_hold_both_ways_of_writing_a_key()
    {
        // More than a page of them in one transaction, at two levels of the key.
        await using var db = await MakeAsync("part int, name citext, PRIMARY KEY (part, name)");
        await db.RunAsync("INSERT INTO items SELECT g % 2, 'Name' || g FROM generate_series(1, 1500) g");
        await using var feed = await StartAsync(db);
        var follower = new Follower(feed, "name");
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        await db.RunAsync("UPDATE items SET name = upper(name::text)");
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(1500, follower.Rows.Count);
        Assert.Equal(await RowsAsync(db), follower.Rows.Values);
    }

    private static async Task<string[]> RowsAsync(TestDatabase db) =>
        [.. (await db.ScalarAsync("SELECT all_rows()")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(JsonText.Canonical)];

    private static async Task<long> HorizonAsync(TestDatabase db) =>
        long.Parse(await db.ScalarAsync("SELECT pg_snapshot_xmax(pg_current_snapshot())"), CultureInfo.InvariantCulture);

    private static Task<PostgresFeed> StartAsync(TestDatabase db) =>
        PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions { Table = Items, PollInterval = TimeSpan.FromMilliseconds(20) },
            cancellationToken: Cancel
        );

    private async Task<TestDatabase> MakeAsync(string columns)
    {
        var db = await TestDatabase.CreateAsync(postgres);
        if (
            await db.ScalarAsync(
                "SELECT (SELECT count(*) FROM pg_available_extensions WHERE name = 'citext') * (SELECT count(*) FROM "
                    + "pg_collation WHERE collname = 'und-x-icu')"
            ) == "0"
        )
        {
            Assert.Skip("The server has no citext, or no collations of ICU.");
        }

        await db.RunAsync(
            "CREATE EXTENSION citext; CREATE DOMAIN email AS citext CHECK (VALUE LIKE '%@%');"
                + "CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
                + $"CREATE TABLE items ({columns});"
                + "CREATE FUNCTION all_rows() RETURNS text LANGUAGE sql SET IntervalStyle = iso_8601 AS $$ "
                + "SELECT coalesce(string_agg((to_jsonb(t) - 'txid')::text, E'\\n' ORDER BY to_json(name)::text COLLATE "
                + "\"C\"), '') FROM items t $$"
        );
        await PostgresTracking.EnableAsync(db.ConnectionString, Items, cancellationToken: Cancel);
        return db;
    }
}
