using Lockstep.Engine;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Feed;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Tracking;

/// <summary>What somebody does to the tables by which a table is tracked leaves no deleted row with clients.</summary>
public sealed class TamperedTrackingTests(SharedPostgres postgres)
{
    private const string Tombstones = "lockstep.\"public.items\"";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Tombstones, false)]
    [InlineData(Tombstones, true)]
    [InlineData("lockstep.tracked", false)]
    public async Task A_crash_that_empties_unlogged_ones_is_noticed(string unlogged, bool isOverAtOnce)
    {
        await using var server = await PostgresServer.StartAsync(Cancel);
        await using var db = TestDatabase.Open(server.ConnectionString);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, deleted boolean); INSERT INTO items VALUES (1), (2), (3)");
        await PostgresTracking.EnableAsync(db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        var feed = await ServeAsync(db);
        try
        {
            var client = new Follower(feed);
            await client.ReadAsync(chunk => chunk.Kind == FeedChunkKind.CaughtUp, Cancel);
            Assert.Equal(3, client.Rows.Count);
            await feed.DisposeAsync();

            await db.RunAsync($"ALTER TABLE {unlogged} SET UNLOGGED; DELETE FROM items WHERE id = 1");
            if (!isOverAtOnce)
            {
                var refused = await Assert.ThrowsAsync<PostgresTableException>(() => ServeAsync(db));
                Assert.Contains("SET LOGGED", refused.RecommendedAction, StringComparison.Ordinal);
            }

            await server.CrashAsync(Cancel);
            await server.StartAsync(Cancel);
            if (unlogged == Tombstones)
            {
                await db.RunAsync($"ALTER TABLE {unlogged} SET LOGGED");
            }
            else
            {
                var refused = await Assert.ThrowsAsync<PostgresTableException>(() => ServeAsync(db));
                Assert.Contains("lockstep.tracked is gone", refused.Message, StringComparison.Ordinal);
                await db.RunAsync("DROP SCHEMA lockstep CASCADE");
                await PostgresTracking.EnableAsync(db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
            }

            client.Source = feed = await ServeAsync(db);
            await client.ReadAsync(chunk => chunk.Kind == FeedChunkKind.CaughtUp, Cancel);
            Assert.Equal(await db.RowsAsync("items"), client.Rows);
            var following = await client.FollowAsync(rows: 1, Cancel);
            await db.RunAsync("DELETE FROM items WHERE id = 2");
            await following;
            Assert.Equal(1, client.Resyncs);
        }
        finally
        {
            await feed.DisposeAsync();
        }
    }

    [Theory]
    [InlineData($"TRUNCATE {Tombstones}")]
    [InlineData($"ALTER TABLE {Tombstones} SET UNLOGGED; TRUNCATE {Tombstones}; ALTER TABLE {Tombstones} SET LOGGED")]
    public async Task Who_missed_tombstones_that_were_removed_by_hand_starts_over(string sql)
    {
        await using var items = await TableCase.MakeAsync(
            postgres,
            "CREATE TABLE items (id int PRIMARY KEY); INSERT INTO items VALUES (1), (2)"
        );
        await items.ServeAsync();
        await items.CatchUpAsync();
        await items.Db.RunAsync("DELETE FROM items WHERE id = 1");
        await items.Db.RunAsync(sql);
        await items.CatchUpAsync();
        Assert.Equal(await items.Db.RowsAsync("items"), items.Client.Rows);
        Assert.Equal(1, items.Client.Resyncs);
    }

    [Theory]
    [InlineData(
        $"ALTER TABLE {Tombstones} ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON {Tombstones} USING (false)",
        $"ALTER TABLE {Tombstones} DISABLE ROW LEVEL SECURITY"
    )]
    [InlineData(
        "ALTER TABLE lockstep.tracked ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON lockstep.tracked USING (false)",
        "ALTER TABLE lockstep.tracked DISABLE ROW LEVEL SECURITY"
    )]
    public async Task A_policy_that_hides_them_ends_service(string hide, string show)
    {
        await using var items = await TableCase.MakeAsync(
            postgres,
            "CREATE TABLE items (id int PRIMARY KEY, deleted boolean); INSERT INTO items VALUES (1), (2)"
        );
        var role = $"reader_{Guid.NewGuid():N}";
        await items.Db.RunAsync($"CREATE ROLE {role} LOGIN; GRANT SELECT ON items, {Tombstones} TO {role}");
        await items.ServeAsync(connectionString: items.Db.ConnectionString.Replace("Username=lockstep", $"Username={role}"));
        await items.CatchUpAsync();
        await items.Db.RunAsync($"{hide}; DELETE FROM items WHERE id = 1");
        var refused = await Record.ExceptionAsync(async () =>
            await items.Feed.OpenAsync(new FeedRequest(items.Client.Cursor, items.Client.Identity, Follower.Heartbeat), Cancel)
        );
        Assert.True(refused is PostgresTableException or FeedUnavailableException, refused?.ToString() ?? "It is served.");
        await items.Db.RunAsync(show);
        await items.CatchUpAsync();
        Assert.Equal(await items.Db.RowsAsync("items"), items.Client.Rows);
    }

    [Fact]
    public async Task Tombstones_that_were_dropped_are_said_to_be_missing()
    {
        await using var items = await TableCase.MakeAsync(postgres, "CREATE TABLE items (id int PRIMARY KEY)");
        await items.Db.RunAsync($"DROP TABLE {Tombstones}");
        var refused = await Assert.ThrowsAsync<PostgresTableException>(() => items.ServeAsync());
        Assert.Contains("tombstones of items are gone", refused.Message, StringComparison.Ordinal);
        await PostgresTracking.DisableAsync(items.Db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        await PostgresTracking.EnableAsync(items.Db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        await items.ServeAsync();
    }

    private static Task<PostgresFeed> ServeAsync(TestDatabase db) =>
        PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions { Table = TableCase.Items, PollInterval = TimeSpan.FromMilliseconds(20) },
            cancellationToken: Cancel
        );
}
