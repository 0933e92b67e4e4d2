using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

internal enum CommitKind
{
    Commit = 0,
    BeginSnapshot,
    AddToSnapshot,
    CountAbsent,
    CountHeld,
    EndSnapshot,
    DiscardSnapshot,
}

/// <summary>One thing to write.</summary>
internal sealed class CommitJob(CommitKind kind, TableCommit commit)
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public CommitKind Kind => kind;

    public TableCommit Commit => commit;

    public SnapshotEnding Ending { get; init; }

    /// <summary>The result of <see cref="CommitKind.CountAbsent"/>.</summary>
    public AbsentRecords? Absent { get; set; }

    /// <summary>How many live records the snapshot holds, after <see cref="CommitKind.CountHeld"/> is done.</summary>
    public long Held { get; set; }

    public Task Done => _done.Task;

    public void Succeed() => _done.TrySetResult();

    public void Fail(Exception e)
    {
        _done.TrySetException(e);
        // Nobody may be waiting for it; the queue reports the error in any case.
        _ = _done.Task.Exception;
    }
}
