using System.IO.Pipelines;
using Lockstep.Engine.Serving;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving.Tests;

/// <summary>A filter that leaves out row after row sends nothing, and still ends with its client.</summary>
public sealed class FilteredWritingTests : IDisposable
{
    private static readonly FeedFilter NoRow = FeedFilter.Parse([], ["id=0"])!;
    private static readonly FeedChunk Rows = ScriptedSource.Chunk(
        FeedChunkKind.SnapshotRows,
        2,
        ScriptedSource.Row(1),
        ScriptedSource.Row(2)
    );

    private readonly SendShare _share = new SendBudget(1 << 20, TimeProvider.System).Join(() => { });

    public void Dispose() => _share.Dispose();

    [Fact]
    public async Task Who_has_gone_has_no_row_filtered_any_more()
    {
        var writer = new FeedLineWriter(new Pipe().Writer, NoRow, ["id"], TimeProvider.System);

        await EndsWithItsClientAsync(writer);
    }

    [Fact]
    public async Task Who_has_gone_has_no_row_filtered_any_more_in_the_record_dialect()
    {
        await using var source = new ScriptedSource("items");
        var writer = await RecordWriter.StartAsync(
            new DefaultHttpContext(),
            NoRow,
            ["id"],
            source,
            _share,
            TestContext.Current.CancellationToken
        );

        await EndsWithItsClientAsync(writer);
    }

    private static async Task EndsWithItsClientAsync(IFeedWriter writer)
    {
        Assert.False(await writer.WriteRowsAsync(Rows, TestContext.Current.CancellationToken));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            await writer.WriteRowsAsync(Rows, new CancellationToken(canceled: true))
        );
    }
}
