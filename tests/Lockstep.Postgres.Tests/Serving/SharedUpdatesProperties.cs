using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Postgres.Tests.Feed;
using Lockstep.Postgres.Tests.Replication;
using Lockstep.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Serving;

/// <summary>Clients that share the pages of a table's updates have the table in the end, whatever its writers do.</summary>
public sealed class SharedUpdatesProperties(LogicalPostgres postgres) : IClassFixture<LogicalPostgres>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory(Timeout = 300_000)]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, true)]
    [InlineData(4, true)]
    public async Task Followers_that_come_and_go_end_with_the_database(int seed, bool byReplication)
    {
        using var folder = new TempFolder();
        await using var db = await postgres.CreateAsync("CREATE TABLE items (id int PRIMARY KEY, v int)");
        if (!byReplication)
            await PostgresTracking.EnableAsync(db.ConnectionString, LogicalPostgres.Items, new TrackingOptions(), Cancel);
        var options = byReplication
            ? LogicalPostgres.Options(folder)
            : new PostgresFeedOptions { Table = LogicalPostgres.Items, PollInterval = TimeSpan.FromMilliseconds(20) };
        var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            options with
            {
                LiveBytes = seed % 2 == 0 ? 2048 : 16 << 20,
            },
            cancellationToken: Cancel
        );
        await using var server = await FeedServer.StartAsync(
            [feed],
            new FeedServerOptions { ShareUpdates = true, HeartbeatInterval = TimeSpan.FromMilliseconds(300) },
            cancellationToken: Cancel
        );
        var uri = new Uri(server.Uri, "items");
        using var done = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var writers = Enumerable
            .Range(0, 4)
            .Select(i => Task.Run(() => RandomWriter.WriteAsync(db, new Random((seed * 100) + i), i, canPrepare: byReplication), Cancel))
            .ToArray();
        string[] files = [.. Enumerable.Range(0, 4).Select(i => folder[$"{i}.db"])];
        Task[] followers = [.. files.Select((file, i) => FollowAsync(uri, file, comesAndGoes: i < 2, done.Token))];
        await Task.WhenAll(writers);

        var expected = await db.RowsAsync("items");
        foreach (var file in files)
        {
            await Eventually.TrueAsync(() =>
            {
                Assert.DoesNotContain(followers, follower => follower.IsFaulted);
                return Table.IsTable(file) && new SyncedFile(uri, file).Read().SequenceEqual(expected);
            });
        }

        await done.CancelAsync();
        await Task.WhenAll(followers);
    }

    private static async Task FollowAsync(Uri uri, string file, bool comesAndGoes, CancellationToken done)
    {
        while (!done.IsCancellationRequested)
        {
            var sync = new TableSync(
                new SyncOptions
                {
                    Feed = new FeedOptions { Uri = uri, CursorStyle = CursorStyle.Query },
                    Store = new FileTableStore(file),
                    TableName = "copy",
                    Dialect = Dialect.Transaction,
                    Follow = true,
                    RetryInterval = TimeSpan.FromMilliseconds(20),
                    WantsChanges = true,
                }
            );
            try
            {
                var commits = 0;
                await foreach (var step in sync.RunAsync(done))
                {
                    if (step is ChangesCommitted && comesAndGoes && ++commits == 3)
                        break;
                }
            }
            catch (OperationCanceledException) when (done.IsCancellationRequested)
            {
                // The end of the test.
            }
        }
    }
}
