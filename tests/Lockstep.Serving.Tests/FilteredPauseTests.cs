using Lockstep.Engine.Feed;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;

namespace Lockstep.Serving.Tests;

/// <summary>While a filter leaves out row after row, what keeps the connection alive does not mean that there is nothing more.</summary>
public sealed class FilteredPauseTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(null)]
    [InlineData("updated_at")]
    public async Task A_plain_sync_gets_what_comes_after_rows_that_the_filter_leaves_out(string? orderField)
    {
        await using var source = new ScriptedSource("items") { RecordOrderField = orderField };
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.SnapshotRows, 9, Row(1, "true")));
        source.Chunks.Add(new FeedChunk(FeedChunkKind.SnapshotCompleted, default, 9));
        await using var server = await FeedServer.StartAsync(
            [source],
            new FeedServerOptions { HeartbeatInterval = TimeSpan.FromTicks(1) },
            cancellationToken: TestContext.Current.CancellationToken
        );
        await SyncAsync(server);

        source.Chunks.Clear();
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.Rows, 0, Row(10, "true")));
        for (var id = 11; id < 20; id++)
            source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.Rows, 0, Row(id, "false")));
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.Rows, 0, Row(20, "true")));
        source.Chunks.Add(new FeedChunk(FeedChunkKind.CaughtUp, default, 20));
        var result = await SyncAsync(server);

        Assert.Equal(
            (SyncEndReason.CaughtUp, true, 3L),
            (result.EndReason, result.IsComplete, new Table(_folder["copy.db"]).GetInfo().Rows)
        );
    }

    private static string Row(int id, string keep) => ScriptedSource.Row(id, $",\"keep\":{keep},\"deleted_at\":null,\"updated_at\":{id}");

    private async Task<SyncResult> SyncAsync(FeedServer server)
    {
        var sync = new TableSync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = new Uri(server.Uri, "items?where=keep=true"), CursorStyle = CursorStyle.Query },
                Store = new FileTableStore(_folder["copy.db"]),
            }
        );
        await foreach (var _ in sync.RunAsync(TestContext.Current.CancellationToken)) { }
        return sync.Result;
    }
}
