using System.Globalization;
using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>A feed over a streaming replica: the same feed as its primary's, never ahead of what the replica has.</summary>
public sealed class ReplicaTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_replica_serves_the_same_feed_loses_no_late_commit_and_says_when_it_lags()
    {
        await using var primary = await PostgresServer.StartAsync(Cancel);
        await using var db = TestDatabase.Open(primary.ConnectionString);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, name text)");
        await PostgresTracking.EnableAsync(db.ConnectionString, new TableName(null, "items"), cancellationToken: Cancel);
        await db.RunAsync("INSERT INTO items VALUES (1, 'first')");
        await using var replica = await primary.StartStandbyAsync(Cancel);
        await using var copy = TestDatabase.Open(replica.ConnectionString);
        await using var ahead = await StartAsync(db);
        await using var behind = await StartAsync(copy);
        Assert.Equal((await ahead.GetStateAsync(Cancel)).Identity, (await behind.GetStateAsync(Cancel)).Identity);

        // A transaction in progress, which the replica does not list, must arrive when it commits; and what commits meanwhile reaches
        // followers once.
        await using var open = await db.ConnectAsync();
        await open.ExecuteAsync("BEGIN; INSERT INTO items VALUES (2, 'late')", Cancel);
        var follower = new Follower(behind);
        var (follows, others, beats) = (new TaskCompletionSource(), new TaskCompletionSource(), 0);
        var reading = follower.ReadAsync(
            chunk =>
            {
                if (chunk.Kind == FeedChunkKind.CaughtUp)
                    follows.TrySetResult();
                if (chunk.Kind == FeedChunkKind.CaughtUp && follower.Rows.Count == 11 && ++beats == 5)
                    others.TrySetResult();
                return follower.Rows.Count == 12;
            },
            Cancel
        );
        await follows.Task.WaitAsync(Cancel);
        var before = follower.Received;
        for (var i = 10; i < 20; i++)
            await db.RunAsync($"INSERT INTO items VALUES ({i}, 'other')");
        await others.Task.WaitAsync(Cancel);
        Assert.Equal(10, follower.Received - before);
        await open.ExecuteAsync("COMMIT", Cancel);
        await reading;
        Assert.Equal(11, follower.Received - before);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);

        await copy.RunAsync("SELECT pg_wal_replay_pause()");
        await Eventually.TrueAsync(async () => await copy.ScalarAsync("SELECT pg_get_wal_replay_pause_state()") == "paused");
        await db.RunAsync("ALTER TABLE items ADD COLUMN more text; INSERT INTO items VALUES (3, 'ahead')");
        var client = new Follower(ahead);
        await client.CatchUpAsync(
            long.Parse(await db.ScalarAsync("SELECT pg_snapshot_xmax(pg_current_snapshot())"), CultureInfo.InvariantCulture),
            Cancel
        );
        var position = new FeedRequest(client.Cursor, client.Identity, Follower.Heartbeat);
        await Assert.ThrowsAsync<FeedBehindException>(async () => await behind.OpenAsync(position, Cancel));
        await copy.RunAsync("SELECT pg_wal_replay_resume()");
        await Eventually.WithoutAsync<FeedBehindException>(async () => await behind.OpenAsync(position, Cancel));
    }

    [Fact]
    public async Task A_client_that_comes_while_a_transaction_holds_the_horizon_gets_each_row_a_few_times_at_most()
    {
        await using var primary = await PostgresServer.StartAsync(Cancel);
        await using var db = TestDatabase.Open(primary.ConnectionString);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, name text)");
        await PostgresTracking.EnableAsync(db.ConnectionString, new TableName(null, "items"), cancellationToken: Cancel);
        await using var open = await db.ConnectAsync();
        await open.ExecuteAsync("BEGIN; INSERT INTO items VALUES (0, 'late')", Cancel);

        // More than a page, all of it above the horizon, where the replica cannot tell what is new.
        const int Rows = 30_000;
        await db.RunAsync($"INSERT INTO items SELECT g, 'n' FROM generate_series(1, {Rows}) g");
        await using var replica = await primary.StartStandbyAsync(Cancel);
        await using var copy = TestDatabase.Open(replica.ConnectionString);
        await using var feed = await StartAsync(copy);
        var follower = new Follower(feed);
        await follower.ReadAsync(chunk => chunk.Kind == FeedChunkKind.SnapshotCompleted, Cancel);
        Assert.Equal(Rows, follower.Rows.Count);

        // Once with the snapshot's pages, once with the changes since the first page, once with the statement that closes them; the log was
        // not read.
        Assert.InRange(follower.Received, Rows, 3 * Rows);
        await open.ExecuteAsync("COMMIT", Cancel);
        await follower.ReadAsync(_ => follower.Rows.Count == Rows + 1, Cancel);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
    }

    private static Task<PostgresFeed> StartAsync(TestDatabase db) =>
        PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions { Table = new TableName(null, "items"), PollInterval = TimeSpan.FromMilliseconds(20) },
            cancellationToken: Cancel
        );
}
