using System.Text;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>How far a commit takes a table, in its dialect's terms.</summary>
internal readonly record struct DialectPosition
{
    /// <summary>The cursor that covers everything committed; null keeps the stored one.</summary>
    public string? Cursor { get; init; }

    /// <summary>Where the round resumes if it is not at its end.</summary>
    public string? Resume { get; init; }

    /// <summary>The feed's identity; null keeps the stored one.</summary>
    public string? Identity { get; init; }

    /// <summary>The dialect's description, once an answer has matched it.</summary>
    public string? Description { get; init; }

    /// <summary>Whether the table has everything there was.</summary>
    public bool IsUpToDate { get; init; }

    /// <summary>The whole set that must be fetched again; null keeps what is owed.</summary>
    public OwedSet? Owed { get; init; }

    /// <summary>Whether a whole set arrived that could be read in full.</summary>
    public bool PaysOwed { get; init; }
}

/// <summary>
/// Writes a dialect's items to the table: a page with its cursor in one commit (D1), or a whole set staged outside the table until it is
/// complete. Runs on the reading half's thread.
/// </summary>
internal sealed class DialectWriter(SyncContext context, FeedUri feed)
{
    /// <summary>The batch size for the stage, so that memory does not grow with the set (I8).</summary>
    private const int StageBytes = 4 * 1024 * 1024;

    /// <summary>The batch size at which to write while the queue is idle: records are written while the next page is requested.</summary>
    private const int IdleStageBytes = FirstLoad.WorthIt;

    /// <summary>The interval between commits under load: each commit rewrites most of the file's pages that it touches.</summary>
    private static readonly TimeSpan CommitInterval = TimeSpan.FromSeconds(1);

    /// <summary>The same interval for an empty table, which is filled fastest in one go.</summary>
    private static readonly TimeSpan FirstCommitInterval = TimeSpan.FromSeconds(3);

    /// <summary>A feed that takes longer than this to answer is pausing: what has arrived is committed meanwhile.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>Up to this size, what is applied as a unit is kept in memory; beyond it is staged.</summary>
    private const int PageBytes = 64 * 1024 * 1024;
    private const int Snippet = 80;

    private readonly List<RecordBatch> _finished = [];
    private readonly List<QuarantinedRecord> _quarantined = [];
    private RecordBatch? _batch;

    /// <summary>Whether what the open transaction has written came in the order of its keys, and the last key.</summary>
    private bool _isInOrder = true;
    private (long Integer, byte[] Encoded)? _lastKey;

    /// <summary>The position of what arrived in full and is not yet written; null if there is none.</summary>
    private DialectPosition? _kept;

    /// <summary>How much of what is unwritten belongs to it: complete batches, records of the last batch, malformed records.</summary>
    private (int Batches, int Records, int Quarantined) _mark;

    /// <summary>The commit that ends the open transaction if nothing more arrives; null if none is open.</summary>
    private TableCommit? _open;
    private long? _uncommittedSince;

    /// <summary>Turns items into records.</summary>
    public ItemReader Items { get; } = new(context.Target.State.Shape, context.Target.State.Fields);

    /// <summary>Whether items are being staged.</summary>
    public bool IsStaged { get; private set; }

    /// <summary>Whether something could not be read, so that a missing record may be just that (I6).</summary>
    public bool HasUnreadable { get; private set; }

    /// <summary>Whether anything is waiting to be committed.</summary>
    public bool HasUncommitted => HasKept || _batch is { Count: > 0 } || _finished.Count > 0 || _quarantined.Count > 0;

    /// <summary>Whether enough has arrived to be written while more arrives.</summary>
    public bool IsWorthWriting =>
        _batch is { } batch && batch.MemoryUsed >= (context.Queue.IsIdle && !IsOutOfOrder ? IdleStageBytes : WriteBytes);

    /// <summary>
    /// Whether keys have not come in their order. The more of them are sorted and written at once, the fewer pages of the file each write
    /// touches; those that come in order gain nothing by waiting.
    /// </summary>
    private bool IsOutOfOrder => !_isInOrder || _batch is { IsAscending: false };

    private bool HasKept => _kept is not null || _open is not null;

    /// <summary>Whether pages may share a commit: a caller that wants changes gets them as they arrive.</summary>
    private bool MayShare => context.Options is { WantsChanges: false, WantsRecords: false, Transforms: false, DialectObserver: null };

    private bool IsDue =>
        context.Time.GetElapsedTime(_uncommittedSince ??= context.Time.GetTimestamp())
        >= (context.Target.Committed.Sequence == 0 ? FirstCommitInterval : CommitInterval);

