using System.Threading.Channels;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Microsoft.Extensions.Logging;

namespace Lockstep.Engine.Sync;

/// <summary>
/// The writing half of a sync: takes batches from the reading half one at a time, commits them on its own thread, and passes on what was
/// committed (I5). The next batch fills while one is being written.
/// </summary>
internal sealed class CommitQueue
{
    private readonly Channel<CommitJob> _jobs = Channel.CreateBounded<CommitJob>(new BoundedChannelOptions(1) { SingleReader = true });
    private readonly ITableTarget _target;
    private readonly SyncOptions _options;
    private readonly StepChannel _steps;
    private readonly SyncCounters _counters;
    private readonly Func<SyncResult> _result;
    private readonly TimeProvider _time;
    private readonly Task _worker;
    private TransformedRecords? _transformed;
    private int _pending;
    private long _lastChange;

    public CommitQueue(
        ITableTarget target,
        SyncOptions options,
        StepChannel steps,
        SyncCounters counters,
        Func<SyncResult> result,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        _target = target;
        _options = options;
        _steps = steps;
        _counters = counters;
        _result = result;
        _time = time;
        _lastChange = time.GetTimestamp();
        _worker = Task.Run(() => WorkAsync(cancellationToken), CancellationToken.None);
    }

    /// <summary>Completes when no more jobs will be processed; with the error, if that is the reason.</summary>
    public Task Completion => _worker;

    /// <summary>Batches that were written and may be filled again.</summary>
    public BatchPool Batches { get; } = new();

    /// <summary>Whether nothing is being written.</summary>
    public bool IsIdle => Volatile.Read(ref _pending) == 0;

    /// <summary>When a commit last changed the table, as a timestamp of the time provider.</summary>
    public long LastChange => Volatile.Read(ref _lastChange);

    /// <summary>Restarts the clock when the first byte has arrived.</summary>
    public void ResetLastChange() => Volatile.Write(ref _lastChange, _time.GetTimestamp());

    /// <summary>Queues a job; returns when there is room for it.</summary>
    public async Task EnqueueAsync(CommitJob job, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _pending);
        try
        {
            await _jobs.Writer.WriteAsync(job, cancellationToken).ConfigureAwait(false);
        }
        catch (ChannelClosedException e) when (e.InnerException is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerException);
        }
    }

    /// <summary>Queues a job and waits until it is done.</summary>
    public async Task RunAsync(CommitJob job, CancellationToken cancellationToken)
    {
        await EnqueueAsync(job, cancellationToken).ConfigureAwait(false);
        await job.Done.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Waits until everything is written, and stops.</summary>
    public async Task FinishAsync()
    {
        _jobs.Writer.TryComplete();
        await _worker.ConfigureAwait(false);
    }

    private async Task WorkAsync(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var job in _jobs.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                try
                {
                    await RunOneAsync(job, cancellationToken).ConfigureAwait(false);
                    job.Succeed();
                }
                catch (Exception e)
                {
                    job.Fail(e);
                    throw;
                }
                finally
                {
                    Interlocked.Decrement(ref _pending);
                }
            }
        }
        catch (Exception e)
        {
            _jobs.Writer.TryComplete(e);
            // Somebody may be waiting for what is still queued.
            while (_jobs.Reader.TryRead(out var job))
                job.Fail(e);
            throw;
        }
    }

    private async Task RunOneAsync(CommitJob job, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var commit = job.Commit;
        if (_options.Transforms && commit is { Batch.Count: > 0, Shape: { } shape })
        {
            commit = commit with { NewFields = await TransformAsync(commit.Batch, shape, cancellationToken).ConfigureAwait(false) };
        }

        var result = Write(job, commit);
        if (result.Counts.Changes > 0)
            ResetLastChange();
        _counters.Count(result.Counts, result.Swept);
        if (result.Counts.Changes > 0 && _options.Logger.IsEnabled(LogLevel.Debug))
            SyncLog.Committed(_options.Logger, _result());

        var records = _options.WantsRecords && commit.Batch is not null ? ReceivedFrom(commit.Batch) : [];
        const int Chunk = 4096;
        var any = false;
        foreach (var changes in result.Changes.Chunk(Chunk))
        {
            any = true;
            await _steps.ExchangeAsync(new ChangesCommitted(changes, records, _result()), cancellationToken).ConfigureAwait(false);
            records = [];
        }

        if (!any && records.Count > 0)
            await _steps.ExchangeAsync(new ChangesCommitted([], records, _result()), cancellationToken).ConfigureAwait(false);

        if (commit.Batch is not null)
            Batches.Return(commit.Batch);
    }

    private CommitResult Write(CommitJob job, TableCommit commit)
    {
        switch (job.Kind)
        {
            case CommitKind.Commit:
                return _target.Commit(commit);
            case CommitKind.BeginSnapshot:
                _target.BeginSnapshot();
                return CommitResult.Nothing;
            case CommitKind.AddToSnapshot:
                // A snapshot that still changes has not settled, although the table does not show that yet.
                if (_target.CommitToSnapshot(commit).Changes > 0)
                    ResetLastChange();
                return CommitResult.Nothing;
            case CommitKind.CountAbsent:
                job.Absent = _target.CountAbsent(commit.Kept);
                return CommitResult.Nothing;
            case CommitKind.CountHeld:
                job.Held = _target.SnapshotRows;
                return CommitResult.Nothing;
            case CommitKind.EndSnapshot:
                return _target.CompleteSnapshot(commit, job.Ending);
            default:
                _target.DiscardSnapshot();
                return CommitResult.Nothing;
        }
    }

    /// <summary>Has the consumer rewrite the batch's records; returns the fields that they now have and the table did not know.</summary>
    private async Task<IReadOnlyList<string>> TransformAsync(RecordBatch batch, RecordShape shape, CancellationToken cancellationToken)
    {
        var records = new List<TransformableRecord>(batch.Count);
        for (var i = 0; i < batch.Count; i++)
        {
            ref var entry = ref batch[i];
            if ((entry.Flags & EntryFlags.Deleted) == 0)
                records.Add(new TransformableRecord(i, batch.KeyOf(entry), batch.Memory(entry.BodyStart, entry.BodyLength)));
        }

        if (records.Count == 0)
            return [];
        await _steps.ExchangeAsync(new RecordsToTransform(records), cancellationToken).ConfigureAwait(false);
        _transformed ??= new TransformedRecords(_target.State.Fields);
        foreach (var record in records)
            _transformed.Take(record, batch, shape);
        return _transformed.TakeNewFields();
    }

    private static List<ReceivedRecord> ReceivedFrom(RecordBatch batch)
    {
        var records = new List<ReceivedRecord>(batch.Count);
        for (var i = 0; i < batch.Count; i++)
        {
            ref var entry = ref batch[i];
            records.Add(
                new ReceivedRecord(
                    batch.KeyOf(entry),
                    (entry.Flags & EntryFlags.Deleted) != 0,
                    batch.Memory(entry.BodyStart, entry.BodyLength)
                )
            );
        }

        return records;
    }
}
