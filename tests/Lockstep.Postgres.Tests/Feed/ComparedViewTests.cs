using System.Globalization;
using Lockstep.Engine;
using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>A view without tombstones, whose rows are compared: followers get what has changed, and nobody starts over.</summary>
public sealed class ComparedViewTests(SharedPostgres postgres)
{
    private const string Joined =
        "CREATE TABLE people (id int PRIMARY KEY, name text, town int); CREATE TABLE towns (id int PRIMARY KEY, name text);"
        + "INSERT INTO towns SELECT g, 'town' || g FROM generate_series(1, 5) g;"
        + "INSERT INTO people SELECT g, 'name' || g, 1 + g % 5 FROM generate_series(1, 40) g;"
        + "CREATE VIEW items AS SELECT p.id, p.name, t.name AS town FROM people p JOIN towns t ON t.id = p.town";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true, 1)]
    [InlineData(true, 2)]
    [InlineData(false, 3)]
    [InlineData(false, 4)]
    public async Task Random_changes_under_a_join_reach_all_clients_and_none_starts_over(bool named, int seed)
    {
        await using var db = await MakeAsync(Joined);

        // A log so small that some changes do not fit, every other time.
        await using var feed = await StartAsync(db, named ? ["id"] : [], o => o with { LiveBytes = seed % 2 == 0 ? 1024 : 16 << 20 });
        using var done = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var clients = Enumerable
            .Range(0, 4)
            .Select(i => Task.Run(() => ComeAndGoAsync(feed, new Random(seed * 10 + i), done.Token), Cancel));
        var followers = clients.ToArray();
        var random = new Random(seed);
        for (var i = 0; i < 150; i++)
            await db.RunAsync(Change(random));
        await done.CancelAsync();
        foreach (var follower in await Task.WhenAll(followers))
        {
            await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
            Assert.Equal(await db.RowsAsync("items"), follower.Rows);
            Assert.Equal(0, follower.Resyncs);
        }
    }

    [Fact]
    public async Task Only_what_has_changed_is_sent_to_who_follows_and_to_who_comes_back()
    {
        await using var db = await MakeAsync(Joined);
        await using var feed = await StartAsync(db, ["id"]);
        var (stays, returns) = (new Follower(feed), new Follower(feed));
        await returns.CatchUpAsync(await HorizonAsync(db), Cancel);
        var reading = await stays.FollowAsync(rows: 38, Cancel);
        await db.RunAsync("UPDATE people SET name = 'other' WHERE id = 7; DELETE FROM people WHERE id < 3");
        await reading;
        Assert.Equal(43, stays.Received);
        await returns.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(43, returns.Received);
        Assert.Equal(await db.RowsAsync("items"), stays.Rows);
        Assert.Equal(await db.RowsAsync("items"), returns.Rows);
    }

    [Fact]
    public async Task What_changes_and_changes_back_between_two_looks_is_right_for_who_came_between()
    {
        await using var db = await MakeAsync(Joined);
        await using var feed = await StartAsync(db, ["id"], o => o with { PollInterval = TimeSpan.FromHours(1) });
        var name = (Follower f) => f.Rows.GetValueOrDefault("1", "");
        var first = new Follower(feed);
        List<Task> reading = [await FollowUntilAsync(first, f => name(f).Contains("back", StringComparison.Ordinal))];
        await db.RunAsync("UPDATE people SET name = 'between' WHERE id = 1");
        var second = new Follower(feed);
        reading.Add(await FollowUntilAsync(second, f => name(f).Contains("back", StringComparison.Ordinal)));
        Assert.Contains("between", name(second), StringComparison.Ordinal);
        await db.RunAsync("UPDATE people SET name = 'back' WHERE id = 1");
        var third = new Follower(feed);
        await third.ReadAsync(chunk => chunk.Kind == FeedChunkKind.SnapshotCompleted, Cancel);
        await Task.WhenAll(reading);
        foreach (var client in new[] { first, second, third })
            Assert.Equal(await db.RowsAsync("items"), client.Rows);
    }

    [Fact]
    public async Task A_row_that_time_takes_away_goes_without_a_transaction()
    {
        await using var db = await MakeAsync(
            "CREATE TABLE offers (id int PRIMARY KEY, until timestamptz); INSERT INTO offers VALUES (1, 'infinity'), (2, "
                + "clock_timestamp() + interval '2 s');"
                + "CREATE VIEW items AS SELECT id FROM offers WHERE until > clock_timestamp()"
        );
        await using var feed = await StartAsync(db, ["id"]);
        var (follower, later) = (new Follower(feed), new Follower(feed));
        await later.ReadAsync(chunk => chunk.Kind == FeedChunkKind.SnapshotCompleted, Cancel);
        Assert.Equal(["1", "2"], later.Rows.Keys);
        await (await follower.FollowAsync(rows: 1, Cancel));
        Assert.Equal(["1"], follower.Rows.Keys);

        // No transaction has advanced the cursor meanwhile.
        await later.ReadAsync(chunk => chunk.Kind == FeedChunkKind.CaughtUp, Cancel);
        Assert.Equal(["1"], later.Rows.Keys);
        Assert.Equal(0, later.Resyncs);
    }

    [Fact]
    public async Task A_client_goes_from_one_server_to_another_and_starts_over_only_where_it_might_miss_something()
    {
        await using var db = await MakeAsync(Joined);
        await using var one = await StartAsync(db, ["id"]);
        var follower = new Follower(one);
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        await db.RunAsync("UPDATE people SET name = 'unseen' WHERE id = 1");

        // It first read the view after the client did: it cannot tell what changed between the two.
        await using var other = await StartAsync(db, ["id"]);
        follower.Source = other;
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
        Assert.Equal(1, follower.Resyncs);

        foreach (var source in new[] { one, other, one })
        {
            await db.RunAsync(
                "UPDATE people SET name = name || '!' WHERE id < 5; DELETE FROM people WHERE id = (SELECT max(id) FROM people)"
            );
            follower.Source = source;
            await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
            Assert.Equal(await db.RowsAsync("items"), follower.Rows);
        }

        Assert.Equal(1, follower.Resyncs);
    }

    [Fact]
    public async Task A_cursor_of_nobody_knows_whom_is_refused_where_it_might_miss_something()
    {
        await using var db = await MakeAsync(Joined);
        await using var feed = await StartAsync(db, ["id"]);
        var cursor = (await feed.GetStateAsync(Cancel)).Horizon;
        await Assert.ThrowsAsync<FeedCursorExpiredException>(async () =>
            await feed.OpenAsync(new FeedRequest(cursor, null, TimeSpan.FromSeconds(10)), Cancel)
        );
    }

    [Fact]
    public async Task A_number_that_is_written_in_another_way_is_the_same_key()
    {
        await using var db = await MakeAsync(
            "CREATE TABLE prices (id numeric, v int); INSERT INTO prices VALUES (1.5, 1), (2, 2); CREATE VIEW items AS SELECT * FROM prices"
        );
        await using var feed = await StartAsync(db, ["id"]);
        var lines = new List<string>();
        await using var reading = (
            await feed.OpenAsync(new FeedRequest(0, null, TimeSpan.FromSeconds(10)), Cancel)
        ).Chunks.GetAsyncEnumerator(Cancel);
        await UntilAsync("2");
        await db.RunAsync("UPDATE prices SET id = 1.50, v = 3 WHERE v = 1");
        await UntilAsync("1.50");
        Assert.DoesNotContain(lines, line => line.Contains("\"deleted\":true", StringComparison.Ordinal));
        await db.RunAsync("DELETE FROM prices WHERE v = 3");
        await UntilAsync("1.5}");
        Assert.Contains("\"deleted\":true", lines[^1], StringComparison.Ordinal);

        async Task UntilAsync(string key)
        {
            while (lines.Count == 0 || !lines[^1].Contains($"\"id\":{key}", StringComparison.Ordinal))
            {
                Assert.True(await reading.MoveNextAsync());
                lines.AddRange(
                    System.Text.Encoding.UTF8.GetString(reading.Current.Lines.Span).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                );
            }
        }
    }

    [Theory]
    [InlineData(
        "CREATE TABLE base (id int, v int); INSERT INTO base SELECT g % 50, g FROM generate_series(1, 100) g",
        "cannot be told apart"
    )]
    [InlineData("CREATE TABLE base (id int, v int); INSERT INTO base SELECT g, g FROM generate_series(1, 100000) g", "too many rows")]
    public async Task Where_rows_cannot_be_compared_all_start_over_and_are_right(string sql, string notice)
    {
        await using var db = await MakeAsync(sql + "; CREATE VIEW items AS SELECT id, v FROM base");
        var notices = new List<string>();
        await using var feed = await StartAsync(
            db,
            [],
            o =>
                o with
                {
                    ViewBytes = 1 << 20,
                    Logger = CallbackLogger.OfWarnings(text =>
                    {
                        lock (notices)
                            notices.Add(text);
                    }),
                }
        );
        var follower = new Follower(feed);
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(0, follower.Resyncs);
        await db.RunAsync("DELETE FROM base WHERE id % 3 = 0; INSERT INTO base VALUES (-1, 1)");
        await Eventually.TrueAsync(async () =>
        {
            await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
            return follower.Rows.ContainsKey("-1");
        });
        Assert.Equal(1, follower.Resyncs);
        Assert.Equal(
            await db.ScalarAsync("SELECT count(DISTINCT id) FROM base"),
            follower.Rows.Count.ToString(CultureInfo.InvariantCulture)
        );
        lock (notices)
            Assert.Contains(notices, text => text.Contains(notice, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_materialized_view_that_is_refreshed_sends_what_has_changed()
    {
        await using var db = await MakeAsync(
            Joined + "; ALTER VIEW items RENAME TO live; CREATE MATERIALIZED VIEW items AS SELECT * FROM live"
        );
        await using var feed = await StartAsync(db, ["id"]);
        var follower = new Follower(feed);
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        await db.RunAsync("UPDATE people SET name = 'fresh' WHERE id = 4; DELETE FROM people WHERE id = 5");
        await db.RunAsync("REFRESH MATERIALIZED VIEW items");
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
        Assert.Equal((0, 42), (follower.Resyncs, follower.Received));

        // Another definition changes every row, and nothing else.
        await db.RunAsync("DROP MATERIALIZED VIEW items; CREATE MATERIALIZED VIEW items AS SELECT *, 1 AS more FROM live WHERE id > 10");
        await follower.CatchUpAsync(await HorizonAsync(db), Cancel);
        Assert.Equal(await db.RowsAsync("items"), follower.Rows);
        Assert.Equal(0, follower.Resyncs);
    }

    private static async Task<Follower> ComeAndGoAsync(PostgresFeed feed, Random random, CancellationToken done)
    {
        var follower = new Follower(feed);
        while (!done.IsCancellationRequested)
        {
            var chunks = random.Next(1, 30);
            try
            {
                await follower.ReadAsync(_ => --chunks <= 0, done);
            }
            catch (OperationCanceledException) when (done.IsCancellationRequested) { }
        }

        return follower;
    }

    private static async Task<Task> FollowUntilAsync(Follower follower, Func<Follower, bool> enough)
    {
        var follows = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var reading = follower.ReadAsync(
            chunk =>
            {
                if (chunk.Kind == FeedChunkKind.CaughtUp)
                    follows.TrySetResult();
                return enough(follower);
            },
            Cancel
        );
        if (await Task.WhenAny(follows.Task, reading) == reading)
            await reading;
        return reading;
    }

    private static string Change(Random random)
    {
        var id = random.Next(1, 60);
        var town = random.Next(1, 6);
        return random.Next(7) switch
        {
            0 => $"DELETE FROM people WHERE id = {id}",
            1 => $"UPDATE people SET town = {town} WHERE id = {id}",
            2 => $"UPDATE towns SET name = name || 'x' WHERE id = {town} AND length(name) < 20",
            3 => $"DELETE FROM towns WHERE id = {town}",
            4 => $"INSERT INTO towns VALUES ({town}, 'again') ON CONFLICT DO NOTHING",
            5 => $"UPDATE people SET name = 'a' WHERE id = {id}; UPDATE people SET name = 'b' WHERE id = {id}",
            _ => $"INSERT INTO people VALUES ({id}, 'new', {town}) ON CONFLICT (id) DO UPDATE SET name = 'b' || people.town",
        };
    }

    private async Task<TestDatabase> MakeAsync(string sql)
    {
        var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync(sql);
        return db;
    }

    private static async Task<long> HorizonAsync(TestDatabase db) =>
        long.Parse(await db.ScalarAsync("SELECT pg_snapshot_xmax(pg_current_snapshot())"), CultureInfo.InvariantCulture);

    private static Task<PostgresFeed> StartAsync(
        TestDatabase db,
        IReadOnlyList<string> key,
        Func<PostgresFeedOptions, PostgresFeedOptions>? change = null
    )
    {
        var options = new PostgresFeedOptions
        {
            Table = new TableName(null, "items"),
            Key = key,
            PollInterval = TimeSpan.FromMilliseconds(20),
        };
        return PostgresFeed.StartAsync(db.ConnectionString, change is null ? options : change(options), cancellationToken: Cancel);
    }
}
