using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>Memory does not grow with the feed (I8).</summary>
[Trait("Invariant", "I8")]
[Collection(nameof(MeasuresMemory))]
public sealed class MemoryTests : SyncTest
{
    private const int Records = 1_000_000;

    [Fact]
    public async Task An_endless_feed_takes_no_more_memory_after_a_million_records_than_after_a_few()
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            for (var start = 0; ; start += 5000)
            {
                var piece = new StringBuilder();
                for (var i = start; i < start + 5000; i++)
                    piece.Append(Record(i % 1000, i));
                await exchange.ChunkAsync(piece.ToString());
            }
        });
        var sync = new TableSync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = server.FeedUri },
                Store = new FileTableStore(TablePath),
                Follow = true,
                WantsChanges = true,
            }
        );
        long early = 0,
            most = 0;
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (step is not ChangesCommitted)
                continue;
            var used = GC.GetTotalMemory(forceFullCollection: true);
            if (sync.Result.Received > Records / 4 && early == 0)
                early = used;
            most = Math.Max(most, used);
            if (sync.Result.Received > Records)
                break;
        }

        // Two batches of at most 24 MB each, their growth by doubling, and what the process's other tests hold meanwhile.
        Assert.True(most < early + 300_000_000, $"{early:N0} bytes early, {most:N0} at the most");
    }
}
