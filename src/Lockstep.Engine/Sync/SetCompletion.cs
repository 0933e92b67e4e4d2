using System.Globalization;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Whether what a body brings is the feed's whole set, and what becomes of it when the body ends or says so: the table is swept by it, or
/// it is merged, or it is discarded (I6). One thread at a time.
/// </summary>
internal sealed class SetCompletion(SyncContext context, BodySource source, CursorTracker tracker, CommitPacer pacer)
{
    private static readonly TimeSpan UpToDateInterval = TimeSpan.FromSeconds(1);

    /// <summary>How many malformed records of a set are held against its sweep by their keys (I8).</summary>
    private const int MostKept = 10_000;

    private readonly SweepJudge _judge = new(context, source.Feed);
    private readonly List<byte[]> _kept = [];
    private bool _isWholeSet = source.IsWholeSet;
    private bool _hasMalformed;
    private bool _hasUnreadable;
    private long _upToDate;

    /// <summary>Whether the set that this body brings is complete.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>Whether the set was discarded, so that nothing of this body may be applied (I6).</summary>
    public bool IsRefused { get; private set; }

    /// <summary>Whether all that the feed had, as far as it tells, went into the table.</summary>
    public bool IsCaughtUp { get; private set; }

    /// <summary>Whether the set was merged although it lacks records of the table: whether those are gone is not known.</summary>
    public bool HasUnaccounted { get; private set; }

    /// <summary>
    /// Whether this is the whole set of a transaction feed, or may be, which only its end or <c>snapshot_completed</c> completes (I6).
    /// </summary>
    /// <param name="signal">What the feed said just now.</param>
    public bool IsTransactionSetUnderWay(FeedSignal signal) =>
        context.Parser.Shape is { } shape
            ? shape.Dialect == Dialect.Transaction && (tracker.IsHeld || pacer.IsStaged)
            : signal.IsControlRow && source.Start.IsStart && !IsComplete;

    /// <summary>
    /// Something came that is no record. What a whole set lacks may be just that (I6): where its key can be read, the record of that key
    /// stays.
    /// </summary>
    /// <param name="key">Its key; null when that cannot be read.</param>
    public void NoteMalformed(byte[]? key)
    {
        if (!pacer.IsStaged)
            return;
        _hasMalformed = true;
        if (key is null || _kept.Count == MostKept)
            _hasUnreadable = true;
        else
            _kept.Add(key);
    }

    /// <summary>The body begins: what is to be staged gets its place beside the table.</summary>
    public async Task BeginAsync(CancellationToken cancellationToken)
    {
        if (pacer.IsStaged)
        {
            await context
                .Queue.EnqueueAsync(new CommitJob(CommitKind.BeginSnapshot, new TableCommit()), cancellationToken)
                .ConfigureAwait(false);
        }
    }