    /// <summary>Whether what has arrived must be staged before more arrives.</summary>
    public bool IsFull => _batch is { } batch && batch.MemoryUsed >= Math.Min(context.Buffers.Batch, IsStaged ? WriteBytes : PageBytes);

    /// <summary>The batch size at which to write even if that means waiting.</summary>
    private int WriteBytes => IsOutOfOrder ? context.Buffers.PageBatch : StageBytes;

    /// <summary>
    /// Whether to stage what has arrived of a set after this page. Not after every page: the more records are written at once, the fewer
    /// pages of the file each write touches.
    /// </summary>
    public bool IsWorthStaging =>
        IsFull || _finished.Count > 0 || _quarantined.Count > 0 || context.Options.DialectObserver is not null || IsWorthWriting;

    /// <summary>Stages items from here on.</summary>
    public async Task StageAsync(CancellationToken cancellationToken)
    {
        await EndTransactionAsync(cancellationToken).ConfigureAwait(false);
        IsStaged = true;
        HasUnreadable = false;
        await context
            .Queue.EnqueueAsync(new CommitJob(CommitKind.BeginSnapshot, new TableCommit()), cancellationToken)
            .ConfigureAwait(false);
    }

    /// <summary>The first record waiting to be committed; null if there is none.</summary>
    public (RecordKey Key, string Json)? First
    {
        get
        {
            if ((_finished.Count > 0 ? _finished[0] : _batch) is not { Count: > 0 } batch)
                return null;
            ref var entry = ref batch[0];
            return (batch.KeyOf(entry), Encoding.UTF8.GetString(batch.Body(entry)));
        }
    }

    /// <summary>Adds a record; it is copied.</summary>
    public void Add(in RoutedRecord record, DialectRules rules)
    {
        context.Counters.Received++;
        // Patches of one key are merged in the order in which they came, and a parent that goes takes those that came before it.
        var isOrdered = rules.Merges || rules.Children is not null;
        if (_batch is not null && (_batch.Layout != record.KeyLayout || (isOrdered && _batch.IsCoalesced)))
        {
            _finished.Add(_batch);
            _batch = null;
        }

        if (_batch is null)
        {
            _batch = context.Batches.Take(record.KeyLayout, record.OrderKind, context.Coalesces && !isOrdered);
            _isInOrder = _isInOrder && (_lastKey is not { } last || IsAbove(last, record));
        }

        _batch.Add(record);
    }

    /// <summary>Adds the children of an item.</summary>
    /// <param name="rules">How they are read.</param>
    /// <param name="parent">The item, which has been read as a <see cref="ItemKind.Parent"/>.</param>
    /// <param name="offset">Where in the body it begins.</param>
    public void AddChildren(DialectRules rules, ItemPlaces parent, long offset)
    {
        while (Items.ReadChild(rules, parent, out var kind, out var record))
        {
            if (kind == ItemKind.Record)
                Add(record, rules);
            else
                Refuse(Items.Child, offset + Items.OffsetIn(parent), Items.Reason);
        }
    }

    /// <summary>Quarantines an item that is not a record, or throws, as the user chose.</summary>
    /// <param name="item">Its bytes.</param>
    /// <param name="offset">Where in the body they are.</param>
    /// <param name="reason">What is wrong.</param>
    /// <param name="isFirst">As for <see cref="MalformedRecordException.IsFirst"/>.</param>
    public void Refuse(ReadOnlySpan<byte> item, long offset, string reason, bool isFirst = false)
    {
        context.Counters.Malformed++;
        HasUnreadable = true;
        if (context.Options.MalformedRecord == MalformedRecordPolicy.Stop)
        {
            var snippet = Encoding.UTF8.GetString(item[..Math.Min(Snippet, item.Length)]).ReplaceLineEndings(" ");
            Remedy? remedy = null;
            if (Items.LacksKey)
            {
                remedy = (Remedy)
                    $"Name the field that is the key with {Term.Key}; with {Term.MalformedRecord} Quarantine, others are quarantined.";
            }

            if (Items.HasNoNameOfKey)
                remedy = "Add Key to the dialect: the field that identifies a record, such as id.";
            throw new MalformedRecordException(feed, offset, reason, snippet, remedy) { IsFirst = isFirst };
        }

        _quarantined.Add(new QuarantinedRecord(context.Time.GetUtcNow(), offset, reason, item.ToArray()));
    }

