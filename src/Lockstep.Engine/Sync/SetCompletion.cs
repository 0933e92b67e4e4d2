using System.Globalization;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Whether a body contains the feed's whole set, and what happens to it when the body ends or says that it is complete: the table is swept,
/// or the set is merged or discarded (I6). One thread at a time.
/// </summary>
internal sealed class SetCompletion(SyncContext context, BodySource source, CursorTracker tracker, CommitPacer pacer)
{
    private static readonly TimeSpan UpToDateInterval = TimeSpan.FromSeconds(1);

    /// <summary>How many malformed records are protected from a sweep by their keys (I8).</summary>
    private const int MostKept = 10_000;

    private readonly SweepJudge _judge = new(context, source.Feed);
    private readonly List<byte[]> _kept = [];
    private bool _isWholeSet = source.IsWholeSet;
    private bool _hasMalformed;
    private bool _hasUnreadable;
    private bool _isAccounted;
    private long _upToDate;

    /// <summary>Whether the set that this body brings is complete.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>Whether the set was discarded, so that nothing from this body may be applied (I6).</summary>
    public bool IsRefused { get; private set; }

    /// <summary>Whether everything the feed had, as far as it reveals, has reached the table.</summary>
    public bool IsCaughtUp { get; private set; }

    /// <summary>Whether the set was merged although it lacks records of the table, so that it is unknown whether those are gone.</summary>
    public bool HasUnaccounted { get; private set; }

    /// <summary>
    /// Whether this is, or may be, the whole set of a transaction feed, which only its end or <c>snapshot_completed</c> completes (I6).
    /// </summary>
    /// <param name="signal">The feed's latest signal.</param>
    public bool IsTransactionSetUnderWay(FeedSignal signal) =>
        context.Parser.Shape is { } shape
            ? shape.Dialect == Dialect.Transaction && (tracker.IsHeld || pacer.IsStaged)
            : signal.IsControlRow && source.Start.IsStart && !IsComplete;

    /// <summary>
    /// Something arrived that is not a record. What a whole set lacks may be just that (I6): if its key can be read, the record with that
    /// key stays.
    /// </summary>
    /// <param name="key">Its key; null if it cannot be read.</param>
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

    /// <summary>The body starts; creates the stage for it.</summary>
    public async Task BeginAsync(CancellationToken cancellationToken)
    {
        if (pacer.IsStaged)
        {
            await context
                .Queue.EnqueueAsync(new CommitJob(CommitKind.BeginSnapshot, new TableCommit()), cancellationToken)
                .ConfigureAwait(false);
        }
    }

    /// <summary>The feed says that it has nothing more for now. Returns whether the table then has everything.</summary>
    public async Task<bool> BeatAsync(FeedSignal signal, CancellationToken cancellationToken)
    {
        if (IsTransactionSetUnderWay(signal))
            return false;
        if (pacer.IsStaged)
        {
            // A snapshot may take its time to end; only an endless feed has nothing more to send after this.
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

    /// <summary>The body's set is complete, or at least its end has been reached.</summary>
    /// <param name="ending">What the end means.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="isCaughtUp">Whether the table then has everything.</param>
    /// <param name="isCertain">Whether the feed itself said that this is the end, beyond closing the body.</param>
    /// <exception cref="SweepRefusedException">The set would remove too much to be credible.</exception>
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
            await _judge.WarnOfUnreadableAsync("so nothing was removed from the table").ConfigureAwait(false);
            ending &= ~SnapshotEnding.Sweep;
        }
        else if (_kept.Count > 0 && wasStaged)
        {
            await context
                .PostEventAsync(
                    FeedEventKind.Warning,
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"The whole set contains {_kept.Count} malformed records, which were quarantined; what the table has "
                            + $"under their keys stays."
                    ),
                    "Inspect the quarantined records, and tell the feed's operator."
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

    /// <summary>If another feed's set could not be read in full, none of it is applied: two feeds must not mix in one table (I6).</summary>
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

    /// <summary>Records with the end of a set that the whole set is owed, still owed, or no longer owed.</summary>
    private TableCommit WithOwed(TableCommit commit, bool wasStaged, bool isSwept, bool isUnreadable)
    {
        if (source.IsImport)
            return commit;
        if (isSwept)
            return commit with { PaysOwed = true, EndsLoad = true };
        var state = context.Target.State;
        // A set without an end leaves no question open if the table has no record that it lacks.
        if (_isAccounted && !_hasUnreadable && IsCaughtUp)
            return commit with { PaysOwed = true };
        if (!isUnreadable && !HasUnaccounted && !(wasStaged && state.Owed is not null))
            return commit;
        commit = commit with { Owed = _judge.OneMore() };
        // If nothing could be read, there is nothing to continue from either.
        return tracker.HasMoved ? commit : commit with { Cursor = null, Resume = state.Resume };
    }

    /// <summary>
    /// A feed that never signals the end of its set cannot sweep: what has arrived is merged. A forced sync and a repair treat being caught
    /// up as the end.
    /// </summary>
    /// <param name="isCaughtUp">Whether the table then has everything.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="isSilence">Whether the only evidence is the feed's silence, which may be a pause.</param>
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
        _isAccounted = !HasUnaccounted;
        await _judge.WarnOfUnfinishedAsync(absent).ConfigureAwait(false);
        await CompleteAsync(SnapshotEnding.MergeOnly, cancellationToken, isCaughtUp).ConfigureAwait(false);
    }

    /// <summary>Reading the body stops without an error.</summary>
    public async Task EndAsync(BodyEnd end, CancellationToken cancellationToken)
    {
        if (IsRefused)
            return;
        if (end == BodyEnd.EndOfBody && source.HasDefiniteEnd)
        {
            // A complete body is complete whatever the order of its records; that of the whole set is the whole set (I6).
            if (!source.IsImport || !tracker.IsHeld)
                tracker.Complete();
            await CompleteAsync(
                    _isWholeSet ? SnapshotEnding.Sweep : SnapshotEnding.MergeOnly,
                    cancellationToken,
                    isCertain: source.IsFinite
                )
                .ConfigureAwait(false);
            // Even if a poll brought nothing new.
            if (!IsRefused && !source.IsRedirected)
                await NoteUpToDateAsync(cancellationToken).ConfigureAwait(false);
        }
        else if (end == BodyEnd.EndOfBody && pacer.IsStaged)
        {
            // Such an end cannot be distinguished from a truncation. What arrived is as good as what an endless feed has sent so far.
            await MergeUnfinishedAsync(isCaughtUp: false, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            if (end is BodyEnd.Settled or BodyEnd.CaughtUp && !tracker.IsHeld)
                CatchUp();
            await BreakOffAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Commits what has arrived, except what was staged: that may not be the whole set.</summary>
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

    /// <summary>
    /// Records in the file that the table has everything the feed has, for whoever waits for that; at most once a second.
    /// </summary>
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
