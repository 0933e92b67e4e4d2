using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>
/// The inner loop of a sync: connects to the feed, reads what it sends into the open table, and again until there is nothing more to want.
/// Knows what failures are worth another attempt, and when. One thread at a time.
/// </summary>
internal sealed class FeedFollower(
    SyncOptions options,
    FeedUri feed,
    FeedClient client,
    SyncStatus status,
    StepChannel steps,
    SyncEvents events,
    RetryPolicy retry,
    TimeProvider time
)
{
    private const int MostResyncs = 3;
    private const int MostRefusals = 3;

    /// <summary>Outlives the table's being closed and opened again.</summary>
    private ConnectionPlan? _plan;
    private bool _hasWarnedOfKey;
    private bool _hasToldOfMove;
    private long _toldQuarantined = -1;
    private long _lastRequest;

    /// <summary>The feed is another server's; null for Lockstep's own dialects.</summary>
    private DialectFollower? _foreign;
    private bool _hasDetected;

    /// <summary>The loop: connect, read, and again until there is nothing more to want.</summary>
    public async Task FollowAsync(SyncContext context, CancellationToken cancellationToken)
    {
        var plan = _plan ??= new ConnectionPlan(options, context.Target.State);
        plan.Interrupted(context.Target.State);
        var judge = new SweepJudge(context, feed);
        if (_foreign is null && !_hasDetected)
            await TakeDialectAsync(DialectChoice.Of(options, context.Target.State, feed), cancellationToken).ConfigureAwait(false);
        int failures = 0,
            refusals = 0;
        if (options.AsksForToken)
            await AskForCredentialsAsync(null, cancellationToken).ConfigureAwait(false);
        while (true)
        {
            TimeSpan? retryAfter = null;
            string? note = null;
            long before = status.Counters.Changes,
                batchesBefore = status.Counters.ChangingCommits,
                beatsBefore = status.Counters.Heartbeats,
                began = time.GetTimestamp();
            var held = false;
            try
            {
                var outcome = _foreign is { } foreign
                    ? await RoundAsync(foreign, context, cancellationToken).ConfigureAwait(false)
                    : await ConnectAsync(context, plan, cancellationToken).ConfigureAwait(false);
                if (outcome == BodyOutcome.AnotherFeed)
                {
                    judge.RequireDue();
                    GuardResyncs(plan.Resyncs);
                    continue;
                }

                refusals = failures = 0;
                if (outcome == BodyOutcome.GoOn && plan.SetsInARow < 2)
                    continue;
                if (outcome == BodyOutcome.Done)
                    return;
            }
            catch (MalformedRecordException e)
                when (_foreign is null && !_hasDetected && DialectChoice.After(options, context.Target.State, e.Foreign) is { } choice)
            {
                status.Move(SyncTrigger.Interrupted);
                status.Counters.Malformed = 0;
                await TakeDialectAsync(choice, cancellationToken).ConfigureAwait(false);
                continue;
            }
            catch (FeedStatusException e) when (_foreign is null && e.LeadsNowhere && plan.LoadPage(context.Target.State) is not null)
            {
                plan.GiveUpLoad();
                status.Move(SyncTrigger.Interrupted);
                await events.PostStatusAsync(e, cancellationToken).ConfigureAwait(false);
                await events
                    .PostAsync(
                        FeedEventKind.Resync,
                        "The first load cannot go on where it was cut off; the whole set is fetched again.",
                        cancellationToken
                    )
                    .ConfigureAwait(false);
                continue;
            }
            catch (FeedStatusException e) when (e.AsksForResync && _foreign is null)
            {
                // A feed that has moved would have known the identity.
                if (TableBinding.IsOfAnotherFeed(context.Target.State, feed) && !options.Rebind)
                    throw TableBinding.OfAnotherFeed(context.Target.State, options, feed);
                judge.RequireDue();
                GuardResyncs(context.StopsWhenCaughtUp ? Math.Max(plan.Resyncs + 1, plan.SetsInARow) : plan.Resyncs + 1);
                await events.PostStatusAsync(e, cancellationToken).ConfigureAwait(false);
                await events
                    .PostAsync(
                        FeedEventKind.Resync,
                        "The feed cannot go on from the cursor; the whole set is fetched again.",
                        cancellationToken
                    )
                    .ConfigureAwait(false);
                plan.Resync(isAnotherFeed: false);
                if (!context.StopsWhenCaughtUp && judge.UntilDue is { } early)
                {
                    // The whole set that the feed asks the sync to fetch came just now, and could not be taken (I6).
                    status.Move(SyncTrigger.Interrupted);
                    if (!await BackOffAsync(early, cancellationToken).ConfigureAwait(false))
                        return;
                }

                continue;
            }
            catch (SweepRefusedException e) when (!context.StopsWhenCaughtUp)
            {
                // The updates go on meanwhile, where there is something to go on from.
                await events.PostAsync(FeedEventKind.Warning, e.Message, cancellationToken, e.Remedy).ConfigureAwait(false);
                plan.Postpone(context.Target.State);
            }
            catch (FeedStatusException e) when (!e.IsTransient)
            {
                await events.PostStatusAsync(e, cancellationToken).ConfigureAwait(false);
                if (!e.IsRefusal || ++refusals > MostRefusals || !await AskForCredentialsAsync(e, cancellationToken).ConfigureAwait(false))
                {
                    throw;
                }

                if (status.Phase is not (SyncPhase.Connecting or SyncPhase.BackingOff))
                    status.Move(SyncTrigger.Interrupted);
                continue;
            }
            catch (FeedException e) when (e.IsTransient)
            {
                await events.PostFailureAsync(e, cancellationToken).ConfigureAwait(false);
                plan.Interrupted(context.Target.State);
                status.Move(SyncTrigger.Interrupted);
                if (e is FeedStatusException answer)
                    (retryAfter, note) = (answer.RetryAfter, answer.RetryAfterNote);
                // A connection that brought nothing but what was known, or one record, is one more that failed.
                held = retry.Held(
                    time.GetElapsedTime(began),
                    status.Counters.Changes - before,
                    status.Counters.ChangingCommits - batchesBefore,
                    status.Counters.Heartbeats - beatsBefore
                );
                failures = held ? 1 : failures + 1;
                if (!retry.Allows(failures))
                    throw;
            }

            if (status.Phase != SyncPhase.BackingOff)
                status.Move(SyncTrigger.Interrupted);
            if (plan.NeedsSet)
                retryAfter = Later(retryAfter, judge.UntilDue);
            // A feed that leads back to the whole set each time is asked ever less often, whatever the set brings.
            var broughtNews = status.Counters.Changes > before && (failures == 0 || held) && plan.SetsInARow < 2;
            var tries = Math.Max(1, Math.Max(failures, plan.SetsInARow));
            var wait = retryAfter is null && broughtNews ? TimeSpan.Zero : retry.Delay(tries, retryAfter);
            if (!await BackOffAsync(wait, cancellationToken, note).ConfigureAwait(false))
                return;
        }
    }

    private enum BodyOutcome
    {
        /// <summary>The caller has what it wants.</summary>
        Done,

        /// <summary>Ask again, at once.</summary>
        GoOn,

        /// <summary>Ask again when it is time.</summary>
        Again,

        /// <summary>The feed is another one than the table has known: start over.</summary>
        AnotherFeed,
    }

    private async Task<BodyOutcome> ConnectAsync(SyncContext context, ConnectionPlan plan, CancellationToken cancellationToken)
    {
        await KeepDistanceAsync(cancellationToken).ConfigureAwait(false);
        if (status.Phase == SyncPhase.BackingOff)
            status.Move(SyncTrigger.WaitElapsed);
        var state = context.Target.State;
        plan.CheckHorizon(state);
        plan.CheckOwed(state, time.GetUtcNow());
        using var trace = SyncActivity.Connection(feed, plan.RequestCursor.ToString());
        if (await OpenAsync(plan, state, cancellationToken).ConfigureAwait(false) is not { } opened)
        {
            status.EndsFor(SyncEndReason.TimeElapsed);
            return BodyOutcome.Done;
        }

        await using var body = opened;
        await events.PostConnectedAsync(client.Uri, body, cancellationToken).ConfigureAwait(false);
        if (!_hasDetected && DialectChoice.After(options, state, body.Foreign) is { } choice)
        {
            await TakeDialectAsync(choice, cancellationToken).ConfigureAwait(false);
            return BodyOutcome.GoOn;
        }

        if (TableBinding.CheckMove(state, options, feed, body.Continues ?? body.FeedIdentity) is { } move && !_hasToldOfMove)
        {
            _hasToldOfMove = true;
            await events.PostAsync(FeedEventKind.Warning, move, cancellationToken).ConfigureAwait(false);
        }

        if (body.KeyFields is { } key)
            await TakeKeyAsync(context, key, cancellationToken).ConfigureAwait(false);
        if (plan.MeetsAnotherFeed(state, body))
        {
            await events
                .PostAsync(
                    FeedEventKind.Resync,
                    "The feed is another one than the table has known; the whole set is fetched again.",
                    cancellationToken
                )
                .ConfigureAwait(false);
            plan.Resync(isAnotherFeed: true);
            return BodyOutcome.AnotherFeed;
        }

        var source = plan.Describe(client, body, state);
        status.BodyBegan(body);
        status.Move(source.IsStaged || source.IsRedirected ? SyncTrigger.SnapshotBegan : SyncTrigger.Connected);
        var reader = new BodyReader(context, source);
        BodyEnd end;
        try
        {
            end = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (reader.HasCommitted)
                plan.MovedOn(reader.IsCaughtUp);
        }
        catch (Exception e)
        {
            // Of what was handed over when the store was lost, only what it is known to have kept counts.
            var kept = context.Target.Committed;
            var isLost = e is TableStoreException;
            if (isLost ? kept != state : reader.HasCommitted)
                plan.MovedOn(isLost ? kept.LastSync != state.LastSync : reader.IsCaughtUp);
            throw;
        }

        plan.Ended(source, reader.SetIsComplete, context.Target.State);
        if (reader.SetIsComplete)
            status.SetCame();
        status.BodyEnded();
        await JudgeQuarantineAsync(context, cancellationToken).ConfigureAwait(false);

        switch (end)
        {
            case BodyEnd.SetDue:
                status.Move(SyncTrigger.Interrupted);
                return BodyOutcome.GoOn;
            case BodyEnd.CaughtUp:
                status.EndsFor(SyncEndReason.CaughtUp, isComplete: true);
                return BodyOutcome.Done;
            case BodyEnd.Settled:
                status.EndsFor(SyncEndReason.Settled, isComplete: true);
                return BodyOutcome.Done;
            case BodyEnd.Silent:
                await events
                    .PostSilenceAsync(state.RequestCursor, context.Target.Committed.RequestCursor, cancellationToken)
                    .ConfigureAwait(false);
                status.EndsFor(SyncEndReason.Settled);
                return BodyOutcome.Done;
            case BodyEnd.TimeElapsed:
                status.EndsFor(SyncEndReason.TimeElapsed);
                return BodyOutcome.Done;
        }

        await events.PostAsync(FeedEventKind.Disconnect, "The body ended.", cancellationToken).ConfigureAwait(false);
        if (source.IsRedirected && reader.SetIsComplete)
        {
            status.Move(SyncTrigger.Interrupted);
            return BodyOutcome.GoOn;
        }

        status.EndsFor(SyncEndReason.EndOfFeed, isComplete: source.HasDefiniteEnd && end != BodyEnd.Refused);
        return context.StopsWhenCaughtUp ? BodyOutcome.Done : BodyOutcome.Again;
    }

    /// <summary>The feed is read by this dialect from here on, which is said where nobody has named it.</summary>
    private async Task TakeDialectAsync(DialectChoice? choice, CancellationToken cancellationToken)
    {
        if (choice is null)
            return;
        _foreign = new DialectFollower(
            choice.Dialect,
            choice.IsGuess,
            options,
            client,
            status,
            events,
            retry,
            time,
            (wait, stop) => BackOffAsync(wait, stop)
        );
        if (!choice.IsGuess)
            return;
        _hasDetected = true;
        await events
            .PostAsync(
                choice.Dialect.Name == "Rest" ? FeedEventKind.Warning : FeedEventKind.Dialect,
                choice.Dialect.Name == "Rest"
                    ? "The feed looks like a list of JSON: it is read by the dialect 'Rest', and where its records and their key are is guessed."
                    : $"The feed is read by the dialect '{choice.Dialect.Name}', which it looks like.",
                cancellationToken,
                choice.Dialect.Name == "Rest" ? (Remedy)$"Name it with {Term.Dialect.For("Rest")}, and the key with {Term.Key}." : null
            )
            .ConfigureAwait(false);
    }

    private async Task<BodyOutcome> RoundAsync(DialectFollower foreign, SyncContext context, CancellationToken cancellationToken)
    {
        var outcome = await foreign.RunAsync(context, cancellationToken).ConfigureAwait(false);
        if (outcome == RoundOutcome.NotOfThisDialect)
            _foreign = null;
        return outcome == RoundOutcome.Done ? BodyOutcome.Done : BodyOutcome.GoOn;
    }

    private static TimeSpan? Later(TimeSpan? left, TimeSpan? right) => left is null || right > left ? right ?? left : left;

    /// <summary>Says how much is set aside, once after each change; that nothing else came is an error.</summary>
    /// <exception cref="AllRecordsMalformedException">It is so, and nobody waits for more or no record has ever come.</exception>
    private async Task JudgeQuarantineAsync(SyncContext context, CancellationToken cancellationToken)
    {
        var table = context.Target.Committed;
        if (context.FirstMalformed is not { } first || table.Quarantined == _toldQuarantined)
            return;
        _toldQuarantined = table.Quarantined;
        var counters = status.Counters;
        await events.PostQuarantineAsync(counters.Malformed, table, cancellationToken).ConfigureAwait(false);
        if (counters.Received == 0 && (context.StopsWhenCaughtUp || table.Shape is null))
            throw new AllRecordsMalformedException(feed, counters.Malformed, first.Reason, first.Remedy);
    }

    /// <summary>Makes the key that the feed announces the table's, if nothing else is known of it.</summary>
    private async Task TakeKeyAsync(SyncContext context, IReadOnlyList<string> key, CancellationToken cancellationToken)
    {
        var warning = TableBinding.CheckKey(context.Parser.Shape, options, key);
        if (warning is null)
        {
            context.Parser.UseKey(key);
        }
        else if (!_hasWarnedOfKey)
        {
            _hasWarnedOfKey = true;
            await events.PostAsync(FeedEventKind.Warning, warning, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Asks the feed, no longer than the time to follow; null when that is over.</summary>
    private async Task<FeedResponse?> OpenAsync(ConnectionPlan plan, TableState state, CancellationToken cancellationToken)
    {
        if (options.FollowFor is not { } limit)
        {
            return await AskAsync(plan, state, cancellationToken).ConfigureAwait(false);
        }

        var left = limit - time.GetElapsedTime(status.Start);
        if (left <= TimeSpan.Zero)
            return null;
        using var deadline = new CancellationTokenSource(
            left < client.ConnectionTimeout || client.ConnectionTimeout < TimeSpan.Zero ? left : Timeout.InfiniteTimeSpan,
            time
        );
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
        try
        {
            return await AskAsync(plan, state, both.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private Task<FeedResponse> AskAsync(ConnectionPlan plan, TableState state, CancellationToken cancellationToken) =>
        plan.LoadPage(state) is { } page
            ? SnapshotRange.Parse(page) is { } range
                ? client.OpenRestAsync(range, cancellationToken)
                : client.OpenPageAsync(page, state.FeedIdentity, cancellationToken)
            : client.OpenAsync(plan.RequestCursor, plan.UpdatesOnly, plan.IdentityToSend(state), cancellationToken);

    /// <summary>Requests follow each other no faster than the shortest wait, also those that are no retries.</summary>
    private async Task KeepDistanceAsync(CancellationToken cancellationToken)
    {
        if (_lastRequest != 0 && RetryPolicy.Shortest - time.GetElapsedTime(_lastRequest) is var left && left > TimeSpan.Zero)
            await Task.Delay(left, time, cancellationToken).ConfigureAwait(false);
        _lastRequest = time.GetTimestamp();
    }

    /// <summary>Waits before another attempt, no longer than the time to follow; false when that is over.</summary>
    /// <param name="wait">How long.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <param name="note">What else there is to say of the wait.</param>
    public async Task<bool> BackOffAsync(TimeSpan wait, CancellationToken cancellationToken, string? note = null)
    {
        if (options.FollowFor is { } deadline)
        {
            var left = deadline - time.GetElapsedTime(status.Start);
            if (left <= wait)
            {
                if (left > TimeSpan.Zero)
                    await Task.Delay(left, time, cancellationToken).ConfigureAwait(false);
                status.EndsFor(SyncEndReason.TimeElapsed);
                return false;
            }
        }

        if (wait > TimeSpan.Zero)
        {
            await events.PostRetryAsync(wait, note, cancellationToken).ConfigureAwait(false);
            await Task.Delay(wait, time, cancellationToken).ConfigureAwait(false);
        }

        return true;
    }

    private async Task<bool> AskForCredentialsAsync(FeedStatusException? error, CancellationToken cancellationToken)
    {
        var question = new CredentialsNeeded(error);
        await steps.ExchangeAsync(question, cancellationToken).ConfigureAwait(false);
        if (question is { NewToken: null, NewUri: null, NewHeaders: null })
            return false;
        client.Replace(question.NewToken, question.NewUri, question.NewHeaders);
        return true;
    }

    private void GuardResyncs(int resyncs)
    {
        if (resyncs > MostResyncs)
            throw new ResyncLoopException(feed, resyncs);
    }
}
