using Lockstep.Engine.Sync;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>What a memory limit leaves for the buffers (I8).</summary>
public sealed class BufferSizesTests
{
    private const long Megabyte = 1024 * 1024;
    private const long Program = 36 * Megabyte;

    [Theory]
    [InlineData(64)]
    [InlineData(96)]
    [InlineData(128)]
    [InlineData(200)]
    [InlineData(400)]
    [InlineData(1000)]
    public void All_of_them_together_stay_below_the_limit(long megabytes)
    {
        var sizes = BufferSizes.Within(megabytes * Megabyte);

        foreach (var batch in (long[])[sizes.Batch, sizes.EndlessBatch, sizes.PageBatch, sizes.AscendingBatch])
        {
            // One is being written, one waits, one is being filled; sorting takes another fifth.
            var batches = sizes.IsAlone(batch) ? 1 : 3;
            Assert.InRange(Program + sizes.Cache + (batches * batch * 6 / 5), 0, megabytes * Megabyte);
        }
    }

    [Fact]
    public void What_a_limit_does_not_need_is_as_without_one()
    {
        var free = BufferSizes.Within(null);

        var sizes = BufferSizes.Within(1L << 40);

        Assert.Equal(
            (free.Batch, free.EndlessBatch, free.PageBatch, free.AscendingBatch, free.Cache),
            (sizes.Batch, sizes.EndlessBatch, sizes.PageBatch, sizes.AscendingBatch, sizes.Cache)
        );
        Assert.False(sizes.IsAlone(free.Batch));
        Assert.False(free.IsAlone(free.Batch));
    }

    [Fact]
    public void A_small_limit_keeps_a_first_load_in_one_batch_at_a_time_and_lets_live_records_overlap()
    {
        var sizes = BufferSizes.Within(128 * Megabyte);

        Assert.True(sizes.IsAlone(sizes.Batch));
        Assert.False(sizes.IsAlone(sizes.EndlessBatch));
        Assert.False(sizes.IsAlone(sizes.PageBatch));
        Assert.InRange(sizes.Batch, 50 * Megabyte, 80 * Megabyte);
    }
}