    /// <summary>Stages what has arrived.</summary>
    /// <param name="canStage">Whether to start staging if nothing has been staged so far.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task FlushAsync(bool canStage, CancellationToken cancellationToken)
    {
        if (!IsStaged && !canStage)
            return;
        if (!IsStaged)
            await StageAsync(cancellationToken).ConfigureAwait(false);
        foreach (var batch in TakeBatches())
        {
            var commit = Describe(batch, default);
            if (commit.Batch is null && commit.Quarantined.Count == 0)
                continue;
            var staysOpen = MayShare && !IsDue;
            NoteWritten(staysOpen ? new TableCommit() : null);
            await EnqueueAsync(CommitKind.AddToSnapshot, commit with { MayStayOpen = staysOpen }, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Keeps what arrived in full, with its position. It is written while more arrives, and committed together with that: once a second, or
    /// when the feed pauses (D1).
    /// </summary>
    public async Task KeepAsync(DialectPosition position, CancellationToken cancellationToken)
    {
        if (IsStaged || !MayShare || IsDue)
        {
            await CommitAsync(position, waits: false, cancellationToken).ConfigureAwait(false);
            return;
        }

        _kept = position;
        _mark = (_finished.Count, _batch?.Count ?? 0, _quarantined.Count);
        // How an empty table is filled depends on how much arrives first.
        var isEnough = !IsOutOfOrder && (_open is not null || context.Target.Committed.Sequence > 0);
        if ((isEnough && context.Queue.IsIdle) || IsWorthWriting || IsFull)
            await WriteAsync(position, staysOpen: true, waits: false, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Waits for the next answer; if that takes long, what has arrived is committed meanwhile.</summary>
    public async Task<T> WaitForAnswerAsync<T>(Task<T> answer, CancellationToken cancellationToken)
    {
        if (HasKept && !await answer.CompletesWithinAsync(Pause, context.Time).ConfigureAwait(false))
            await CommitKeptAsync(cancellationToken).ConfigureAwait(false);
        return await answer.ConfigureAwait(false);
    }

    /// <summary>Waits for more of an answer; if that takes long, no transaction is left open.</summary>
    public async Task<T> WaitForBytesAsync<T>(Task<T> bytes, CancellationToken cancellationToken)
    {
        if (_open is not null && !await bytes.CompletesWithinAsync(Pause, context.Time).ConfigureAwait(false))
            await EndTransactionAsync(cancellationToken).ConfigureAwait(false);
        return await bytes.ConfigureAwait(false);
    }

    /// <summary>Commits what has arrived together with its position, in one transaction (I1).</summary>
    /// <param name="position">The position.</param>
    /// <param name="waits">Whether to wait until it is done. Commits run in order, and one that fails ends all that follow.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task CommitAsync(DialectPosition position, bool waits, CancellationToken cancellationToken)
    {
        if (IsStaged)
        {
            await CompleteAsync(SnapshotEnding.MergeOnly, position, cancellationToken).ConfigureAwait(false);
            return;
        }

        await WriteAsync(position, staysOpen: false, waits, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc cref="CommitAsync(DialectPosition, bool, CancellationToken)"/>
    public Task CommitAsync(DialectPosition position, CancellationToken cancellationToken) =>
        CommitAsync(position, waits: true, cancellationToken);

    /// <summary>The whole set has arrived, or its staged part is merged.</summary>
    public async Task CompleteAsync(SnapshotEnding ending, DialectPosition position, CancellationToken cancellationToken)
    {
        await FlushAsync(canStage: true, cancellationToken).ConfigureAwait(false);
        IsStaged = false;
        NoteWritten(null);
        await context
            .Queue.RunAsync(new CommitJob(CommitKind.EndSnapshot, Describe(null, position)) { Ending = ending }, cancellationToken)
            .ConfigureAwait(false);
        context.SetCompleted();
    }

    /// <summary>Discards what did not arrive in full.</summary>
    public async Task DiscardAsync(CancellationToken cancellationToken)
    {
        TakeBack();
        if (!IsStaged)
            await CommitKeptAsync(cancellationToken).ConfigureAwait(false);
        IsStaged = false;
        NoteWritten(null);
        // The next attempt decides by what is in the table, so wait for what is being written too.
        await context.Queue.RunAsync(new CommitJob(CommitKind.DiscardSnapshot, new TableCommit()), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Removes what was added after the last position to keep.</summary>
    private void TakeBack()
    {
        var (batches, records, quarantined) = _kept is null ? default : _mark;
        if (batches < _finished.Count)
        {
            _batch = _finished[batches];
            _finished.RemoveRange(batches, _finished.Count - batches);
        }

        if (records == 0)
            _batch = null;
        _batch?.Truncate(records);
        // They arrive again with the next attempt, malformed or not.
        context.Counters.Malformed -= _quarantined.Count - quarantined;
        _quarantined.RemoveRange(quarantined, _quarantined.Count - quarantined);
    }

    /// <summary>Commits what arrived in full, if nothing has arrived since.</summary>
    private Task CommitKeptAsync(CancellationToken cancellationToken) =>
        _kept is { } position
            ? WriteAsync(position, staysOpen: false, waits: false, cancellationToken)
            : EndTransactionAsync(cancellationToken);

    /// <summary>Commits what was written.</summary>
    private async Task EndTransactionAsync(CancellationToken cancellationToken)
    {
        if (_open is not { } end)
            return;
        NoteWritten(null);
        await EnqueueAsync(IsStaged ? CommitKind.AddToSnapshot : CommitKind.Commit, end, cancellationToken).ConfigureAwait(false);
    }

    private async Task WriteAsync(DialectPosition position, bool staysOpen, bool waits, CancellationToken cancellationToken)
    {
        var batches = TakeBatches();
        for (var i = 0; i < batches.Count; i++)
        {
            // All but the last leave the transaction open, so that they are committed together.
            var isLast = i == batches.Count - 1;
            var commit = Describe(batches[i], isLast ? position : Stored()) with { MayStayOpen = staysOpen || !isLast };
            if (isLast)
                NoteWritten(staysOpen ? commit with { Batch = null, NewFields = [], Quarantined = [], MayStayOpen = false } : null);
            var job = new CommitJob(CommitKind.Commit, commit);
            await (
                waits ? context.Queue.RunAsync(job, cancellationToken) : context.Queue.EnqueueAsync(job, cancellationToken)
            ).ConfigureAwait(false);
        }
    }

    /// <summary>The last job handed over leaves a transaction open, or ends it.</summary>
    private void NoteWritten(TableCommit? end)
    {
        _open = end;
        if (end is not null)
            return;
        _uncommittedSince = null;
        (_isInOrder, _lastKey) = (true, null);
    }

    private List<RecordBatch?> TakeBatches()
    {
        List<RecordBatch?> batches = [.. _finished, _batch];
        if (batches.Count > 1 && _batch is null)
            batches.RemoveAt(batches.Count - 1);
        foreach (var batch in batches)
        {
            if (batch is not { Count: > 0 })
                continue;
            _isInOrder &= batch.IsAscending;
            ref var last = ref batch[batch.Count - 1];
            _lastKey = (last.IntegerKey, batch.Key(last).ToArray());
        }

        _finished.Clear();
        _batch = null;
        _kept = null;
        return batches;
    }

    private static bool IsAbove((long Integer, byte[] Encoded) last, in RoutedRecord record) =>
        record.KeyLayout == KeyLayout.Integer ? record.IntegerKey > last.Integer : record.EncodedKey.SequenceCompareTo(last.Encoded) > 0;

    private async Task EnqueueAsync(CommitKind kind, TableCommit commit, CancellationToken cancellationToken)
    {
        await context.Queue.EnqueueAsync(new CommitJob(kind, commit), cancellationToken).ConfigureAwait(false);
    }

    private DialectPosition Stored() => new() { Resume = context.Target.State.Resume?.ToString() };

    private TableCommit Describe(RecordBatch? batch, DialectPosition position)
    {
        var shape = Items.Shape is { KeyParts.Count: > 0 } known ? known : null;
        QuarantinedRecord[] quarantined = [.. _quarantined];
        _quarantined.Clear();
        return new TableCommit
        {
            Batch = batch,
            Shape =
                batch is not null && shape is not null && shape.KeyLayout != batch.Layout ? shape with { KeyLayout = batch.Layout } : shape,
            NewFields = context.Options.Transforms ? [] : Items.Fields.TakeNew(),
            Feed = feed.Display,
            Asked = position.IsUpToDate ? context.Options.Feed.Asked : context.AskedSoFar,
            Cursor = position.Cursor is { } cursor ? Cursor.Parse(cursor) : null,
            Resume = position.Resume is { } resume ? Cursor.Parse(resume) : null,
            FeedIdentity = position.Identity,
            Foreign = position.Description,
            Owed = position.Owed,
            PaysOwed = position.PaysOwed,
            Quarantined = quarantined,
            QuarantineLimit = context.Options.QuarantineLimit,
            WantsChanges = context.Options.WantsChanges,
            At = position.IsUpToDate ? context.Time.GetUtcNow() : null,
        };
    }
}
