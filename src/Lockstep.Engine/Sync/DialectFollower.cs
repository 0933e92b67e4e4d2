using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>What a follower does after a round.</summary>
internal enum RoundOutcome
{
    /// <summary>The caller has what it wants.</summary>
    Done,

    /// <summary>Another round, immediately.</summary>
    GoOn,

    /// <summary>The dialect was only a guess, and the feed does not speak it.</summary>
    NotOfThisDialect,
}

/// <summary>
/// Follows another server's feed: decides what to request next (the whole set, the changes since the cursor, or those to come), and how
/// long to wait in between. The caller retries failures. One thread at a time.
/// </summary>
internal sealed class DialectFollower(
    DialectDescription dialect,
    bool isGuess,
    SyncOptions options,
    FeedClient client,
    SyncStatus status,
    SyncEvents events,
    RetryPolicy retry,
    RequestPacer pacer,
    TimeProvider time
)
{
    private const int MostResyncs = 3;
    private const int MostEmptyEnds = 3;
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(1);

    private DialectSession? _session;
    private bool _wantsWhole = options.Resync || options.Repair;
    private string? _since = options.Since is { } since && !Cursor.Parse(since).IsStart ? since : null;
    private bool _isCaughtUp;
    private bool _isPolled;
    private int _resyncs;
    private int _emptyEnds;
    private int _skippedEnds;

    /// <summary>The dialect.</summary>
    public DialectDescription Dialect => dialect;

    /// <summary>Why the feed does not speak the dialect, after <see cref="RoundOutcome.NotOfThisDialect"/>.</summary>
    public DialectException? Doubt { get; private set; }

    /// <summary>Whether the next request would ask for everything from the beginning.</summary>
    public bool StartsOver(TableState state) => _wantsWhole || dialect.Changes is null || (state.Cursor.IsStart && state.Resume is null);

    /// <summary>Whether the table's contents came from this feed in this dialect.</summary>
    public bool Knows(TableState state) =>
        ForeignState.Parse(state.Foreign) is { } known && known.WhatDiffers(client.Uri.Display, dialect) is null;

    /// <summary>Runs one round, and waits after it.</summary>
    /// <exception cref="FeedException">The round failed; what was committed before is kept.</exception>
    public async Task<RoundOutcome> RunAsync(SyncContext context, CancellationToken cancellationToken)
    {
        if (status.IsWaiting)
            status.Move(SyncTrigger.WaitElapsed);
        var session =
            _session?.Context == context ? _session : _session = await BindAsync(context, cancellationToken).ConfigureAwait(false);
        return await pacer
            .WithinTimeAsync(
                stop => RunOrDoubtAsync(session, stop),
                async () =>
                {
                    await session.Writer.DiscardAsync(cancellationToken).ConfigureAwait(false);
                    status.EndsFor(SyncEndReason.TimeElapsed);
                    return RoundOutcome.Done;
                },
                cancellationToken
            )
            .ConfigureAwait(false);
    }

    private async Task<RoundOutcome> RunOrDoubtAsync(DialectSession session, CancellationToken cancellationToken)
    {
        try
        {
            return await RunRoundAsync(session, cancellationToken).ConfigureAwait(false);
        }
        catch (DialectException e) when (MayDoubt(session) && !e.SaysNothing)
        {
            Doubt = e;
            if (status.Phase != SyncPhase.Connecting)
                status.Move(SyncTrigger.Interrupted);
            return RoundOutcome.NotOfThisDialect;
        }
    }

    /// <summary>Whether the dialect is a guess that neither an answer nor a record in the table supports.</summary>
    private static bool MayDoubt(DialectSession session) => session is { IsGuess: true, IsConfirmed: false, State.Shape: null };

    /// <summary>Compares the dialect with what the table knows of its feed, and reconciles the two.</summary>
    private async Task<DialectSession> BindAsync(SyncContext context, CancellationToken cancellationToken)
    {
        if (options.Transforms && dialect.Merges)
        {
            throw new TableMismatchException(
                options.Store.Description,
                $"Records of the dialect '{dialect.Name}' come in parts, which cannot be transformed.",
                $"Leave the transform out, or say in {Term.Dialect} that Update is Replace."
            );
        }

        var state = context.Target.State;
        var requests = new DialectRequests(dialect, client)
        {
            Identity = state.FeedIdentity,
            WaitAsync = async (wait, error) =>
            {
                await events.PostStatusAsync(error, cancellationToken).ConfigureAwait(false);
                return await pacer.BackOffAsync(wait, cancellationToken).ConfigureAwait(false);
            },
        };
        var session = new DialectSession
        {
            Dialect = dialect,
            Client = client,
            Context = context,
            Events = events,
            Status = status,
            Requests = requests,
            Writer = new DialectWriter(context, client.Uri),
            Judge = new SweepJudge(context, client.Uri),
            IsGuess = isGuess && state.Foreign is null,
            IsForced = options.Resync || options.Repair,
            Since = RequireSince(_since),
            ToldOf = options.ToldOfDeletion,
        };
        if (ForeignState.Parse(state.Foreign) is { } known)
        {
            session.ToldOf = known.Json == dialect.Json ? known.DeletionMark : null;
            if (known.WhatDiffers(client.Uri.Display, dialect) is { } reason)
            {
                _wantsWhole = true;
                await session
                    .SayAsync(FeedEventKind.Resync, $"The whole set is fetched again: {reason}.", cancellationToken)
                    .ConfigureAwait(false);
            }
            else if (state.Asked == options.Feed.Asked && !options.Transforms)
            {
                session.EntityTag = known.EntityTag;
            }
        }

        return session;
    }

    private async Task<RoundOutcome> RunRoundAsync(DialectSession session, CancellationToken cancellationToken)
    {
        _wantsWhole |= await FeedInquiry.AskAsync(session, _wantsWhole, cancellationToken).ConfigureAwait(false);
        var kind = Choose(session);
        if (kind == RequestKind.Snapshot && !session.IsForced)
            session.Judge.RequireDue();
        await session.SayIfRecordsMayBePartialAsync(kind, cancellationToken).ConfigureAwait(false);

        if (session.Dialect.For(kind).Framing is DialectFraming.JsonLines or DialectFraming.EventStream)
            return await StreamAsync(session, kind, cancellationToken).ConfigureAwait(false);

        var began = time.GetTimestamp();
        var before = status.Counters.Changes;
        var round = new PageRound(session);
        RoundEnd end;
        try
        {
            end = await round.ReadAsync(kind, cancellationToken).ConfigureAwait(false);
        }
        catch (SweepRefusedException e) when (!session.Context.StopsWhenCaughtUp)
        {
            // It may have been a single wrong answer: ask again soon, at the latest with the next poll.
            var due = Longer(RetryPolicy.Shortest, session.Judge.UntilDue);
            var poll = options.PollInterval ?? dialect.Interval;
            var wait = Longer(due < poll ? due : poll, session.ServerInterval);
            await events.PostRefusedAsync(e, wait, cancellationToken).ConfigureAwait(false);
            return await WaitAsync(wait, cancellationToken).ConfigureAwait(false);
        }

        switch (end)
        {
            case RoundEnd.Resync:
                return await ResyncAsync(session, "The feed cannot resume from the cursor", cancellationToken).ConfigureAwait(false);
            case RoundEnd.StreamEnded:
                return RoundOutcome.GoOn;
            case RoundEnd.Refused:
                status.EndsFor(SyncEndReason.EndOfFeed);
                return session.Context.StopsWhenCaughtUp
                    ? RoundOutcome.Done
                    : await WaitAsync(session.Judge.UntilDue ?? TimeSpan.Zero, cancellationToken).ConfigureAwait(false);
            case RoundEnd.Ended:
                status.EndsFor(SyncEndReason.EndOfFeed, isComplete: true);
                return RoundOutcome.Done;
            case RoundEnd.Incomplete:
                CaughtUp(session);
                // A count that the pages do not bear out may be wrong forever: who waits for the first load waits for the pages.
                status.EndsFor(SyncEndReason.EndOfFeed, lacksRecords: !round.ReachedTheEnd);
                return session.Context.StopsWhenCaughtUp
                    ? RoundOutcome.Done
                    : await RestAsync(Longer(options.PollInterval ?? dialect.Interval, session.ServerInterval), cancellationToken)
                        .ConfigureAwait(false);
        }

        CaughtUp(session);
        await session.SayIfThereWereNoChildrenAsync(cancellationToken).ConfigureAwait(false);
        if (round.IsResumed)
            return Again();
        if (kind == RequestKind.Snapshot)
            status.SetCame();
        if (session.Context.StopsWhenCaughtUp)
        {
            status.EndsFor(SyncEndReason.CaughtUp, isComplete: true);
            return RoundOutcome.Done;
        }

        // After a request that the server holds until something changes, no wait is needed; after one that it does not hold, it is.
        var isHeld = kind == RequestKind.Live && (status.Counters.Changes > before || time.GetElapsedTime(began) >= AtOnce);
        return isHeld || (kind != RequestKind.Live && IsLive)
            ? Again()
            : await RestAsync(Longer(options.PollInterval ?? dialect.Interval, session.ServerInterval), cancellationToken)
                .ConfigureAwait(false);
    }

    private bool IsLive => dialect.Live is not null && !_isPolled && !_session!.Context.StopsWhenCaughtUp;

    private void CaughtUp(DialectSession session)
    {
        _isCaughtUp = true;
        session.Since = _since = null;
        _wantsWhole = false;
        _resyncs = 0;
        session.IsGuess = false;
    }

    /// <summary>A cursor given by the user only makes sense if the dialect has cursors and can request from one.</summary>
    /// <exception cref="InvalidOptionException">It has none, or cannot.</exception>
    private string? RequireSince(string? since)
    {
        if (since is null)
            return null;
        if (dialect.Changes is not { } rules || options.Resync)
        {
            throw new InvalidOptionException(
                options.Resync
                    ? "A resync fetches the whole set, so it cannot start at a cursor."
                    : $"The dialect '{dialect.Name}' returns the whole set every time, so it cannot start at a cursor.",
                $"Leave {Term.Since} out, or say in {Term.Dialect} with Cursor and Changes how to request what is new."
            );
        }

        if (rules.HasMaximumCursor && !new MaximumCursor(rules).CanBe(since))
        {
            throw new InvalidOptionException(
                $"'{PlainText.Of(since)}' is not a {(rules.CursorType == CursorType.Number ? "number" : "time")}, as the "
                    + $"cursor of the dialect '{dialect.Name}' is.",
                $"Give {Term.Since} one, such as {(rules.CursorType == CursorType.Number ? "4711" : "2026-01-31T12:00:00Z")}."
            );
        }

        return since;
    }

    private RequestKind Choose(DialectSession session)
    {
        var state = session.State;
        if (session.Since is not null)
            return RequestKind.Changes;
        if (_wantsWhole || (session.Judge.IsSetDue && dialect.Snapshot.IsWhole))
            return RequestKind.Snapshot;
        var hasPosition = !state.Cursor.IsStart || state.Resume is not null;
        if (_isCaughtUp && IsLive)
            return RequestKind.Live;
        return hasPosition && dialect.Changes is not null ? RequestKind.Changes : RequestKind.Snapshot;
    }

    private async Task<RoundOutcome> StreamAsync(DialectSession session, RequestKind kind, CancellationToken cancellationToken)
    {
        // A stream that ends is asked for again at once, which must not become a loop.
        await pacer.KeepDistanceAsync(cancellationToken).ConfigureAwait(false);
        var before = status.Counters.Changes;
        var mark = ProgressMark.Of(status, session.Context);
        var round = new StreamRound(session);
        RoundEnd end;
        try
        {
            end = await round.ReadAsync(kind, cancellationToken).ConfigureAwait(false);
        }
        catch (FeedCutException) when (round.Signs == 0 && kind == RequestKind.Live)
        {
            // Silence to the end may mean that the server does not know this cursor; the whole set always gets an answer (D16).
            _wantsWhole |= dialect.Changes is null;
            throw;
        }

        switch (end)
        {
            case RoundEnd.Resync:
                return await ResyncAsync(session, "The feed cannot resume from the cursor", cancellationToken).ConfigureAwait(false);
            case RoundEnd.NotLive:
                _isPolled = true;
                return Again();
            case RoundEnd.Settled:
                status.EndsFor(SyncEndReason.Settled);
                return RoundOutcome.Done;
            case RoundEnd.Ended:
                status.EndsFor(SyncEndReason.EndOfFeed, isComplete: true);
                return RoundOutcome.Done;
        }

        _wantsWhole &= round.Signs == 0;
        if (round.EndedWithinAnItem)
            await session.SayThatAnEventWasCutAsync(cancellationToken).ConfigureAwait(false);
        if (round.Error is { } error)
        {
            // What came before it is kept, and shows that the server can resume from the cursor.
            _emptyEnds = round.Signs > 0 ? 0 : _emptyEnds + 1;
            if (!MustListAgain(kind))
                throw error;
            await events.PostFailureAsync(error, cancellationToken).ConfigureAwait(false);
            return await ListAgainAsync(session, "The feed sends nothing but errors", cancellationToken).ConfigureAwait(false);
        }

        if (session.Context.StopsWhenCaughtUp)
        {
            status.EndsFor(SyncEndReason.EndOfFeed, isComplete: !round.EndedWithinAnItem);
            return RoundOutcome.Done;
        }

        if (round.Signs > 0 && !(round.EndedWithASkippedItem && round.Lasted < AtOnce))
        {
            _emptyEnds = _skippedEnds = 0;
            return dialect.For(kind).Framing == DialectFraming.EventStream && status.Counters.Changes == before
                ? await RestAsync(session.ServerInterval ?? dialect.Interval, cancellationToken).ConfigureAwait(false)
                : await RestAsync(session.ServerInterval ?? TimeSpan.Zero, cancellationToken).ConfigureAwait(false);
        }

        if (round.Signs > 0 || (round.Skipped > 0 && round.Lasted >= AtOnce && !IsListed(kind)))
        {
            // The stream may contain an error: ask again from the same cursor, at growing intervals.
            var isWell = round.Lasted >= AtOnce || ProgressMark.Of(status, session.Context) != mark;
            _skippedEnds = isWell ? 1 : _skippedEnds + 1;
            return await WaitAsync(retry.Delay(_skippedEnds, session.ServerInterval), cancellationToken).ConfigureAwait(false);
        }

        return await EndedEmptyAsync(session, kind, round, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Whether only a list shows what changes, and so many streams in a row brought nothing that one is due (D14).</summary>
    private bool MustListAgain(RequestKind kind) => IsListed(kind) && _emptyEnds > 0 && _emptyEnds % MostEmptyEnds == 0;

    private bool IsListed(RequestKind kind) => kind == RequestKind.Live && dialect.Changes is null;

    /// <summary>Lists again after a wait, which grows until a stream brings something.</summary>
    private async Task<RoundOutcome> ListAgainAsync(DialectSession session, string reason, CancellationToken cancellationToken)
    {
        await ResyncAsync(session, reason, cancellationToken, isSuspicion: true).ConfigureAwait(false);
        return await WaitAsync(retry.Delay(_emptyEnds, session.ServerInterval), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A stream ended without any content: some servers thereby say that they cannot resume from the cursor (D14).</summary>
    private async Task<RoundOutcome> EndedEmptyAsync(
        DialectSession session,
        RequestKind kind,
        StreamRound round,
        CancellationToken cancellationToken
    )
    {
        if (round.Lasted >= AtOnce && round.Skipped == 0)
        {
            _emptyEnds = 0;
            if (IsListed(kind))
            {
                return await ResyncAsync(session, "The feed sent no sign of life", cancellationToken, isSuspicion: true)
                    .ConfigureAwait(false);
            }

            return Again();
        }

        _emptyEnds++;
        if (MustListAgain(kind))
        {
            var reason = round.Skipped == 0 ? "The feed ends again and again with nothing in it" : "The feed sends no records";
            if (round.Skipped > 0)
            {
                var failure = session.Requests.Refused("its stream ends again and again with no record in it");
                await events.PostFailureAsync(failure, cancellationToken).ConfigureAwait(false);
            }

            return await ListAgainAsync(session, reason, cancellationToken).ConfigureAwait(false);
        }

        if (_emptyEnds >= MostEmptyEnds && round.Skipped == 0 && dialect.For(kind).Framing == DialectFraming.EventStream)
            await session.SayThatAProxyMayBufferAsync("ends again and again with nothing in it", cancellationToken).ConfigureAwait(false);
        return await WaitAsync(retry.Delay(_emptyEnds, session.ServerInterval), cancellationToken).ConfigureAwait(false);
    }

    private async Task<RoundOutcome> ResyncAsync(
        DialectSession session,
        string reason,
        CancellationToken cancellationToken,
        bool isSuspicion = false
    )
    {
        if (!isSuspicion && ++_resyncs > MostResyncs)
            throw new ResyncLoopException(client.Uri, _resyncs);
        _wantsWhole = true;
        _isCaughtUp = false;
        await session.SayAsync(FeedEventKind.Resync, $"{reason}; the whole set is fetched again.", cancellationToken).ConfigureAwait(false);
        return Again();
    }

    private RoundOutcome Again()
    {
        if (status.Phase is SyncPhase.Live or SyncPhase.Snapshot)
            status.Move(SyncTrigger.Interrupted);
        return RoundOutcome.GoOn;
    }

    /// <summary>The round succeeded: the feed is polled again when it is due.</summary>
    private Task<RoundOutcome> RestAsync(TimeSpan wait, CancellationToken cancellationToken)
    {
        if (status.Phase is SyncPhase.Live or SyncPhase.Snapshot)
            status.Move(SyncTrigger.Rested);
        return WaitAsync(wait, cancellationToken);
    }

    private async Task<RoundOutcome> WaitAsync(TimeSpan wait, CancellationToken cancellationToken)
    {
        Again();
        return wait <= TimeSpan.Zero || await pacer.BackOffAsync(wait, cancellationToken).ConfigureAwait(false)
            ? RoundOutcome.GoOn
            : RoundOutcome.Done;
    }

    private static TimeSpan Longer(TimeSpan left, TimeSpan? right) => right > left ? right.Value : left;
}
