using System.Collections.Concurrent;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>Batches waiting to be refilled: one is filled while another is written, so at most two are kept. Any thread.</summary>
internal sealed class BatchPool
{
    private const int Most = 2;

    private readonly ConcurrentBag<RecordBatch> _batches = [];

    public RecordBatch Take(KeyLayout layout, OrderKind orderKind, bool coalesce)
    {
        if (!_batches.TryTake(out var batch))
            return new RecordBatch(layout, orderKind, coalesce);
        batch.Reset(layout, orderKind, coalesce);
        return batch;
    }

    /// <summary>Returns a batch that is no longer in use.</summary>
    public void Return(RecordBatch batch)
    {
        if (_batches.Count < Most)
            _batches.Add(batch);
    }
}
