using Lockstep.Engine.Serving;
using Lockstep.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Serving;

/// <summary>A database restored from a backup is behind its clients' cursors, and may diverge from there.</summary>
public sealed class RestoredDatabaseTests(SharedPostgres postgres)
{
    private static readonly TableName Items = new(null, "items");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_client_ahead_of_it_takes_the_whole_set_again_and_nothing_is_lost()
    {
        await using var before = await CreateAsync(postgres);
        await before.RunAsync("INSERT INTO items SELECT g, 'backed up' FROM generate_series(1, 50) g");

        // What the backup lacks; each a separate transaction, so that the cursors run ahead.
        for (var i = 0; i < 50; i++)
            await before.RunAsync($"INSERT INTO items VALUES ({100 + i}, 'lost')");
        await using var switched = new SwitchedSource(await StartAsync(before));
        await using var server = await FeedServer.StartAsync(
            [switched],
            new FeedServerOptions { HeartbeatInterval = TimeSpan.FromMilliseconds(200) },
            cancellationToken: Cancel
        );
        using var folder = new TempFolder();
        var file = new SyncedFile(new Uri(server.Uri, "items"), folder["items.db"]);
        await file.SyncUntilAsync(await before.RowsAsync("items"), Cancel);

        // A cluster of its own, as pg_restore fills one.
        var other = new SharedPostgres();
        await using (other)
        {
            await using var after = await CreateAsync(other);
            await after.RunAsync(
                "INSERT INTO items SELECT g, 'backed up' FROM generate_series(1, 50) g; INSERT INTO items VALUES (100, 'of another way')"
            );
            await switched.ChangeAsync(await StartAsync(after));
            await file.SyncUntilAsync(await after.RowsAsync("items"), Cancel);
            await after.RunAsync("UPDATE items SET name = 'goes on' WHERE id = 7; DELETE FROM items WHERE id = 8");
            await file.SyncUntilAsync(await after.RowsAsync("items"), Cancel);
            await switched.DisposeAsync();
        }
    }

    private static async Task<TestDatabase> CreateAsync(SharedPostgres server)
    {
        var db = await TestDatabase.CreateAsync(server);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, name text)");
        await PostgresTracking.EnableAsync(db.ConnectionString, Items, cancellationToken: Cancel);
        return db;
    }

    private static Task<PostgresFeed> StartAsync(TestDatabase db) =>
        PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions { Table = Items, PollInterval = TimeSpan.FromMilliseconds(20) },
            cancellationToken: Cancel
        );
}
