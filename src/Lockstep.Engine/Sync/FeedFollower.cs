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

    /// <summary>The feed is another server's; null for Lockstep's own dialects.</summary>
    private DialectFollower? _foreign;
    private bool _hasDetected;

    /// <summary>The loop: connect, read, and again until there is nothing more to want.</summary>
    public async Task FollowAsync(SyncContext context, CancellationToken cancellationToken)
    {
        var plan = _plan ??= new ConnectionPlan(options, context.Target.State);
        plan.Interrupted(context.Target.State);
        if (_foreign is null && !_hasDetected)
            await TakeDialectAsync(DialectChoice.Of(options, context.Target.State, feed), cancellationToken).ConfigureAwait(false);
        int failures = 0,
            refusals = 0;
        if (options.AsksForToken)
            await AskForCredentialsAsync(null, cancellationToken).ConfigureAwait(false);
        while (true)
        {
            TimeSpan? retryAfter = null;
            long before = status.Counters.Changes,
                beatsBefore = status.Counters.Heartbeats;
            try
            {
                var outcome = _foreign is { } foreign
                    ? await RoundAsync(foreign, context, cancellationToken).ConfigureAwait(false)
                    : await ConnectAsync(context, plan, cancellationToken).ConfigureAwait(false);
                if (outcome == BodyOutcome.AnotherFeed)
                {
                    GuardResyncs(plan.Resyncs);
                    continue;
                }

                refusals = failures = 0;
                if (outcome == BodyOutcome.GoOn)
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
            catch (FeedStatusException e) when (e.AsksForResync && _foreign is null)
            {
                GuardResyncs(plan.Resyncs + 1);
                await events.PostStatusAsync(e, cancellationToken).ConfigureAwait(false);
                await events
                    .PostAsync(
                        FeedEventKind.Resync,
                        "The feed cannot go on from the cursor; the whole set is fetched again.",
                        cancellationToken
                    )
                    .ConfigureAwait(false);
                plan.Resync(isAnotherFeed: false);
                continue;
            }
            catch (FeedStatusException e) when (!e.IsTransient)
            {
                await events.PostStatusAsync(e, cancellationToken).ConfigureAwait(false);
                if (++refusals > MostRefusals || !await AskForCredentialsAsync(e, cancellationToken).ConfigureAwait(false))
                    throw;
                continue;
            }
            catch (FeedException e) when (e.IsTransient)
            {
                await events.PostFailureAsync(e, cancellationToken).ConfigureAwait(false);
                plan.Interrupted(context.Target.State);
                status.Move(SyncTrigger.Interrupted);
                retryAfter = (e as FeedStatusException)?.RetryAfter;
                // A connection that brought nothing but what was known is one more that failed.
                failures = status.Counters.Changes > before || status.Counters.Heartbeats > beatsBefore ? 1 : failures + 1;
                if (!retry.Allows(failures))
                    throw;
            }

            if (status.Phase != SyncPhase.BackingOff)
                status.Move(SyncTrigger.Interrupted);
            var broughtNews = status.Counters.Changes > before;
            var wait = retryAfter is null && broughtNews ? TimeSpan.Zero : retry.Delay(Math.Max(1, failures), retryAfter);
            if (!await BackOffAsync(wait, cancellationToken).ConfigureAwait(false))
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
        if (status.Phase == SyncPhase.BackingOff)
            status.Move(SyncTrigger.WaitElapsed);
        var state = context.Target.State;
        plan.CheckHorizon(state);
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
        status.BodyEnded();

        switch (end)
        {
            case BodyEnd.CaughtUp:
                status.EndsFor(SyncEndReason.CaughtUp);
                return BodyOutcome.Done;
            case BodyEnd.Settled:
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

        status.EndsFor(SyncEndReason.EndOfFeed);
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
            return await client
                .OpenAsync(plan.RequestCursor, plan.UpdatesOnly, plan.IdentityToSend(state), cancellationToken)
                .ConfigureAwait(false);
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
            return await client
                .OpenAsync(plan.RequestCursor, plan.UpdatesOnly, plan.IdentityToSend(state), both.Token)
                .ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>Waits before another attempt, no longer than the time to follow; false when that is over.</summary>
    public async Task<bool> BackOffAsync(TimeSpan wait, CancellationToken cancellationToken)
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
            await events.PostRetryAsync(wait, cancellationToken).ConfigureAwait(false);
            await Task.Delay(wait, time, cancellationToken).ConfigureAwait(false);
        }

        return true;
    }

    private async Task<bool> AskForCredentialsAsync(FeedStatusException? error, CancellationToken cancellationToken)
    {
        var question = new CredentialsNeeded(error);
        await steps.ExchangeAsync(question, cancellationToken).ConfigureAwait(false);
        if (question.NewToken is not { } token)
            return false;
        client.ReplaceToken(token);
        return true;
    }

    private void GuardResyncs(int resyncs)
    {
        if (resyncs > MostResyncs)
            throw new ResyncLoopException(feed, resyncs);
    }
}
