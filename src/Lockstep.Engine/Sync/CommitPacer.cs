using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>
/// What a body has brought and is not yet committed: fills batches, and decides when to hand one over for writing and when to commit what
/// was written. Runs on the reading half's thread.
/// </summary>
internal sealed class CommitPacer
{
    private const int MostQuarantinedBytes = 1024 * 1024;

    /// <summary>The overhead of a quarantined record besides its bytes, so that many small ones count too.</summary>
    private const int QuarantineOverhead = 256;

    /// <summary>The interval between commits under load, about a second: each commit rewrites most of the pages that it touches.</summary>
    private static readonly TimeSpan CommitInterval = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The longest time before the first commit of a body that is known to end: an empty table is filled fastest in one go.
    /// </summary>
    private static readonly TimeSpan FirstCommitInterval = TimeSpan.FromSeconds(3);

    /// <summary>
    /// The longer limit while this much is waiting in memory: committing in between would write most pages twice. Readers do not wait for
    /// the commit, and a load that is killed loses only seconds.
    /// </summary>
    private static readonly TimeSpan FastFirstCommitInterval = TimeSpan.FromSeconds(10);
    private const int FastBytes = 16 * 1024 * 1024;

    /// <summary>The pause after which an endless feed's records are committed.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(5);

    /// <summary>How often a feed that trickles without pauses is committed, as long as that is cheap.</summary>
    private static readonly TimeSpan TrickleInterval = TimeSpan.FromMilliseconds(50);
    private const int TrickleRecords = 1000;

    private readonly SyncContext _context;
    private readonly BodySource _source;
    private readonly CursorTracker _tracker;
    private readonly List<QuarantinedRecord> _quarantined = [];
    private RecordBatch? _batch;
    private RecordBatch? _finished;
    private long _uncommittedSince;
    private bool _hasOpenTransaction;
    private bool _isFirstCommit;
    private int _quarantinedBytes;
    private FeedMark? _mark;

    public CommitPacer(SyncContext context, BodySource source, CursorTracker tracker)
    {
        _context = context;
        _source = source;
        _tracker = tracker;
        _isFirstCommit = source.IsFinite && context.Target.State.Sequence == 0;
        IsStaged = source.IsStaged;
    }

    /// <summary>Whether the records are kept outside the table until the set is complete (I6).</summary>
    public bool IsStaged { get; set; }

    /// <summary>Whether any of this body has reached the table.</summary>
    public bool HasCommitted { get; private set; }

    /// <summary>Where the first load resumes for a client that has everything added so far; null if unknown.</summary>
    public string? LoadPage { get; set; }

    public bool HasUncommitted => _hasOpenTransaction || _batch is { Count: > 0 };

    /// <summary>Whether anything has not been written yet, including malformed records.</summary>
    public bool HasAnything => HasUncommitted || _quarantined.Count > 0;

    /// <summary>Whether so much is in quarantine that it must be written before more arrives.</summary>
    public bool QuarantineIsFull => _quarantinedBytes >= MostQuarantinedBytes;

    /// <summary>
    /// How much longer the feed may pause before what has arrived must be committed. In a body that is known to end, a pause is only the
    /// network's; a commit at each one would rewrite most of the table's pages for a few records.
    /// </summary>
    public TimeSpan PauseLeft => IsPatient && HasUncommitted ? Interval - _context.Time.GetElapsedTime(_uncommittedSince) : Linger;

    /// <summary>Whether nobody is waiting for the records.</summary>
    private bool IsPatient => _source.IsFinite && _context.Options is { WantsChanges: false, WantsRecords: false, Transforms: false };

    private TimeSpan Interval =>
        !_isFirstCommit ? CommitInterval
        : !_hasOpenTransaction && _batch is { MemoryUsed: >= FastBytes } ? FastFirstCommitInterval
        : FirstCommitInterval;

    /// <summary>Adds a record.</summary>
    /// <param name="record">The record; it is copied.</param>
    /// <param name="beginsBatch">Whether it is the first record of a batch.</param>
    /// <returns>Whether the batch must be handed over before the next record is added.</returns>
    public bool Add(in RoutedRecord record, out bool beginsBatch)
    {
        beginsBatch = _batch is null || _batch.Layout != record.KeyLayout;
        if (beginsBatch)
        {
            // The first key that is not an integer gives the table another layout, and a batch has only one layout.
            if (_batch is { Count: > 0 })
                _finished = _batch;
            _batch = _context.Batches.Take(record.KeyLayout, record.OrderKind, _context.Coalesces);
            if (!_hasOpenTransaction)
                _uncommittedSince = _context.Time.GetTimestamp();
        }

        _batch!.Add(record);
        return _finished is not null || IsFull(_batch);
    }

    /// <summary>
    /// Everything added from here on belongs to the origin's history up to a mark, which is committed with it or earlier.
    /// </summary>
    public void Note(FeedMark mark) => _mark = FeedMark.Later(_mark, mark);

