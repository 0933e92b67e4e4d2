using System.Management.Automation;
using System.Runtime.ExceptionServices;
using Lockstep.Bases;
using Lockstep.Engine;
using Lockstep.Engine.Records;
using Lockstep.Engine.Sync;
using Lockstep.Errors;
using Lockstep.Tables;

namespace Lockstep.Commands;

/// <summary>Waits until a table is up to date, has reached a cursor, or has a number of records.</summary>
[Cmdlet(VerbsLifecycle.Wait, "LockstepTable", DefaultParameterSetName = ByTable)]
[OutputType(typeof(TableInfo))]
public sealed class WaitLockstepTableCommand : TableCmdlet
{
    /// <summary>
    /// Waits until the table has everything that the feed has sent: a sync in this process has caught up with the feed and follows it, or
    /// any sync says so after this cmdlet started. What the feed got a moment ago may still be on its way; wait for it with -Cursor.
    /// </summary>
    [Parameter]
    public SwitchParameter UpToDate { get; set; }

    /// <summary>Waits until the table's cursor is at or above this one.</summary>
    [Parameter]
    public string? Cursor { get; set; }

    /// <summary>Waits until the table holds at least this many records.</summary>
    [Parameter]
    [ValidateRange(0L, long.MaxValue)]
    public long? Count { get; set; }

    /// <summary>How many seconds to wait at most; by default forever.</summary>
    [Parameter]
    [ValidateRange(0.0, 2000000.0)]
    public double? TimeoutSec { get; set; }

    private protected override void Process()
    {
        if (!UpToDate && Cursor is null && Count is null)
            throw new InvalidOptionException("There is nothing to wait for.", "Use -UpToDate, -Cursor or -Count.");

        ForEachTable(WaitFor);
    }

    private void WaitFor(FoundTable found)
    {
        var began = DateTimeOffset.UtcNow;
        var limit = TimeoutSec is { } seconds ? TimeSpan.FromSeconds(seconds) : (TimeSpan?)null;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(StopToken);
        var waiting = found.Table.WaitAsync(Holds, limit, TimeProvider.System, stop.Token);
        try
        {
            while (Task.WaitAny([waiting], millisecondsTimeout: 200) < 0)
            {
                WriteNotices();
                // A failed job will not bring what this is waiting for.
                if (NewestJob(job => IsOf(job, found)) is { Failure: { } failure } job && !HasAnotherSync(found, job.PSEndTime))
                    ExceptionDispatchInfo.Throw(failure);
            }
        }
        finally
        {
            stop.Cancel();
        }

        WriteNotices();
        if (Await(new ValueTask<Engine.Tables.TableInfo?>(waiting)) is not { } info)
        {
            var now = Described(found);
            throw new WaitTimeoutException(found.DisplayName, limit!.Value, now?.State?.ToString(), now?.LastError);
        }

        WriteObject(found.Describe(info));

        bool Holds(Engine.Tables.TableInfo info) =>
            (!UpToDate || (info.IsUpToDate && (info.LastSync >= began || IsFollowed(info.Location, info.Name, info.LastSync))))
            && (Cursor is null || info.HasReached(Engine.Records.Cursor.Parse(Cursor)))
            && (Count is null || info.Rows >= Count);
    }

    /// <summary>The table's current description; null if it does not exist, or cannot be read at the moment.</summary>
    private static TableInfo? Described(FoundTable found)
    {
        try
        {
            return found.Describe();
        }
        catch (Engine.LockstepException)
        {
            return null;
        }
    }

    /// <summary>After a failed first sync there is no table, and its job has the reason.</summary>
    private protected override Exception? WhyMissing(string name) =>
        NewestJob(job => name.Length == 0 || string.Equals(job.Sync.Table, name, StringComparison.OrdinalIgnoreCase))?.Failure;

    /// <summary>Whether a sync in this process follows the feed, and has received everything that existed when it connected.</summary>
    private static bool IsFollowed(string path, string table, DateTimeOffset? lastSync) =>
        RunningSyncs.Find(path, table) is { State.Phase: SyncPhase.Live or SyncPhase.Waiting }
        && SyncHealth.Find(path, table) is { ConnectedAt: { } connected }
        && lastSync >= connected;

    /// <summary>
    /// Whether a sync other than the failed job may bring what this is waiting for: one that is running, or has run since.
    /// </summary>
    private static bool HasAnotherSync(FoundTable found, DateTime? failedAt)
    {
        try
        {
            return found.Table.GetInfo() is var info && (info.Writer is not null || info.LastSync?.LocalDateTime > failedAt);
        }
        catch (Engine.LockstepException)
        {
            // It does not exist, or cannot be read at the moment.
            return false;
        }
    }

    private static bool IsOf(SyncJob job, FoundTable found) =>
        job.Sync is var sync && sync.Path == found.Location && (found.Store is null || found.Table.GetInfo().Name == sync.Table);

    private SyncJob? NewestJob(Func<SyncJob, bool> isMeant) =>
        JobRepository.Jobs.OfType<SyncJob>().Where(isMeant).MaxBy(static job => job.PSBeginTime);
}
