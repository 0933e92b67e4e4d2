using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>What a crash of the server loses was never served.</summary>
public sealed class ServerCrashTests(SharedPostgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Commits_that_were_not_on_disk_yet_reach_clients_once_they_are(bool isHeldOpen)
    {
        // The log stays in memory as long as possible, and no client waits until its commit reaches the disk.
        await using var server = await PostgresServer.StartAsync(Cancel, "synchronous_commit=off", "wal_writer_delay=10s");
        await using var db = TestDatabase.Open(server.ConnectionString);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, name text)");
        await PostgresTracking.EnableAsync(db.ConnectionString, TableCase.Items, cancellationToken: Cancel);
        await using var open = await db.ConnectAsync();
        if (isHeldOpen)
            await open.ExecuteAsync("BEGIN; CREATE TABLE other (id int)", Cancel);
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions { Table = TableCase.Items, PollInterval = TimeSpan.FromMilliseconds(20) },
            cancellationToken: Cancel
        );
        var (live, late) = (new Follower(feed), new Follower(feed));
        for (var round = 1; round <= 3; round++)
        {
            await db.RunAsync($"INSERT INTO items VALUES ({round}, 'n')");
            await live.ReadAsync(_ => live.Rows.ContainsKey($"{round}"), Cancel);
            await late.ReadAsync(chunk => chunk.Kind == FeedChunkKind.CaughtUp, Cancel);
            var served = live.Rows.Keys.Union(late.Rows.Keys).ToArray();
            await server.CrashAsync(Cancel);
            await server.StartAsync(Cancel);
            Assert.Subset((await db.RowsAsync("items")).Keys.ToHashSet(), served.ToHashSet());
            await db.RunAsync($"INSERT INTO items VALUES ({100 + round}, 'n') ON CONFLICT DO NOTHING");
            await Eventually.WithoutAsync<FeedUnavailableException>(() =>
                live.ReadAsync(_ => live.Rows.ContainsKey($"{100 + round}"), Cancel)
            );
            Assert.Equal(await db.RowsAsync("items"), live.Rows);
        }

        // Recovery lost nothing, so nobody starts over.
        Assert.Equal(0, live.Resyncs);
    }

    [Theory]
    [InlineData("CREATE UNLOGGED TABLE items (id int PRIMARY KEY, txid bigint, deleted boolean)")]
    [InlineData("CREATE UNLOGGED TABLE base (id int PRIMARY KEY, txid bigint, deleted boolean); CREATE VIEW items AS SELECT * FROM base")]
    [InlineData(
        "CREATE TABLE items (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE UNLOGGED TABLE part PARTITION OF items "
            + "DEFAULT; ALTER TABLE items ADD txid bigint, ADD deleted boolean"
    )]
    public async Task Rows_that_a_crash_empties_are_not_served(string sql)
    {
        await using var items = await TableCase.MakeAsync(postgres, sql, track: false);
        var refused = await Assert.ThrowsAsync<PostgresTableException>(() => items.ServeAsync());
        Assert.Contains("SET LOGGED", refused.RecommendedAction, StringComparison.Ordinal);
        if (!sql.Contains("VIEW", StringComparison.Ordinal))
        {
            await Assert.ThrowsAsync<PostgresTableException>(() =>
                PostgresTracking.PlanEnableAsync(items.Db.ConnectionString, TableCase.Items, cancellationToken: Cancel)
            );
        }
    }

    [Fact]
    public async Task A_table_that_becomes_unlogged_is_no_longer_served()
    {
        await using var items = await TableCase.MakeAsync(postgres, "CREATE TABLE items (id int PRIMARY KEY)");
        await items.ServeAsync();
        var reading = await items.Client.FollowAsync(rows: 1, Cancel);
        await items.Db.RunAsync("ALTER TABLE items SET UNLOGGED");
        await Eventually.TrueAsync(() => items.Feed.Error is PostgresTableException);
        await items.Db.RunAsync("ALTER TABLE items SET LOGGED");
        await Eventually.TrueAsync(() => items.Feed.Error is null);
        await items.Db.RunAsync("INSERT INTO items VALUES (1)");
        await Eventually.TrueAsync(() => reading.IsCompleted);
    }
}