    /// <summary>Quarantines a malformed record with the next commit.</summary>
    public void Quarantine(QuarantinedRecord record)
    {
        _quarantinedBytes += QuarantineOverhead + record.Bytes.Length;
        _quarantined.Add(record);
    }

    /// <summary>Commits if the records have waited long enough.</summary>
    public async Task FlushWhenDueAsync(CancellationToken cancellationToken)
    {
        if (!HasUncommitted || !_context.Queue.IsIdle)
            return;
        var age = _context.Time.GetElapsedTime(_uncommittedSince);
        if (age >= Interval || (!IsPatient && age >= TrickleInterval && _batch is { Count: < TrickleRecords } && !_hasOpenTransaction))
            await FlushAsync(drain: false, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Hands over what has been added to be committed; with <paramref name="drain"/>, returns once it is committed.</summary>
    public async Task FlushAsync(bool drain, CancellationToken cancellationToken)
    {
        if (_finished is { } finished)
        {
            _finished = null;
            await SendAsync(finished, wait: false, cancellationToken).ConfigureAwait(false);
        }

        var batch = _batch;
        _batch = null;
        await SendAsync(batch, drain || _context.Options.Transforms, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Hands over a full batch to be written; it is committed together with others when it is time.</summary>
    public async Task HandOverAsync(CancellationToken cancellationToken)
    {
        var mayStayOpen =
            !_context.Options.WantsChanges
            && !_context.Options.WantsRecords
            && !_context.Options.Transforms
            && !IsStaged
            && _finished is null
            && _context.Time.GetElapsedTime(_uncommittedSince) < Interval;
        if (!mayStayOpen)
        {
            await FlushAsync(drain: false, cancellationToken).ConfigureAwait(false);
            return;
        }

        var commit = Describe(_batch) with { MayStayOpen = true };
        ForgetQuarantined();
        _batch = null;
        _hasOpenTransaction = true;
        await WriteAsync(new CommitJob(CommitKind.Commit, commit), wait: false, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A commit of a batch, or of none, with what is currently known about the table.</summary>
    public TableCommit Describe(RecordBatch? batch)
    {
        var state = _context.Target.State;
        if (!IsStaged)
            HasCommitted = true;
        var shape = _context.Parser.Shape;
        (var cursor, var resume) = IsStaged ? (null, state.Resume) : _tracker.Position(state.Cursor, state.Resume);
        return new TableCommit
        {
            Batch = batch,
            // The batch before the first key that is not an integer still holds integers.
            Shape =
                batch is not null && shape is not null && shape.KeyLayout != batch.Layout ? shape with { KeyLayout = batch.Layout } : shape,
            NewFields = _context.Options.Transforms ? [] : _context.Parser.Fields.TakeNew(),
            Feed = _source.IsImport ? null : _source.Feed.Display,
            Asked = _source.IsImport ? null : _context.AskedSoFar,
            Cursor = cursor,
            Resume = resume,
            FeedIdentity = IsStaged
                ? null
                : FeedMark.Join(_source.FeedIdentity, _source.Mark() is { } head ? FeedMark.Later(head, _mark) : null),
            FeedEnding = _source.IsImport ? null : _context.FeedEnding,
            IsImporting = _source.IsImport ? true : null,
            Quarantined = [.. _quarantined],
            QuarantineLimit = _context.Options.QuarantineLimit,
            LoadPage = IsStaged ? null : LoadPage,
            WantsChanges = _context.Options.WantsChanges,
        };
    }

    private bool IsFull(RecordBatch batch)
    {
        var used = batch.MemoryUsed;
        var sizes = _context.Buffers;
        if (used < sizes.AscendingBatch)
            return false;
        used = batch.FoldWhenWorthIt();
        return used >= (_source.IsFinite ? sizes.Batch : sizes.EndlessBatch)
            || !batch.IsCoalesced
            || batch.IsAscending
            || (used >= sizes.BatchWhileWriting && !_context.Queue.IsIdle);
    }

    private async Task SendAsync(RecordBatch? batch, bool wait, CancellationToken cancellationToken)
    {
        if (_hasOpenTransaction || batch is { Count: > 0 })
            _isFirstCommit = false;
        _hasOpenTransaction = false;
        if (IsStaged && batch is null && _quarantined.Count == 0)
            return;
        var job = new CommitJob(IsStaged ? CommitKind.AddToSnapshot : CommitKind.Commit, Describe(batch));
        ForgetQuarantined();
        await WriteAsync(job, wait, cancellationToken).ConfigureAwait(false);
    }

    private Task WriteAsync(CommitJob job, bool wait, CancellationToken cancellationToken) =>
        wait || _context.Buffers.IsAlone(job.Commit.Batch?.MemoryUsed ?? 0)
            ? _context.Queue.RunAsync(job, cancellationToken)
            : _context.Queue.EnqueueAsync(job, cancellationToken);

    private void ForgetQuarantined()
    {
        _quarantined.Clear();
        _quarantinedBytes = 0;
    }
}
