using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Replication;
using Lockstep.Postgres.Tests.Serving;
using Lockstep.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>A database row that no client could accept is left out of its feed and reported; everybody continues.</summary>
public sealed class PoisonRowTests(LogicalPostgres postgres) : IClassFixture<LogicalPostgres>, IDisposable
{
    private const string Deep = "(repeat('[', 90) || repeat(']', 90))::jsonb";
    private const string Large = "to_jsonb(repeat('x', 5000))";

    private readonly TempFolder _folder = new();

    public static TheoryData<PostgresFeedMode, string, string> Poison { get; } =
        new(
            from mode in Enum.GetValues<PostgresFeedMode>()
            from value in (string[])[Deep, Large]
            from query in (string[])["", "?where=id>0"]
            select (mode, value, query)
        );

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Poison))]
    public async Task A_client_has_all_other_rows_in_the_snapshot_and_live(PostgresFeedMode mode, string poison, string query)
    {
        await using var db = await postgres.CreateAsync("CREATE TABLE items (id int PRIMARY KEY, v jsonb)");
        if (mode == PostgresFeedMode.Polling)
            await PostgresTracking.EnableAsync(db.ConnectionString, LogicalPostgres.Items, cancellationToken: Cancel);
        await db.RunAsync($"INSERT INTO items SELECT g, CASE g WHEN 500 THEN {poison} ELSE '1' END FROM generate_series(1, 1000) g");
        await using var feed = await StartAsync(db, mode);
        await using var server = await ServeAsync(feed);
        var file = new SyncedFile(new Uri(server.Uri, "items" + query), _folder["copy.db"]);

        await file.SyncUntilAsync(await WithoutAsync(db, "id <> 500"), Cancel);
        await db.RunAsync($"UPDATE items SET v = {poison} WHERE id = 7; INSERT INTO items VALUES (2000, {poison}), (2001, '2')");
        await file.SyncUntilAsync(await WithoutAsync(db, "id NOT IN (500, 7, 2000)"), Cancel);
        await db.RunAsync("UPDATE items SET v = '3' WHERE id = 7");
        await file.SyncUntilAsync(await WithoutAsync(db, "id NOT IN (500, 2000)"), Cancel);

        // Those that were read in that state; a version may be read from the table and from the log.
        Assert.InRange(feed.LeftOut.Count, 3, 6);
        Assert.StartsWith("{\"id\":", feed.LeftOut.Last, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Deep)]
    [InlineData(Large)]
    public async Task A_view_without_a_key_goes_on_behind_it(string poison)
    {
        await using var db = await postgres.CreateAsync(
            $"CREATE VIEW items AS SELECT 1::bigint AS txid, false AS deleted, g AS id, CASE g WHEN 5 THEN {poison} ELSE "
                + $"'1' END AS v FROM generate_series(1, 10) g"
        );
        await using var feed = await StartAsync(db, PostgresFeedMode.Polling);
        await using var server = await ServeAsync(feed);

        await new SyncedFile(new Uri(server.Uri, "items"), _folder["copy.db"]).SyncUntilAsync(await WithoutAsync(db, "id <> 5"), Cancel);
    }

    [Theory]
    [InlineData(PostgresFeedMode.Polling, "numeric")]
    [InlineData(PostgresFeedMode.Replication, "numeric")]
    [InlineData(PostgresFeedMode.Polling, "float8")]
    [InlineData(PostgresFeedMode.Replication, "real")]
    public async Task A_key_that_is_no_number_of_JSON_stops_nobody(PostgresFeedMode mode, string type)
    {
        await using var db = await postgres.CreateAsync($"CREATE TABLE items (id {type} PRIMARY KEY, v int)");
        if (mode == PostgresFeedMode.Polling)
            await PostgresTracking.EnableAsync(db.ConnectionString, LogicalPostgres.Items, cancellationToken: Cancel);
        await db.RunAsync("INSERT INTO items VALUES (1, 1), ('NaN', 1), (2, 1)");
        await using var feed = await StartAsync(db, mode);
        await using var server = await ServeAsync(feed);
        var file = new SyncedFile(new Uri(server.Uri, "items"), _folder["copy.db"]);

        await file.SyncUntilAsync(await WithoutAsync(db, "id <> 'NaN'"), Cancel);
        await db.RunAsync("INSERT INTO items VALUES ('Infinity', 1), (3, 1); UPDATE items SET id = '-Infinity' WHERE id = 1");
        await file.SyncUntilAsync(await WithoutAsync(db, "id IN (2, 3)"), Cancel);
        await db.RunAsync(
            "DELETE FROM items WHERE id = 'NaN'; UPDATE items SET id = 4 WHERE id = 'Infinity'; UPDATE items SET id = id * 1.0"
        );
        await file.SyncUntilAsync(await WithoutAsync(db, "id IN (2, 3, 4)"), Cancel);
        Assert.InRange(feed.LeftOut.Count, 3, 6);
    }

    private static async Task<SortedDictionary<string, string>> WithoutAsync(TestDatabase db, string which) =>
        await db.RowsAsync($"(SELECT id, v FROM items WHERE {which})");

    private Task<PostgresFeed> StartAsync(TestDatabase db, PostgresFeedMode mode) =>
        PostgresFeed.StartAsync(
            db.ConnectionString,
            LogicalPostgres.Options(_folder) with
            {
                Mode = mode,
                MaximumRowBytes = 4096,
            },
            cancellationToken: Cancel
        );

    private static Task<FeedServer> ServeAsync(IFeedSource feed) =>
        FeedServer.StartAsync(
            [feed],
            new FeedServerOptions { HeartbeatInterval = TimeSpan.FromMilliseconds(200) },
            cancellationToken: Cancel
        );
}