    /// <summary>The feed says that it has nothing more for now. Whether the table has all that there is.</summary>
    public async Task<bool> BeatAsync(FeedSignal signal, CancellationToken cancellationToken)
    {
        if (IsTransactionSetUnderWay(signal))
            return false;
        if (pacer.IsStaged)
        {
            // A snapshot that ends takes its time; only a feed that goes on forever has nothing more to say after this.
            if (!source.MayMergeUnfinished || source.IsRedirected)
                return false;
            await MergeUnfinishedAsync(isCaughtUp: true, cancellationToken).ConfigureAwait(false);
            return true;
        }

        if (!tracker.IsHeld)
            CatchUp();
        await pacer.FlushAsync(drain: false, cancellationToken).ConfigureAwait(false);
        await NoteUpToDateAsync(cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>The body's set is complete, or at least its end is reached.</summary>
    /// <param name="ending">What the end means.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="isCaughtUp">Whether the table then has all that there is.</param>
    /// <param name="isCertain">Whether the feed said by itself that this is the end, beyond closing the body.</param>
    /// <exception cref="SweepRefusedException">The set would remove too much to be believed.</exception>
    public async Task CompleteAsync(
        SnapshotEnding ending,
        CancellationToken cancellationToken,
        bool isCaughtUp = true,
        bool isCertain = false
    )
    {
        await pacer.FlushAsync(drain: false, cancellationToken).ConfigureAwait(false);
        var wasStaged = pacer.IsStaged;
        var isUnreadable = _hasUnreadable && wasStaged && ending.HasFlag(SnapshotEnding.Sweep);
        if (_hasMalformed && wasStaged && source.IsAnotherFeed)
        {
            await RefuseAsync(cancellationToken).ConfigureAwait(false);
            return;
        }

        if (wasStaged && ending.HasFlag(SnapshotEnding.Sweep) && !isUnreadable && !isCertain)
            await _judge.RequireBelievableAsync(_kept, DiscardAsync, cancellationToken).ConfigureAwait(false);

        pacer.IsStaged = false;
        IsCaughtUp = isCaughtUp;
        if (ending.HasFlag(SnapshotEnding.Sweep))
        {
            tracker.Complete();
            pacer.LoadPage = null;
            IsComplete = true;
            _isWholeSet = false;
        }

        if (isUnreadable)
        {
            await _judge.WarnOfUnreadableAsync("so nothing was removed from the table by what it lacks").ConfigureAwait(false);
            ending &= ~SnapshotEnding.Sweep;
        }
        else if (_kept.Count > 0 && wasStaged)
        {
            await context
                .PostEventAsync(
                    FeedEventKind.Warning,
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"The whole set holds {_kept.Count} malformed records, which were set aside; what the table has "
                            + $"under their keys stays."
                    ),
                    "Look at the quarantined records, and tell the feed's operator."
                )
                .ConfigureAwait(false);
        }

        var commit = WithOwed(pacer.Describe(null), wasStaged, isSwept: ending.HasFlag(SnapshotEnding.Sweep), isUnreadable) with
        {
            Kept = _kept,
            Asked = source.IsImport ? null : context.Options.Feed.Asked,
        };
        if (wasStaged)
        {
            if (source.IsAnotherFeed)
                ending |= SnapshotEnding.ForgetOrder;
            await context
                .Queue.RunAsync(new CommitJob(CommitKind.EndSnapshot, commit) { Ending = ending }, cancellationToken)
                .ConfigureAwait(false);
        }
        else
        {
            await context.Queue.RunAsync(new CommitJob(CommitKind.Commit, commit), cancellationToken).ConfigureAwait(false);
        }

        context.SetCompleted();
        if (IsComplete)
            await NoteUpToDateAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Of another feed's set that could not be read in full nothing is applied: two feeds must not mix in one table (I6).
    /// </summary>
    private async Task RefuseAsync(CancellationToken cancellationToken)
    {
        await _judge.WarnOfUnreadableAsync("but it belongs to another feed, so nothing was applied").ConfigureAwait(false);
        await _judge.OweAsync(refused: null, DiscardAsync, cancellationToken).ConfigureAwait(false);
    }

    private async Task DiscardAsync(CancellationToken cancellationToken)
    {
        await BreakOffAsync(cancellationToken).ConfigureAwait(false);
        IsRefused = true;
    }

    /// <summary>Notes with a set's end that the whole set is owed, still owed, or owed no more.</summary>
    private TableCommit WithOwed(TableCommit commit, bool wasStaged, bool isSwept, bool isUnreadable)
    {
        if (source.IsImport)
            return commit;
        if (isSwept)
            return commit with { PaysOwed = true, EndsLoad = true };
        var state = context.Target.State;
        if (!isUnreadable && !(wasStaged && state.Owed is not null))
            return commit;
        commit = commit with { Owed = _judge.OneMore() };
        // Where nothing could be read, there is nothing to go on from either.
        return tracker.HasMoved ? commit : commit with { Cursor = null, Resume = state.Resume };
    }

    /// <summary>
    /// A feed that never says where its set ends cannot be swept by: what came is merged. Who asks for a sweep by force or to repair takes
    /// being caught up for the end.
    /// </summary>
    /// <param name="isCaughtUp">Whether the table then has all that there is.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="isSilence">Whether only the feed's silence says so, which may be a pause.</param>
    public async Task MergeUnfinishedAsync(bool isCaughtUp, CancellationToken cancellationToken, bool isSilence = false)
    {
        if (isCaughtUp && !source.IsRedirected)
            tracker.Complete();
        if (isCaughtUp && !isSilence && !source.IsRedirected && _judge.IsOverruled)
        {
            await CompleteAsync(SnapshotEnding.Sweep, cancellationToken).ConfigureAwait(false);
            return;
        }

        await pacer.FlushAsync(drain: false, cancellationToken).ConfigureAwait(false);
        var absent = await _judge.CountAbsentAsync(_kept, cancellationToken).ConfigureAwait(false);
        HasUnaccounted = absent.Count > 0;
        await _judge.WarnOfUnfinishedAsync(absent).ConfigureAwait(false);
        await CompleteAsync(SnapshotEnding.MergeOnly, cancellationToken, isCaughtUp).ConfigureAwait(false);
    }

    /// <summary>The body is read no further, without an error.</summary>
    public async Task EndAsync(BodyEnd end, CancellationToken cancellationToken)
    {
        if (IsRefused)
            return;
        if (end == BodyEnd.EndOfBody && source.HasDefiniteEnd)
        {
            // A whole body is complete whatever order its records came in; that of the whole set is the whole set (I6).
            if (!source.IsImport || !tracker.IsHeld)
                tracker.Complete();
            await CompleteAsync(
                    _isWholeSet ? SnapshotEnding.Sweep : SnapshotEnding.MergeOnly,
                    cancellationToken,
                    isCertain: source.IsFinite
                )
                .ConfigureAwait(false);
            // Also where a poll brought nothing new.
            if (!IsRefused && !source.IsRedirected)
                await NoteUpToDateAsync(cancellationToken).ConfigureAwait(false);
        }
        else if (end == BodyEnd.EndOfBody && pacer.IsStaged)
        {
            // Such an end cannot be told from a cut. What came is as good as what a feed without an end has sent so far.
            await MergeUnfinishedAsync(isCaughtUp: false, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            if (end is BodyEnd.Settled or BodyEnd.CaughtUp && !tracker.IsHeld)
                CatchUp();
            await BreakOffAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>What came is committed, but for what was staged: of that, nothing is known to be the whole set.</summary>
    public async Task BreakOffAsync(CancellationToken cancellationToken)
    {
        if (IsRefused)
            return;
        await pacer.FlushAsync(drain: true, cancellationToken).ConfigureAwait(false);
        if (!pacer.IsStaged)
            return;
        pacer.IsStaged = false;
        await context.Queue.RunAsync(new CommitJob(CommitKind.DiscardSnapshot, new TableCommit()), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Says in the file that the table has all that the feed has, for those who wait for that; at most once a second.</summary>
    public async Task NoteUpToDateAsync(CancellationToken cancellationToken)
    {
        if (context.StopsWhenCaughtUp || (_upToDate != 0 && context.Time.GetElapsedTime(_upToDate) < UpToDateInterval))
            return;
        _upToDate = context.Time.GetTimestamp();
        await context
            .Queue.EnqueueAsync(
                new CommitJob(CommitKind.Commit, pacer.Describe(null) with { At = context.Time.GetUtcNow() }),
                cancellationToken
            )
            .ConfigureAwait(false);
    }

    private void CatchUp()
    {
        tracker.Complete();
        IsCaughtUp = true;
    }
}
