using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tables;

/// <summary>Where a sync writes: a table file, or a table in a database. Opened for a single writer. Every commit is atomic (I1).</summary>
/// <remarks>
/// Members that write are called by one thread at a time: in a sync, the commit queue's. Any thread may read <see cref="State"/> and
/// <see cref="Committed"/> meanwhile: each is an immutable value that a write replaces as a whole, so a reader sees the state before the
/// write or after it. <see cref="Interrupt"/> may be called from any thread. Dispose it when the writing thread has ended.
/// </remarks>
internal interface ITableTarget : IDisposable
{
    /// <summary>The table's state as of the last write, committed or not. Any thread.</summary>
    TableState State { get; }

    /// <summary>The table's state as of the last commit. Any thread.</summary>
    TableState Committed { get; }

    /// <summary>Commits a batch with cursor and identity; returns what it changed.</summary>
    CommitResult Commit(TableCommit commit);

    /// <summary>Begins a snapshot apart from the records (I6).</summary>
    void BeginSnapshot();

    /// <summary>
    /// Adds a batch to the snapshot, or only quarantined records; returns what that changed in the snapshot, which is not yet a change of
    /// the table.
    /// </summary>
    ApplyCounts CommitToSnapshot(TableCommit commit);

    /// <summary>Counts the records that the snapshot would sweep now; changes nothing.</summary>
    /// <param name="kept">The keys that are not swept, as in <see cref="TableCommit.Kept"/>.</param>
    AbsentRecords CountAbsent(IReadOnlyCollection<byte[]> kept);

    /// <summary>How many live records the snapshot holds, whether the table has them already or not.</summary>
    long SnapshotRows { get; }

    /// <summary>Replaces the records with the snapshot, atomically.</summary>
    /// <param name="commit">Cursor, identity and so on; no batch.</param>
    /// <param name="ending">What the snapshot's end means.</param>
    CommitResult CompleteSnapshot(TableCommit commit, SnapshotEnding ending);

    /// <summary>Discards a snapshot.</summary>
    void DiscardSnapshot();

    /// <summary>Interrupts whatever is running, from any thread.</summary>
    void Interrupt();
}

/// <summary>The records of a table that a snapshot lacks.</summary>
/// <param name="Count">How many.</param>
/// <param name="Examples">The first few keys.</param>
internal sealed record AbsentRecords(long Count, IReadOnlyList<RecordKey> Examples)
{
    /// <summary>Whether the snapshot has no live records at all.</summary>
    public required bool IsEmpty { get; init; }

    /// <summary>The maximum number of examples.</summary>
    public const int MostExamples = 3;
}

/// <summary>What the end of a snapshot means.</summary>
[Flags]
internal enum SnapshotEnding
{
    /// <summary>It is not known to be complete: its records are merged, and nothing is swept (I6).</summary>
    MergeOnly = 0,

    /// <summary>It is complete: records that it lacks are gone.</summary>
    Sweep = 1,

    /// <summary>The feed is not the same as before: stored order values and tombstones no longer mean anything.</summary>
    ForgetOrder = 2,
}

/// <summary>The contents of a commit. Null leaves a value unchanged.</summary>
internal sealed record TableCommit
{
    public RecordBatch? Batch { get; init; }

    public RecordShape? Shape { get; init; }

    public IReadOnlyList<string> NewFields { get; init; } = [];

    public string? Feed { get; init; }

    public Cursor? Cursor { get; init; }

    /// <summary>Where the next request starts if that is before the cursor; unlike the others, null clears it.</summary>
    public Cursor? Resume { get; init; }

    public string? FeedIdentity { get; init; }

    public FeedEnding? FeedEnding { get; init; }

    public DateTimeOffset? At { get; init; }

    /// <summary>Whether it is unknown if the table has everything that the feed had at <see cref="At"/>.</summary>
    public bool IsIncomplete { get; init; }

    /// <summary>How another server's feed is read.</summary>
    public string? Foreign { get; init; }

    /// <summary>The digest of the query with which the table's records were requested.</summary>
    public string? Asked { get; init; }

    /// <summary>A whole set that must be fetched again.</summary>
    public OwedSet? Owed { get; init; }

    /// <summary>What percentage of the records a whole set may remove if its end is uncertain.</summary>
    public int? SweepLimit { get; init; }

    /// <summary>Whether a whole set arrived that could be read in full, so that none is owed any more.</summary>
    public bool PaysOwed { get; init; }

    /// <summary>Where the table's first load resumes if it is cut off after this commit.</summary>
    public string? LoadPage { get; init; }

    /// <summary>Whether the first load, if any, is over.</summary>
    public bool EndsLoad { get; init; }

    /// <summary>Whether an import continues after this commit (true) or ended with it (false).</summary>
    public bool? IsImporting { get; init; }

    public IReadOnlyList<QuarantinedRecord> Quarantined { get; init; } = [];

    /// <summary>
    /// The keys (<see cref="KeyEncoding"/>) of malformed records in the snapshot that is ending: records stored under them are not swept
    /// (I6).
    /// </summary>
    public IReadOnlyCollection<byte[]> Kept { get; init; } = [];

    /// <summary>The maximum number of records in quarantine; the oldest are dropped to make room.</summary>
    public int QuarantineLimit { get; init; } = DefaultQuarantineLimit;

    /// <summary>The default of <see cref="QuarantineLimit"/>.</summary>
    public const int DefaultQuarantineLimit = 10_000;

    public bool WantsChanges { get; init; }

    /// <summary>
    /// Whether the transaction may stay open for the next batch: a commit rewrites most of the pages that it touches, so under load one
    /// commit follows many batches. The commit that ends the transaction counts everything written in it.
    /// </summary>
    public bool MayStayOpen { get; init; }
}

/// <summary>What a commit changed.</summary>
/// <param name="Counts">The counts.</param>
/// <param name="Changes">The changes in order of sequence, if requested; may be read only once, before the next commit.</param>
internal sealed record CommitResult(ApplyCounts Counts, IEnumerable<TableChange> Changes)
{
    /// <summary>How many of the deleted records were missing from a snapshot.</summary>
    public long Swept { get; init; }

    public static CommitResult Nothing { get; } = new(default, []);
}
