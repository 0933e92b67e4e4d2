using Lockstep.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Serving;

public sealed class PostgresOverHttpTests(SharedPostgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_synced_table_file_equals_the_table_in_the_database()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, name text)");
        await PostgresTracking.EnableAsync(db.ConnectionString, new TableName(null, "items"), cancellationToken: Cancel);
        await db.RunAsync("INSERT INTO items SELECT g, 'n' || g FROM generate_series(1, 3000) g");
        var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions { Table = new TableName(null, "items"), PollInterval = TimeSpan.FromMilliseconds(20) },
            cancellationToken: Cancel
        );
        await using var server = await FeedServer.StartAsync(
            [feed],
            new FeedServerOptions { HeartbeatInterval = TimeSpan.FromMilliseconds(200) },
            cancellationToken: Cancel
        );
        using var folder = new TempFolder();

        var file = new SyncedFile(new Uri(server.Uri, "items"), folder["items.db"]);
        await file.SyncUntilAsync(await db.RowsAsync("items"), Cancel);
        await db.RunAsync(
            "DELETE FROM items WHERE id < 100; UPDATE items SET name = 'changed' WHERE id % 10 = 0; UPDATE items SET id = "
                + "-id WHERE id > 2990"
        );
        await file.SyncUntilAsync(await db.RowsAsync("items"), Cancel);
        await db.RunAsync("TRUNCATE items; INSERT INTO items VALUES (1, 'after')");
        await file.SyncUntilAsync(await db.RowsAsync("items"), Cancel);
    }
}
