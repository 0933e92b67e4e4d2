using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>
/// A table opened for a sync, with the writing half running: target, parser and queue, in the order in which they must be acquired and
/// released.
/// </summary>
internal sealed class SyncSession : IAsyncDisposable
{
    private readonly SyncOptions _options;
    private readonly SyncCounters _counters;
    private readonly TimeProvider _time;
    private readonly CancellationTokenRegistration _interrupt;

    private SyncSession(
        SyncOptions options,
        ITableTarget target,
        CommitQueue queue,
        SyncCounters counters,
        TimeProvider time,
        bool isImport,
        CancellationToken cancellationToken
    )
    {
        _options = options;
        Target = target;
        _counters = counters;
        _time = time;
        Queue = queue;
        Parser = TableBinding.CreateParser(target.State, options, isImport);
        _interrupt = cancellationToken.Register(target.Interrupt);
    }

    public ITableTarget Target { get; }

    public CommitQueue Queue { get; }

    public RecordParser Parser { get; }

    /// <summary>Opens the table that the options name, for the feed to which it must belong; null for an import.</summary>
    public static async Task<SyncSession> OpenAsync(
        SyncOptions options,
        FeedUri? feed,
        StepChannel steps,
        SyncCounters counters,
        Func<SyncResult> result,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        var name = options.TableName ?? feed?.TableNameFor(options.Foreign) ?? TableNaming.Default;
        var target = await options
            .Store.OpenAsync(
                name,
                new WriterOptions(options.WaitForWriter, options.IsServed) { CacheBytes = BufferSizes.Within(options.MemoryLimit).Cache },
                time,
                cancellationToken
            )
            .ConfigureAwait(false);
        try
        {
            TableBinding.Check(target.State, options, feed);
            var queue = new CommitQueue(target, options, steps, counters, result, time, cancellationToken);
            return new SyncSession(options, target, queue, counters, time, isImport: feed is null, cancellationToken);
        }
        catch
        {
            target.Dispose();
            throw;
        }
    }

    public SyncContext CreateContext(long start, Func<FeedEventKind, string, Remedy?, Task> postEvent, Action setCompleted) =>
        new()
        {
            Options = _options,
            Buffers = BufferSizes.Within(_options.MemoryLimit),
            Time = _time,
            Target = Target,
            FeedEnding = Target.State.FeedEnding,
            Parser = Parser,
            Counters = _counters,
            Queue = Queue,
            Start = start,
            PostEventAsync = postEvent,
            SetCompleted = setCompleted,
        };

    public async ValueTask DisposeAsync()
    {
        try
        {
            // The writer must have ended, with or without an error, before its connection is closed.
            await Queue.FinishAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or LockstepException or Microsoft.Data.Sqlite.SqliteException)
        {
            // Whoever awaited it has the error.
        }

        await _interrupt.DisposeAsync().ConfigureAwait(false);
        Target.Dispose();
    }
}
