using Lockstep.Engine.Records;

namespace Lockstep.Engine.Sync;

/// <summary>
/// How far a sync has come: a connection after which it differs has committed something new, or moved on, so that the next one does not
/// repeat it.
/// </summary>
internal readonly record struct ProgressMark(long Changes, Cursor Cursor, Cursor? Resume, string? LoadPage)
{
    /// <summary>What is committed now.</summary>
    public static ProgressMark Of(SyncStatus status, SyncContext context)
    {
        var table = context.Target.Committed;
        return new ProgressMark(status.Counters.Changes, table.Cursor, table.Resume, table.LoadPage);
    }
}
