using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>The result of one connection to a feed, on which the next one depends.</summary>
internal enum ConnectionEnd
{
    /// <summary>The caller has what it wants.</summary>
    Done,

    /// <summary>Ask again immediately.</summary>
    GoOn,

    /// <summary>Ask again when it is due.</summary>
    Again,

    /// <summary>The feed is not the one the table knows: start over.</summary>
    AnotherFeed,

    /// <summary>The feed is another server's, in a dialect that its answer suggests.</summary>
    OtherDialect,
}

/// <summary>
/// One connection to a feed in one of Lockstep's own dialects, from the request to the end of the body: the headers are checked against the
/// table before anything is written. One thread at a time.
/// </summary>
internal sealed class FeedConnection(
    SyncOptions options,
    FeedUri feed,
    FeedClient client,
    SyncStatus status,
    SyncEvents events,
    RequestPacer pacer,
    TimeProvider time
)
{
    private bool _hasWarnedOfKey;
    private bool _hasToldOfMove;
    private long _toldQuarantined = -1;

    /// <summary>The dialect that the answer suggests, after <see cref="ConnectionEnd.OtherDialect"/>.</summary>
    public DialectChoice? Foreign { get; private set; }

    /// <summary>Sends the planned request, and reads the answer into the table.</summary>
    /// <param name="context">The running sync, with the open table.</param>
    /// <param name="plan">What to request; updated with the result.</param>
    /// <param name="mayBeForeign">Whether the answer may still show that the feed is another server's.</param>
    /// <param name="doubt">Why the feed is not in the dialect that its URI suggests; null if it suggests none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="FeedException">The connection failed; what was committed before is kept.</exception>
    public async Task<ConnectionEnd> ReadAsync(
        SyncContext context,
        ConnectionPlan plan,
        bool mayBeForeign,
        DialectException? doubt,
        CancellationToken cancellationToken
    )
    {
        await pacer.KeepDistanceAsync(cancellationToken).ConfigureAwait(false);
        if (status.IsWaiting)
            status.Move(SyncTrigger.WaitElapsed);
        var state = context.Target.State;
        plan.CheckHorizon(state);
        plan.CheckOwed(state, time.GetUtcNow());
        using var trace = SyncActivity.Connection(feed, plan.RequestCursor.Display);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var opening = OpenAsync(plan, state, stop.Token);
        if (await IsQuietAsync(context, plan, opening).ConfigureAwait(false))
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await DropAsync(opening).ConfigureAwait(false);
            context.FeedEnding = FeedEnding.Quiet;
            context.HasToldOfMore = true;
            await events.PostNoAnswerAsync(plan.RequestCursor, cancellationToken).ConfigureAwait(false);
            status.EndsFor(SyncEndReason.Settled);
            return ConnectionEnd.Done;
        }

        if (await opening.ConfigureAwait(false) is not { } opened)
        {
            status.EndsFor(SyncEndReason.TimeElapsed);
            return ConnectionEnd.Done;
        }

        await using var body = opened;
        await events.PostConnectedAsync(client.Uri, body, cancellationToken).ConfigureAwait(false);
        if (mayBeForeign && (Foreign = DialectChoice.After(options, state, body.Foreign)) is not null)
            return ConnectionEnd.OtherDialect;

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
                    "The feed is not the one that the table knows; the whole set is fetched again.",
                    cancellationToken
                )
                .ConfigureAwait(false);
            plan.Resync(isAnotherFeed: true);
            return ConnectionEnd.AnotherFeed;
        }

        var wasQuiet = context.FeedEnding == FeedEnding.Quiet;
        var received = status.Counters.Bytes;
        var source = plan.Describe(client, body, state) with { Doubt = body.FeedIdentity is null ? doubt : null };
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

        // For a feed known to be silent, only the result mentions it.
        var isNews = !wasQuiet || status.Counters.Bytes > received;
        return await EndAsync(context, source, end, reader, state.RequestCursor, isNews, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Whether the server has accepted the request and sends no headers for this long, as some servers do while they have nothing to send.
    /// A plain sync of a table that has a cursor, and whose feed has never ended, treats that as silence.
    /// </summary>
    private async Task<bool> IsQuietAsync(SyncContext context, ConnectionPlan plan, Task opening)
    {
        if (!context.StopsWhenCaughtUp || plan.RequestCursor.IsStart || context.FeedEnding == FeedEnding.Ends)
            return false;
        var patience = BodyClock.QuietPatience(context, client.ConnectionTimeout);
        return !await opening.CompletesWithinAsync(patience, time).ConfigureAwait(false) && client.Http.HasConnected;
    }

    /// <summary>Disposes an answer that arrives too late.</summary>
    private static async Task DropAsync(Task<FeedResponse?> opening)
    {
        try
        {
            if (await opening.ConfigureAwait(false) is { } late)
                await late.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or FeedException)
        {
            // The connection was closed.
        }
    }

    /// <summary>Decides what the end of the body means for the sync.</summary>
    private async Task<ConnectionEnd> EndAsync(
        SyncContext context,
        BodySource source,
        BodyEnd end,
        BodyReader reader,
        Cursor before,
        bool isNews,
        CancellationToken cancellationToken
    )
    {
        switch (end)
        {
            case BodyEnd.SetDue:
                status.Move(SyncTrigger.Interrupted);
                return ConnectionEnd.GoOn;
            case BodyEnd.CaughtUp:
                status.EndsFor(SyncEndReason.CaughtUp, isComplete: !reader.HasUnaccounted);
                return ConnectionEnd.Done;
            case BodyEnd.Settled:
                status.EndsFor(SyncEndReason.Settled, isComplete: !reader.HasUnaccounted);
                return ConnectionEnd.Done;
            case BodyEnd.Silent:
                context.HasToldOfMore = true;
                if (isNews)
                    await events.PostSilenceAsync(before, context.Target.Committed.RequestCursor, cancellationToken).ConfigureAwait(false);
                status.EndsFor(SyncEndReason.Settled);
                return ConnectionEnd.Done;
            case BodyEnd.TimeElapsed:
                status.EndsFor(SyncEndReason.TimeElapsed);
                return ConnectionEnd.Done;
        }

        await events.PostAsync(FeedEventKind.Disconnect, "The body ended.", cancellationToken).ConfigureAwait(false);
        if (source.IsRedirected && reader.SetIsComplete)
        {
            status.Move(SyncTrigger.Interrupted);
            return ConnectionEnd.GoOn;
        }

        status.EndsFor(SyncEndReason.EndOfFeed, isComplete: source.HasDefiniteEnd && end != BodyEnd.Refused);
        return context.StopsWhenCaughtUp ? ConnectionEnd.Done : ConnectionEnd.Again;
    }

    /// <summary>Adopts the key that the feed announces, if none is known otherwise.</summary>
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

    /// <summary>Reports how much is in quarantine, once after each change; if nothing else arrived, that is an error.</summary>
    /// <exception cref="AllRecordsMalformedException">
    /// Nothing else arrived, and either nobody is waiting for more or no record has ever arrived.
    /// </exception>
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

    /// <summary>Requests the feed, within the time to follow; null when that is over.</summary>
    private Task<FeedResponse?> OpenAsync(ConnectionPlan plan, TableState state, CancellationToken cancellationToken) =>
        pacer.WithinTimeAsync<FeedResponse?>(
            async stop => await AskAsync(plan, state, stop).ConfigureAwait(false),
            () => Task.FromResult<FeedResponse?>(null),
            cancellationToken
        );

    private Task<FeedResponse> AskAsync(ConnectionPlan plan, TableState state, CancellationToken cancellationToken) =>
        plan.LoadPage(state) is { } page
            ? SnapshotRange.Parse(page) is { } range
                ? client.OpenRestAsync(range, cancellationToken)
                : client.OpenPageAsync(page, state.FeedIdentity, cancellationToken)
            : client.OpenAsync(plan.RequestCursor, plan.UpdatesOnly, plan.IdentityToSend(state), cancellationToken);
}
