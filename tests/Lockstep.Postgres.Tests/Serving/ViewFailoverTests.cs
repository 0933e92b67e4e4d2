using System.Globalization;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Feed;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Serving;

/// <summary>
/// A standby takes over from the server whose view is compared: what clients were told is compared with what the view shows now, lost or
/// not.
/// </summary>
public sealed class ViewFailoverTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_client_that_waits_for_a_view_while_its_server_is_away_is_told_so_when_patience_has_run_out()
    {
        await using var server = await PostgresServer.StartAsync(Cancel);
        await using var db = TestDatabase.Open(server.ConnectionString);
        await db.RunAsync("CREATE TABLE people (id int PRIMARY KEY); CREATE VIEW items AS SELECT * FROM people");
        await using var feed = await PostgresFeed.StartAsync(
            server.ConnectionString,
            new PostgresFeedOptions
            {
                Table = TableCase.Items,
                Key = ["id"],
                PollInterval = TimeSpan.FromMilliseconds(20),
                Patience = TimeSpan.FromSeconds(1),
            },
            cancellationToken: Cancel
        );
        var reading = await feed.OpenAsync(new FeedRequest(0, null, Follower.Heartbeat), Cancel);
        await server.CrashAsync(Cancel);
        var refused = Task.Run(
            () =>
                Assert.ThrowsAsync<FeedUnavailableException>(async () =>
                {
                    await foreach (var chunk in reading.Chunks.WithCancellation(Cancel))
                        Assert.NotEqual(FeedChunkKind.SnapshotCompleted, chunk.Kind);
                }),
            Cancel
        );
        await refused.WaitAsync(Eventually.Deadline, Cancel);
    }

    [Fact]
    public async Task Clients_of_a_view_get_what_sets_the_new_primary_apart_and_do_not_start_over()
    {
        await using var primary = await PostgresServer.StartAsync(Cancel);
        await using var old = TestDatabase.Open(primary.ConnectionString);
        await old.RunAsync("CREATE TABLE people (id int PRIMARY KEY, name text); CREATE VIEW items AS SELECT * FROM people");
        await using var standby = await primary.StartStandbyAsync(Cancel);
        await using var promoted = TestDatabase.Open(standby.ConnectionString);
        await using var feed = await PostgresFeed.StartAsync(
            old.ConnectionString.Replace(
                $"Host=127.0.0.1;Port={primary.Port}",
                $"Host=127.0.0.1:{primary.Port},127.0.0.1:{standby.Port};Target Session Attributes=primary",
                StringComparison.Ordinal
            ),
            new PostgresFeedOptions
            {
                Table = TableCase.Items,
                Key = ["id"],
                PollInterval = TimeSpan.FromMilliseconds(20),
            },
            cancellationToken: Cancel
        );
        var (stays, returns) = (new Follower(feed), new Follower(feed));
        await old.RunAsync("INSERT INTO people SELECT g, 'n' FROM generate_series(1, 20) g");
        await stays.CatchUpAsync(await HorizonAsync(old), Cancel);
        await returns.CatchUpAsync(await HorizonAsync(old), Cancel);

        // What the standby never gets, under numbers that the new primary issues again.
        await promoted.RunAsync("ALTER SYSTEM SET primary_conninfo = ''");
        await promoted.RunAsync("SELECT pg_reload_conf()");
        await Eventually.TrueAsync(async () => await promoted.ScalarAsync("SELECT count(*) FROM pg_stat_wal_receiver") == "0");
        for (var i = 0; i < 10; i++)
            await old.RunAsync("UPDATE people SET name = 'lost' WHERE id = 1; DELETE FROM people WHERE id = 2");
        await old.RunAsync("INSERT INTO people VALUES (100, 'lost')");
        await stays.CatchUpAsync(await HorizonAsync(old), Cancel);
        Assert.Equal(await old.RowsAsync("people"), stays.Rows);
        await primary.CrashAsync(Cancel);
        await standby.PromoteAsync(Cancel);
        await promoted.RunAsync("UPDATE people SET name = 'after' WHERE id = 3");
        var expected = await promoted.RowsAsync("people");
        foreach (var client in (Follower[])[stays, returns])
        {
            await Eventually.WithoutAsync<FeedServingException>(() => client.ReadAsync(_ => client.Rows.SequenceEqual(expected), Cancel));
            Assert.Equal(0, client.Resyncs);
        }

        // And later changes, still under lower numbers than those issued before.
        await promoted.RunAsync("DELETE FROM people WHERE id = 4");
        expected = await promoted.RowsAsync("people");
        foreach (var client in (Follower[])[stays, returns])
        {
            await client.ReadAsync(_ => client.Rows.SequenceEqual(expected), Cancel);
            Assert.Equal(0, client.Resyncs);
        }

        static async Task<long> HorizonAsync(TestDatabase db) =>
            long.Parse(await db.ScalarAsync("SELECT pg_snapshot_xmax(pg_current_snapshot())"), CultureInfo.InvariantCulture);
    }
}
