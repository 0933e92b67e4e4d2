namespace Lockstep.Sync;

/// <summary>
/// Reports with -Verbose what was committed and how a sync ended, in addition to connection events. One thread at a time.
/// </summary>
internal sealed class SyncStory(Action<string> tell)
{
    private long _added;
    private long _updated;
    private long _deleted;

    /// <summary>Reports what was committed since the last time, if anything was.</summary>
    public void Tell(Engine.Sync.SyncResult result)
    {
        var (added, updated, deleted) = (result.Added - _added, result.Updated - _updated, result.Deleted - _deleted);
        if (added + updated + deleted == 0)
            return;

        (_added, _updated, _deleted) = (result.Added, result.Updated, result.Deleted);
        tell($"Committed: {added} added, {updated} updated, {deleted} deleted; the cursor is {result.Cursor}.");
    }

    /// <summary>Reports how it ended.</summary>
    public void TellEnd(Engine.Sync.SyncResult result)
    {
        Tell(result);
        tell($"Done ({result.EndReason}): {result.Received} records and {result.Bytes} bytes in {result.Duration.TotalSeconds:F1} s.");
    }
}
