using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;
using Lockstep.TestServer;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>The main job against real feeds over HTTP.</summary>
public sealed class MainJobTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_reference_feed_settles_with_its_five_records()
    {
        await using var server = await StartAsync(FeedKind.Reference);

        var run = await SyncRun.ToEndAsync(SyncRun.Options(server.FeedUri, _folder["servers.db"]));

        Assert.Equal(SyncEndReason.Settled, run.Result.EndReason);
        Assert.Equal("servers", run.Result.Table);
        Assert.Equal("1004", run.Result.Cursor.ToString());
        Assert.Equal(5, run.Result.Added);
        Assert.True(run.Result.OutOfOrder > 0);
        var records = SyncRun.Read(_folder["servers.db"]);
        Assert.Equal(["123", "124", "125", "126", "127"], records.Keys);
        Assert.Equal("""{"id":124,"updated_at":1001,"deleted_at":null,"ip":"0.0.0.0","port":1235}""", records["124"]);
    }

    [Fact]
    public async Task A_second_sync_goes_on_from_the_cursor_and_changes_nothing()
    {
        await using var server = await StartAsync(FeedKind.Reference);
        var options = SyncRun.Options(server.FeedUri, _folder["servers.db"]);
        await SyncRun.ToEndAsync(options);

        var again = await SyncRun.ToEndAsync(options);

        Assert.Empty(again.Changes);
        Assert.Equal(0, again.Result.Added + again.Result.Updated + again.Result.Deleted);
        Assert.Equal("1004", server.Requests[^1].Cursor);
    }

    [Fact]
    public async Task The_finite_feed_ends_by_itself()
    {
        await using var server = await StartAsync(FeedKind.Finite);

        var run = await SyncRun.ToEndAsync(SyncRun.Options(server.FeedUri, _folder["servers.db"]));

        Assert.Equal(SyncEndReason.EndOfFeed, run.Result.EndReason);
        Assert.Equal("1000", run.Result.Cursor.ToString());
        Assert.Equal([ChangeKind.Added, ChangeKind.Deleted], run.Changes.Select(c => c.Kind));
        Assert.Equal(["123"], SyncRun.Read(_folder["servers.db"]).Keys);
        var info = new Table(_folder["servers.db"]).GetInfo();
        Assert.Equal((1L, 1L), (info.Rows, info.Tombstones));
    }

    [Fact]
    public async Task A_heartbeat_says_that_the_feed_has_nothing_more()
    {
        await using var server = await LockstepTestServer.StartAsync(
            new TestServerOptions
            {
                Port = 0,
                Feed = FeedKind.Scripted,
                Records = ["""{"id":1,"updated_at":5,"deleted_at":null}"""],
                Scripted = { Heartbeat = HeartbeatKind.Object, HeartbeatInterval = TimeSpan.FromMilliseconds(20) },
            },
            cancellationToken: TestContext.Current.CancellationToken
        );

        var run = await SyncRun.ToEndAsync(SyncRun.Options(server.FeedUri, _folder["servers.db"]));

        Assert.Equal(SyncEndReason.CaughtUp, run.Result.EndReason);
        Assert.Equal(1, run.Result.Added);
    }

    private static Task<LockstepTestServer> StartAsync(FeedKind feed) =>
        LockstepTestServer.StartAsync(
            new TestServerOptions { Port = 0, Feed = feed },
            cancellationToken: TestContext.Current.CancellationToken
        );
}
