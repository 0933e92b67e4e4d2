using System.Collections.Concurrent;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>
/// The batches that wait to be filled again: one is filled while another is written, so two are all that is ever kept. Any thread.
/// </summary>
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

    /// <summary>Gives a batch back that nobody looks at any more.</summary>
    public void Return(RecordBatch batch)
    {
        if (_batches.Count < Most)
            _batches.Add(batch);
    }
}
