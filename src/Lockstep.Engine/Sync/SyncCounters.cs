using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>The counts of a running sync. Each is written by one thread and may be read by any.</summary>
internal sealed class SyncCounters
{
    private long _added;
    private long _updated;
    private long _deleted;
    private long _swept;

    public long Received;
    public long Malformed;
    public long Heartbeats;
    public long OutOfOrder;
    public long Bytes;
    public int Connections;
    public long ChangingCommits;

    public long Changes => Volatile.Read(ref _added) + Volatile.Read(ref _updated) + Volatile.Read(ref _deleted);

    public void Count(ApplyCounts counts, long swept)
    {
        if (counts.Changes > 0)
            Interlocked.Increment(ref ChangingCommits);
        Interlocked.Add(ref _added, counts.Added);
        Interlocked.Add(ref _updated, counts.Updated);
        Interlocked.Add(ref _deleted, counts.Deleted);
        Interlocked.Add(ref _swept, swept);
    }

    public SyncResult Fill(SyncResult result) =>
        result with
        {
            Received = Volatile.Read(ref Received),
            Malformed = Volatile.Read(ref Malformed),
            Heartbeats = Volatile.Read(ref Heartbeats),
            OutOfOrder = Volatile.Read(ref OutOfOrder),
            Bytes = Volatile.Read(ref Bytes),
            Connections = Volatile.Read(ref Connections),
            Added = Volatile.Read(ref _added),
            Updated = Volatile.Read(ref _updated),
            Deleted = Volatile.Read(ref _deleted),
            Swept = Volatile.Read(ref _swept),
        };
}
