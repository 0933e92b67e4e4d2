using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>The first malformed bytes of a feed.</summary>
/// <param name="ByteOffset">Their offset in the body.</param>
/// <param name="Reason">What is wrong with them.</param>
/// <param name="Remedy">What to do; null if there is no special advice.</param>
internal sealed record FirstMalformed(long ByteOffset, string Reason, Remedy? Remedy);

/// <summary>What the parts of one running sync share.</summary>
internal sealed class SyncContext
{
    private const int MostLeftOutTold = 10;
    private long _lastByte;
    private long _leftOut;
    private int _load;
    private long _loadedBefore;

    public required SyncOptions Options { get; init; }

    public required TimeProvider Time { get; init; }

    public required ITableTarget Target { get; init; }

    public required RecordParser Parser { get; init; }

    public required SyncCounters Counters { get; init; }

    public required CommitQueue Queue { get; init; }

    public required Func<FeedEventKind, string, Remedy?, Task> PostEventAsync { get; init; }

    /// <summary>The sizes of the buffers.</summary>
    public required BufferSizes Buffers { get; init; }

    public BatchPool Batches => Queue.Batches;

    /// <summary>Called when a whole set is complete.</summary>
    public required Action SetCompleted { get; init; }

    /// <summary>When the sync started, as a timestamp of the time provider.</summary>
    public required long Start { get; init; }

    /// <summary>When the last byte arrived, as a timestamp; 0 before the first. Any thread may read it.</summary>
    public long LastByte
    {
        get => Volatile.Read(ref _lastByte);
        set => Volatile.Write(ref _lastByte, value);
    }

    /// <summary>What is known so far about how the feed's bodies end; stored with the next commit. The reading half's thread.</summary>
    public required FeedEnding FeedEnding { get; set; }

    /// <summary>The sync's first malformed record; null if there is none yet. The reading half's thread.</summary>
    public FirstMalformed? FirstMalformed { get; set; }

    /// <summary>Whether a warning has mentioned it. The reading half's thread.</summary>
    public bool HasToldOfMalformed { get; set; }

    /// <summary>Whether a warning has mentioned the first odd deletion mark. The reading half's thread.</summary>
    public bool HasToldOfDeletion { get; set; }

    /// <summary>Whether the user has been told why the table may be incomplete. The reading half's thread.</summary>
    public bool HasToldOfMore { get; set; }

    /// <summary>Rows that the feed says it leaves out and no warning has mentioned yet. The reading half's thread.</summary>
    public Queue<string> LeftOut { get; } = new();

    /// <summary>The feed leaves out a row. Only the first few are reported.</summary>
    public void NoteLeftOut(string row)
    {
        if (_leftOut++ < MostLeftOutTold)
            LeftOut.Enqueue(row);
    }

    /// <summary>
    /// What would happen to the current first load if it were cut off. The reading half's thread writes, any thread reads.
    /// </summary>
    public LoadOutlook Load
    {
        get => (LoadOutlook)Volatile.Read(ref _load);
        set => Volatile.Write(ref _load, (int)value);
    }

    /// <summary>How many records a first load had brought when this sync resumed it; 0 otherwise. Same threads.</summary>
    public long LoadedBefore
    {
        get => Volatile.Read(ref _loadedBefore);
        set => Volatile.Write(ref _loadedBefore, value);
    }

    /// <summary>
    /// The query with which everything in the table was requested, if it is this sync's; null while records of another query are, or may
    /// be, still in it.
    /// </summary>
    public string? AskedSoFar
    {
        get
        {
            var (state, asked) = (Target.State, Options.Feed.Asked);
            var isNew = state.Rows + state.Tombstones == 0 && state.RequestCursor.IsStart && state.LoadPage is null;
            var goesOn = !Options.Resync && !Options.Repair && (state.Asked is null || Options.Rebind);
            return isNew || goesOn || state.Asked == asked ? asked : null;
        }
    }

    /// <summary>Whether the sync ends when the feed has nothing more for now.</summary>
    public bool StopsWhenCaughtUp => !Options.Follow && Options.FollowFor is null;

    /// <summary>How long after its start the sync ends; null for never.</summary>
    public TimeSpan? FollowDeadline => Options.FollowFor;

    /// <summary>Whether a commit writes only the newest version of each record, because nobody wants to see each version.</summary>
    public bool Coalesces => !Options.EveryVersion && !Options.WantsRecords && !Options.Transforms;
}
