using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>The first stretch of a feed that is no record.</summary>
/// <param name="ByteOffset">Its offset in its body.</param>
/// <param name="Reason">What is wrong with it.</param>
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

    /// <summary>How large they may grow.</summary>
    public required BufferSizes Buffers { get; init; }

    /// <summary>Where batches come from and return to.</summary>
    public BatchPool Batches => Queue.Batches;

    /// <summary>Called when a whole set is complete.</summary>
    public required Action SetCompleted { get; init; }

    /// <summary>When the sync began, as the time provider's timestamp.</summary>
    public required long Start { get; init; }

    /// <summary>When the last byte came, as a timestamp too; 0 before the first. Any thread may read it.</summary>
    public long LastByte
    {
        get => Volatile.Read(ref _lastByte);
        set => Volatile.Write(ref _lastByte, value);
    }

    /// <summary>What is known by now about the end of the feed's bodies; the next commit stores it. The reading half's thread.</summary>
    public required FeedEnding FeedEnding { get; set; }

    /// <summary>The first malformed record of the sync; null while there is none. The reading half's thread.</summary>
    public FirstMalformed? FirstMalformed { get; set; }

    /// <summary>Whether a warning mentioned it. The reading half's thread.</summary>
    public bool HasToldOfMalformed { get; set; }

    /// <summary>Whether a warning mentioned the first odd deletion mark. The reading half's thread.</summary>
    public bool HasToldOfDeletion { get; set; }

    /// <summary>Whether the user has been told why the table may lack something. The reading half's thread.</summary>
    public bool HasToldOfMore { get; set; }

    /// <summary>What the feed says it leaves out and no warning has mentioned yet. The reading half's thread.</summary>
    public Queue<string> LeftOut { get; } = new();

    /// <summary>The feed leaves out a row. Only the first ones are reported.</summary>
    public void NoteLeftOut(string row)
    {
        if (_leftOut++ < MostLeftOutTold)
            LeftOut.Enqueue(row);
    }

    /// <summary>What happens to the first load under way if it is cut off. The reading half's thread writes, any reads.</summary>
    public LoadOutlook Load
    {
        get => (LoadOutlook)Volatile.Read(ref _load);
        set => Volatile.Write(ref _load, (int)value);
    }

    /// <summary>How many records a first load had brought when this sync continued it; 0 otherwise. Same threads.</summary>
    public long LoadedBefore
    {
        get => Volatile.Read(ref _loadedBefore);
        set => Volatile.Write(ref _loadedBefore, value);
    }

    /// <summary>
    /// The query with which everything in the table was requested, if it is this sync's; null while records of another query are, or may
    /// be, still there.
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

    /// <summary>Only the newest version of each record in a commit is written, unless somebody wants to see each.</summary>
    public bool Coalesces => !Options.EveryVersion && !Options.WantsRecords && !Options.Transforms;
}
