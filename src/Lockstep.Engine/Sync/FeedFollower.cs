using System.Net;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>
/// The inner loop of a sync: one connection after another (<see cref="FeedConnection"/>, or a round of <see cref="DialectFollower"/>),
/// until there is nothing left to do. Decides which failures are retried, and when. One thread at a time.
/// </summary>
internal sealed class FeedFollower(
    SyncOptions options,
    FeedUri feed,
    FeedClient client,
    SyncStatus status,
    StepChannel steps,
    SyncEvents events,
    RetryPolicy retry,
    RequestPacer pacer,
    TimeProvider time
)
{
    private const int MostResyncs = 3;
    private const int MostRefusals = 3;

    /// <summary>Survives the table being closed and reopened.</summary>
    private ConnectionPlan? _plan;
    private readonly FeedConnection _connection = new(options, feed, client, status, events, pacer, time);

    /// <summary>Follows the feed if it is another server's; null for Lockstep's own dialects.</summary>
    private DialectFollower? _foreign;
    private bool _hasDetected;

    /// <summary>Why the feed is not in the dialect that its URI suggests; null if it suggests none.</summary>
    private DialectException? _doubt;

    /// <summary>The loop: connect, read, and repeat until there is nothing left to do.</summary>
    public async Task FollowAsync(SyncContext context, CancellationToken cancellationToken)
    {
        var plan = _plan ??= new ConnectionPlan(options, context.Target.State);
        plan.Interrupted(context.Target.State);
        var judge = new SweepJudge(context, feed);
        if (_foreign is null && !_hasDetected)
            await TakeDialectAsync(DialectChoice.Of(options, context.Target.State, feed), cancellationToken).ConfigureAwait(false);
        int failures = 0,
            growth = 0,
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
            var mark = ProgressMark.Of(status, context);
            bool held = false,
                isWell = false;
            try
            {
                var outcome = _foreign is { } foreign
                    ? await RoundAsync(foreign, context, cancellationToken).ConfigureAwait(false)
                    : await ConnectAsync(context, plan, cancellationToken).ConfigureAwait(false);
                if (outcome == ConnectionEnd.AnotherFeed)
                {
                    judge.RequireDue();
                    GuardResyncs(plan.Resyncs);
                    continue;
                }

                refusals = failures = growth = 0;
                isWell = outcome == ConnectionEnd.Again && status.IsComplete && plan.SetsInARow < 2;
                if (outcome == ConnectionEnd.GoOn && plan.SetsInARow < 2)
                    continue;
                if (outcome == ConnectionEnd.Done)
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
                        "The first load cannot resume where it was cut off; the whole set is fetched again.",
                        cancellationToken
                    )
                    .ConfigureAwait(false);
                continue;
            }
            catch (FeedStatusException e) when (e.AsksForResync && _foreign is null && (plan.Resyncs < MostResyncs || !MayPass(e, context)))
            {
                // A feed that had only moved would know the identity.
                if (TableBinding.IsOfAnotherFeed(context.Target.State, feed) && !options.Rebind)
                    throw TableBinding.OfAnotherFeed(context.Target.State, options, feed);
                judge.RequireDue();
                GuardResyncs(context.StopsWhenCaughtUp ? Math.Max(plan.Resyncs + 1, plan.SetsInARow) : plan.Resyncs + 1);
                await events.PostStatusAsync(e, cancellationToken).ConfigureAwait(false);
                await events
                    .PostAsync(
                        FeedEventKind.Resync,
                        "The feed cannot resume from the cursor; the whole set is fetched again.",
                        cancellationToken
                    )
                    .ConfigureAwait(false);
                plan.Resync(isAnotherFeed: false);

                // A set in pages may be refused in its middle.
                if (status.Phase is SyncPhase.Snapshot or SyncPhase.Live)
                    status.Move(SyncTrigger.Interrupted);
                if (!context.StopsWhenCaughtUp && judge.UntilDue is { } early)
                {
                    // The feed wants a whole set to be fetched that has just arrived and could not be applied (I6).
                    if (status.Phase != SyncPhase.BackingOff)
                        status.Move(SyncTrigger.Interrupted);
                    if (!await pacer.BackOffAsync(early, cancellationToken).ConfigureAwait(false))
                        return;
                }

                continue;
            }
            catch (SweepRefusedException e) when (!context.StopsWhenCaughtUp)
            {
                // Updates continue in the meantime, if there is something to continue from.
                await events.PostRefusedAsync(e, next: null, cancellationToken).ConfigureAwait(false);
                plan.Postpone(context.Target.State);
            }
            catch (FeedStatusException e) when (e.IsRefusal)
            {
                await events.PostStatusAsync(e, cancellationToken).ConfigureAwait(false);
                var mayAsk = ++refusals <= MostRefusals;
                if (mayAsk && await AskForCredentialsAsync(e, cancellationToken).ConfigureAwait(false))
                {
                    if (status.Phase is not (SyncPhase.Connecting or SyncPhase.BackingOff))
                        status.Move(SyncTrigger.Interrupted);
                    continue;
                }

                if (options.AsksForToken)
                    throw e.OfTokenProvider(refusals, hasSupplied: !mayAsk);
                if (!mayAsk || !MayPass(e, context) || !AllowsAnother(e))
                    throw;
                // Nobody offers other credentials, so none were refused.
                refusals = 0;
            }
            catch (FeedException e) when (e.IsTransient || MayPass(e, context))
            {
                await events.PostFailureAsync(e, cancellationToken).ConfigureAwait(false);
                // What was no answer of the feed is no record of it.
                if (e is MalformedRecordException)
                    status.Counters.Malformed--;
                if (!AllowsAnother(e))
                {
                    var startsOver = _foreign?.StartsOver(context.Target.State) ?? plan.StartsOver(context.Target.State);
                    var hasRetried = !context.StopsWhenCaughtUp || options.MaximumRetryCount > 0;
                    if (e is FeedCutException cut)
                        throw new FeedCutException(cut, startsOver, hasRetried);
                    if (e is TruncatedFeedException torn && startsOver)
                        throw new TruncatedFeedException(torn, hasRetried);
                    throw;
                }
            }
            catch (FeedStatusException e)
            {
                await events.PostStatusAsync(e, cancellationToken).ConfigureAwait(false);
                throw;
            }

            if (status.Phase != SyncPhase.BackingOff)
                status.Move(isWell ? SyncTrigger.Rested : SyncTrigger.Interrupted);
            if (plan.NeedsSet)
                retryAfter = Later(retryAfter, judge.UntilDue);
            // A feed that leads back to the whole set each time is asked at growing intervals, whatever the set brings.
            var broughtNews = status.Counters.Changes > before && (failures == 0 || held) && plan.SetsInARow < 2;
            var tries = Math.Max(1, Math.Max(growth, plan.SetsInARow));
            var wait = retryAfter is null && broughtNews ? TimeSpan.Zero : retry.Delay(tries, retryAfter);
            if (!await pacer.BackOffAsync(wait, cancellationToken, note).ConfigureAwait(false))
                return;

            bool AllowsAnother(FeedException e)
            {
                plan.Interrupted(context.Target.State);
                status.Move(SyncTrigger.Interrupted);
                if (e is FeedStatusException answer)
                    (retryAfter, note) = (answer.RetryAfter, answer.RetryAfterNote);
                held = retry.Held(
                    time.GetElapsedTime(began),
                    status.Counters.Changes - before,
                    status.Counters.ChangingCommits - batchesBefore,
                    status.Counters.Heartbeats - beatsBefore
                );
                // One that only repeated what had come before counts as another failure.
                var isProgress = held || ProgressMark.Of(status, context) != mark;
                failures = isProgress ? 1 : failures + 1;
                // A server that says when it will be back, as one does that is loading, need not be asked less and less often.
                var isTold = e is FeedStatusException { Status: HttpStatusCode.ServiceUnavailable, RetryAfter: { Ticks: > 0 } };
                growth = isProgress || isTold ? 1 : growth + 1;
                return retry.Allows(failures);
            }
        }
    }

    /// <summary>
    /// Whether a follower survives an answer that would otherwise be an error at once. The feed has worked before, so a gateway in front of
    /// it, or a deployment, may be the cause; for a feed that has never worked, the likely cause is a wrong URI or dialect.
    /// </summary>
    private bool MayPass(FeedException error, SyncContext context) =>
        error
            is DialectException
                or FeedStatusException
                or FeedRedirectException
                or ResyncLoopException
                or MalformedRecordException { IsFirst: true }
        && !context.StopsWhenCaughtUp
        && (context.Target.State.LastSync is not null || status.Counters.ChangingCommits > 0)
        && !TableBinding.IsOfAnotherFeed(context.Target.State, feed)
        && (_foreign?.Knows(context.Target.State) ?? true);

    /// <summary>Reads the feed in this dialect from here on, and reports that if nobody chose it.</summary>
    private async Task TakeDialectAsync(DialectChoice? choice, CancellationToken cancellationToken)
    {
        if (choice is null)
            return;
        _foreign = new DialectFollower(choice.Dialect, choice.IsGuess, options, client, status, events, retry, pacer, time);
        if (!choice.IsGuess)
            return;
        _hasDetected = true;
        await events
            .PostAsync(
                choice.Dialect.Name == "Rest" ? FeedEventKind.Warning : FeedEventKind.Dialect,
                choice.Dialect.Name == "Rest"
                    ? "The feed looks like a list of JSON: it is read with the dialect 'Rest', which guesses the place of its "
                        + "records and their key."
                    : $"The feed is read with the dialect '{choice.Dialect.Name}', which it resembles.",
                cancellationToken,
                choice.Dialect.Name == "Rest" ? (Remedy)$"Name it with {Term.Dialect.For("Rest")}, and the key with {Term.Key}." : null
            )
            .ConfigureAwait(false);
    }

    private async Task<ConnectionEnd> ConnectAsync(SyncContext context, ConnectionPlan plan, CancellationToken cancellationToken)
    {
        var end = await _connection.ReadAsync(context, plan, mayBeForeign: !_hasDetected, _doubt, cancellationToken).ConfigureAwait(false);
        if (end != ConnectionEnd.OtherDialect)
            return end;
        await TakeDialectAsync(_connection.Foreign, cancellationToken).ConfigureAwait(false);
        return ConnectionEnd.GoOn;
    }

    private async Task<ConnectionEnd> RoundAsync(DialectFollower foreign, SyncContext context, CancellationToken cancellationToken)
    {
        var outcome = await foreign.RunAsync(context, cancellationToken).ConfigureAwait(false);
        if (outcome == RoundOutcome.NotOfThisDialect)
        {
            (_foreign, _doubt) = (null, foreign.Doubt);
            // Paths such as /api/v1/items are those of many APIs besides Kubernetes': the answer may still show what this one is.
            _hasDetected = !foreign.Dialect.Snapshot.TypesItems;
        }

        return outcome == RoundOutcome.Done ? ConnectionEnd.Done : ConnectionEnd.GoOn;
    }

    private static TimeSpan? Later(TimeSpan? left, TimeSpan? right) => left is null || right > left ? right ?? left : left;

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
