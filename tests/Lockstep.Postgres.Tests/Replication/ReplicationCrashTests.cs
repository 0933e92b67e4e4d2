using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text.Json;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Tests.Feed;
using Lockstep.Testing;
using Npgsql;

namespace Lockstep.Postgres.Tests.Replication;

/// <summary>What a crash of the server undoes is never served by replication: neither from the stream nor from the table.</summary>
public sealed class ReplicationCrashTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Commits_that_were_not_on_disk_yet_reach_clients_once_they_are()
    {
        // The log stays in memory as long as possible, and no client waits until its commit reaches the disk.
        await using var server = await LogicalPostgres.StartServerAsync("synchronous_commit=off", "wal_writer_delay=10s");
        await using var db = TestDatabase.Open(server.ConnectionString);
        await db.RunAsync("CREATE TABLE items (id int PRIMARY KEY, name text)");
        await using var feed = await StartAsync(db);
        var live = new Follower(feed);
        await LogicalPostgres.CatchUpAsync(live, db, Cancel);
        var (last, undone) = (0, 0);
        for (var round = 1; undone == 0 || round <= 5; round++)
        {
            Assert.InRange(round, 1, 40);
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            var following = live.ReadAsync(_ => false, stop.Token);
            var writing = Task.Run(WriteAsync, Cancel);
            var late = new Follower(feed);
            await late.ReadAsync(chunk => !chunk.Lines.IsEmpty, stop.Token);
            await server.CrashAsync(Cancel);
            await stop.CancelAsync();
            await Task.WhenAll(OverAsync(following), writing);
            await server.StartAsync(Cancel);
            var rows = await db.RowsAsync("items");
            undone += last - int.Parse(await db.ScalarAsync("SELECT coalesce(max(id), 0) FROM items"), CultureInfo.InvariantCulture);
            Assert.Subset(rows.Keys.ToHashSet(), live.Rows.Keys.Concat(late.Lines.Where(IsRow).Select(IdOf)).ToHashSet());

            // The numbers of transactions that were undone are used again.
            await db.RunAsync($"INSERT INTO items VALUES ({++last}, 'n')");
            await LogicalPostgres.CatchUpAsync(live, db, Cancel);
            Assert.Equal(await db.RowsAsync("items"), live.Rows);
        }

        // Recovery took back nothing that was served, so nobody starts over.
        Assert.Equal(0, live.Resyncs);

        async Task WriteAsync()
        {
            try
            {
                await using var writer = await db.ConnectAsync();
                while (true)
                {
                    await writer.ExecuteAsync($"INSERT INTO items VALUES ({last + 1}, 'n')", Cancel);
                    last++;
                }
            }
            catch (NpgsqlException)
            {
                // The server is down.
            }
        }
    }

    [Fact]
    public async Task A_value_that_is_looked_up_is_on_disk_before_it_is_served()
    {
        await using var server = await LogicalPostgres.StartServerAsync("wal_writer_delay=10s");
        await using var db = TestDatabase.Open(server.ConnectionString);
        await db.RunAsync(
            "CREATE TABLE items (id int PRIMARY KEY, name text, big text); ALTER TABLE items ALTER COLUMN big SET STORAGE EXTERNAL; "
                + "INSERT INTO items VALUES (1, 'n', repeat('old', 3000))"
        );
        await using var feed = await StartAsync(db);
        var client = new Follower(feed);
        await LogicalPostgres.CatchUpAsync(client, db, Cancel);

        // The stream leaves out the large value, which is therefore read from the table. By then another commit, which is not on disk yet,
        // has changed it: each look at the table is followed by one.
        await using var writer = await db.ConnectAsync();
        await writer.ExecuteAsync("SET synchronous_commit = off", Cancel);
        using var polled = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == PostgresFeed.MeterName && instrument.Name == "lockstep.feed.polls")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        var (written, isOver) = (0, false);
        polled.SetMeasurementEventCallback<long>(
            (_, _, tags, _) =>
            {
                if (Volatile.Read(ref isOver) || !tags.Contains(new KeyValuePair<string, object?>("feed", "crashed")))
                {
                    return;
                }

                using var command = writer.CreateCommand();
                command.CommandText = $"UPDATE items SET big = repeat('new {++written}', 3000)";
                command.ExecuteNonQuery();
            }
        );
        polled.Start();
        var following = client.ReadAsync(_ => client.Rows["1"].Contains("changed", StringComparison.Ordinal), Cancel);
        await db.RunAsync("UPDATE items SET name = 'changed'");
        await following;
        Volatile.Write(ref isOver, true);
        await server.CrashAsync(Cancel);
        await server.StartAsync(Cancel);
        await LogicalPostgres.CatchUpAsync(client, db, Cancel);
        Assert.True(written > 0);
        Assert.Equal(await db.RowsAsync("items"), client.Rows);
    }

    private static bool IsRow(string line) => line.Contains("\"data\":", StringComparison.Ordinal);

    private static string IdOf(string line)
    {
        using var json = JsonDocument.Parse(line);
        return json.RootElement.GetProperty("data").GetProperty("id").GetRawText();
    }

    private Task<PostgresFeed> StartAsync(TestDatabase db) =>
        PostgresFeed.StartAsync(db.ConnectionString, LogicalPostgres.Options(_folder) with { Name = "crashed" }, cancellationToken: Cancel);

    /// <summary>Waits until a client reads no more.</summary>
    private static async Task OverAsync(Task reading)
    {
        try
        {
            await reading;
        }
        catch (Exception e) when (e is FeedServingException or OperationCanceledException)
        {
            // The server is down.
        }
    }
}
