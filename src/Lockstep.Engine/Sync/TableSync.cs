using System.Runtime.CompilerServices;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tables.Native;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Keeps a table in step with a feed. The caller pulls <see cref="RunAsync"/>: changes come as they are committed, events and progress
/// as they happen, and the last step is <see cref="SyncEnded"/>. To stop, stop pulling: disposing the enumerator closes the connection
/// at once and rolls back what was not committed. A slow caller slows the feed.
/// </summary>
/// <remarks>One run per object. <see cref="Result"/> may be read from any thread.</remarks>
public sealed class TableSync
{
    private const int MostResyncs = 3;
    private const int MostRefusals = 3;

    private readonly SyncOptions _options;
    private readonly TimeProvider _time;
    private readonly RetryPolicy _retry;
    private readonly SyncCounters _counters = new();
    private readonly FeedUri _feed;
    private long _start;
    private SyncContext? _context;
    private StepChannel? _steps;
    private SyncState _state = SyncState.Initial;
    private string _table = "";
    private Cursor _cursor;
    private long? _sequence;
    private ConnectionPlan? _plan;
    private DateTimeOffset? _newestRecord;
    private SyncEndReason _endReason;
    private long? _expected;
    private long? _contentLength;
    private long _bodyStartBytes;
    private TimeSpan? _duration;

    /// <summary>Prepares a sync; nothing is opened yet.</summary>
    /// <param name="options">What to sync, and how.</param>
    /// <param name="time">The clock; null for the system's.</param>
    /// <param name="random">The source of jitter; null for the shared one.</param>
    /// <exception cref="ArgumentException">The URI is no feed's, or the table's name cannot be one.</exception>
    public TableSync(SyncOptions options, TimeProvider? time = null, Random? random = null)
    {
        _options = options;
        _time = time ?? TimeProvider.System;
        _feed = FeedUri.Parse(options.Feed.Uri);
        if (options.TableName is { } name) TableName.Require(name);
        bool follows = options.Follow || options.FollowFor is not null;
        _retry = new RetryPolicy(options.RetryInterval, options.MaximumRetryCount ?? (follows ? null : 0), random ?? Random.Shared);
    }

    /// <summary>What the sync did so far.</summary>
    public SyncResult Result => _counters.Fill(new SyncResult
    {
        Table = _table,
        Path = _options.TablePath,
        Feed = _feed.Display,
        Cursor = _context?.Target.Committed.Cursor ?? _cursor,
        NewestRecord = _context?.Target.Committed is { } committed ? RecordTime.Of(committed.Cursor, committed.Shape?.Dialect) : _newestRecord,
        Duration = _duration ?? (_start == 0 ? TimeSpan.Zero : _time.GetElapsedTime(_start)),
        Expected = _expected,
        ShareDone = ShareDone,
        State = _state,
        SinceLastByte = _context is { LastByte: > 0 and var last } ? _time.GetElapsedTime(last) : null,
        EndReason = _endReason,
    });

    private double? ShareDone =>
        _contentLength is > 0 and { } length ? Math.Clamp((double)(_counters.Bytes - _bodyStartBytes) / length, 0, 1)
        : _expected is > 0 and { } count ? Math.Clamp((double)_counters.Received / count, 0, 1) : null;

    /// <summary>Runs the sync, step by step; at least every quarter of a second there is one.</summary>
    /// <exception cref="LockstepException">The sync cannot go on; what was committed before stays.</exception>
    public async IAsyncEnumerable<SyncStep> RunAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        _start = _time.GetTimestamp();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _steps = new StepChannel(_time);
        Task work = Task.Run(() => WorkAsync(stop.Token), CancellationToken.None);
        try
        {
            await foreach (SyncStep step in _steps.ReadAsync(() => new SyncProgress(Result), cancellationToken).ConfigureAwait(false)) yield return step;
            await work.ConfigureAwait(false);
            yield return new SyncEnded(Result);
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            // The error, if there is one, has come out of the channel; here only the end is waited for, so that file and socket are free.
            await work.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default).ConfigureAwait(false);
        }
    }

    private async Task WorkAsync(CancellationToken cancellationToken)
    {
        try
        {
            await KeepOpenAsync(cancellationToken).ConfigureAwait(false);
            Move(SyncTrigger.Finished);
            _steps!.Complete(null);
        }
        catch (Exception e)
        {
            // A commit that is broken off may be the first to tell.
            bool stopped = cancellationToken.IsCancellationRequested && e is OperationCanceledException or Microsoft.Data.Sqlite.SqliteException { SqliteErrorCode: NativeSqlite.Interrupt };
            _endReason = stopped ? SyncEndReason.Stopped : SyncEndReason.Failed;
            Move(stopped ? SyncTrigger.Finished : SyncTrigger.GaveUp);
            _steps!.Complete(stopped ? new OperationCanceledException(cancellationToken) : e);
        }
        finally
        {
            _duration = _time.GetElapsedTime(_start);
        }
    }

    /// <summary>
    /// The outer loop: opens the table, and again when its store went away or another sync has taken it over. What was committed is kept, so that the feed is asked
    /// to go on from there.
    /// </summary>
    private async Task KeepOpenAsync(CancellationToken cancellationToken)
    {
        using var client = new FeedClient(_options.Feed, _time);
        for (int failures = 0; ;)
        {
            try
            {
                await OpenAndFollowAsync(client, () => failures = 0, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (TableStoreException e) when (_retry.Allows(failures + 1))
            {
                failures++;
                if (_state.Phase != SyncPhase.BackingOff) Move(SyncTrigger.Interrupted);
                await PostAsync(FeedEventKind.SocketError, e.Message, cancellationToken).ConfigureAwait(false);
                if (!await BackOffAsync(_retry.Delay(failures, null), cancellationToken).ConfigureAwait(false)) return;
            }
        }
    }

    private async Task OpenAndFollowAsync(FeedClient client, Action opened, CancellationToken cancellationToken)
    {
        await using SyncSession session = await SyncSession.OpenAsync(_options, _feed, _steps!, _counters, () => Result, _time, cancellationToken).ConfigureAwait(false);
        opened();
        _table = session.Target.State.Name;
        _context = session.CreateContext(_start, (kind, message) => PostAsync(kind, message, cancellationToken), () =>
        {
            if (_state.Phase == SyncPhase.Snapshot) Move(SyncTrigger.SnapshotCompleted);
        });
        RunningSyncs.Add(this);
        try
        {
            await CatchUpWithStoreAsync(session.Target.State, cancellationToken).ConfigureAwait(false);
            await FollowAsync(client, session.Target.State, cancellationToken).ConfigureAwait(false);
            var last = new TableCommit { Resume = session.Target.State.Resume, Feed = _feed.Display, At = _time.GetUtcNow() };
            await session.Queue.RunAsync(new CommitJob(CommitKind.Commit, last), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            RunningSyncs.Remove(this);
            _cursor = session.Target.Committed.Cursor;
            _sequence = session.Target.Committed.Sequence;
            _newestRecord = RecordTime.Of(_cursor, session.Target.Committed.Shape?.Dialect);
            _context = null;
        }
    }

    /// <summary>
    /// The table was opened again. Others may have changed it meanwhile, and a commit whose answer was lost may have succeeded: whoever follows the changes gets
    /// those first, the newest of each record (I5).
    /// </summary>
    private async Task CatchUpWithStoreAsync(TableState state, CancellationToken cancellationToken)
    {
        if (_options.Store is not { } store || !_options.WantsChanges || _sequence is not { } seen || state.Sequence <= seen) return;
        const int Chunk = 4096;
        using IRecordScan scan = store.Get(state.Name).Read(new RecordQuery { Since = seen });
        for (var changes = new List<TableChange>(); ; changes = [])
        {
            while (changes.Count < Chunk && scan.Read()) changes.Add(new TableChange(scan.KindSince(seen), scan.Key, scan.Sequence, scan.Json.ToArray()));
            if (changes.Count == 0) return;
            await _steps!.ExchangeAsync(new ChangesCommitted(changes, [], Result), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The loop: connect, read, and again until there is nothing more to want.</summary>
    private async Task FollowAsync(FeedClient client, TableState state, CancellationToken cancellationToken)
    {
        ConnectionPlan plan = _plan ??= new ConnectionPlan(_options, state);
        plan.Interrupted(state);
        int failures = 0, refusals = 0;
        if (_options.AsksForToken) await AskForCredentialsAsync(client, null, cancellationToken).ConfigureAwait(false);
        while (true)
        {
            TimeSpan? retryAfter = null;
            long before = _counters.Changes, beatsBefore = _counters.Heartbeats;
            try
            {
                BodyOutcome outcome = await ConnectAsync(client, plan, cancellationToken).ConfigureAwait(false);
                if (outcome == BodyOutcome.AnotherFeed)
                {
                    GuardResyncs(plan.Resyncs);
                    continue;
                }

                refusals = failures = 0;
                if (outcome == BodyOutcome.GoOn) continue;
                if (outcome == BodyOutcome.Done) return;
            }
            catch (FeedStatusException e) when (e.AsksForResync)
            {
                GuardResyncs(plan.Resyncs + 1);
                await PostStatusAsync(e, cancellationToken).ConfigureAwait(false);
                await PostAsync(FeedEventKind.Resync, "The feed cannot go on from the cursor; the whole set is fetched anew.", cancellationToken).ConfigureAwait(false);
                plan.Resync(isAnotherFeed: false);
                continue;
            }
            catch (FeedStatusException e) when (!e.IsTransient)
            {
                await PostStatusAsync(e, cancellationToken).ConfigureAwait(false);
                if (++refusals > MostRefusals || !await AskForCredentialsAsync(client, e, cancellationToken).ConfigureAwait(false)) throw;
                continue;
            }
            catch (FeedException e) when (e.IsTransient)
            {
                await PostFailureAsync(e, cancellationToken).ConfigureAwait(false);
                plan.Interrupted(_context!.Target.State);
                Move(SyncTrigger.Interrupted);
                retryAfter = (e as FeedStatusException)?.RetryAfter;
                // A connection that brought nothing but what was known is one more that failed.
                failures = _counters.Changes > before || _counters.Heartbeats > beatsBefore ? 1 : failures + 1;
                if (!_retry.Allows(failures)) throw;
            }

            if (_state.Phase != SyncPhase.BackingOff) Move(SyncTrigger.Interrupted);
            bool broughtNews = _counters.Changes > before;
            TimeSpan wait = retryAfter is null && broughtNews ? TimeSpan.Zero : _retry.Delay(Math.Max(1, failures), retryAfter);
            if (!await BackOffAsync(wait, cancellationToken).ConfigureAwait(false)) return;
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

        /// <summary>The feed is another one than the table has known: begin anew.</summary>
        AnotherFeed,
    }

    private async Task<BodyOutcome> ConnectAsync(FeedClient client, ConnectionPlan plan, CancellationToken cancellationToken)
    {
        if (_state.Phase == SyncPhase.BackingOff) Move(SyncTrigger.WaitElapsed);
        TableState state = _context!.Target.State;
        plan.CheckHorizon(state);
        if (await OpenAsync(client, plan, state, cancellationToken).ConfigureAwait(false) is not { } opened)
        {
            _endReason = SyncEndReason.TimeElapsed;
            return BodyOutcome.Done;
        }

        await using FeedBody body = opened;
        await PostConnectedAsync(client, body, cancellationToken).ConfigureAwait(false);
        if (plan.MeetsAnotherFeed(state, body))
        {
            await PostAsync(FeedEventKind.Resync, "The feed is another one than the table has known; the whole set is fetched anew.", cancellationToken).ConfigureAwait(false);
            plan.Resync(isAnotherFeed: true);
            return BodyOutcome.AnotherFeed;
        }

        BodySource source = plan.Describe(client, body, state);
        _contentLength = body.ContentLength;
        _bodyStartBytes = _counters.Bytes;
        _expected = body.ExpectedRecords ?? _expected;
        _counters.Connections++;
        Move(source.IsStaged || source.IsRedirected ? SyncTrigger.SnapshotBegan : SyncTrigger.Connected);
        var reader = new BodyReader(_context, source);
        BodyEnd end;
        try
        {
            end = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (reader.HasCommitted) plan.MovedOn(reader.IsCaughtUp);
        }
        catch (Exception e)
        {
            // Of what was handed over when the store was lost, only what it is known to have kept counts.
            TableState kept = _context.Target.Committed;
            bool isLost = e is TableStoreException;
            if (isLost ? kept != state : reader.HasCommitted) plan.MovedOn(isLost ? kept.LastSync != state.LastSync : reader.IsCaughtUp);
            throw;
        }

        plan.Ended(source, reader.SetIsComplete, _context.Target.State);
        _contentLength = null;

        switch (end)
        {
            case BodyEnd.CaughtUp:
                _endReason = SyncEndReason.CaughtUp;
                return BodyOutcome.Done;
            case BodyEnd.Settled:
                _endReason = SyncEndReason.Settled;
                return BodyOutcome.Done;
            case BodyEnd.TimeElapsed:
                _endReason = SyncEndReason.TimeElapsed;
                return BodyOutcome.Done;
        }

        await PostAsync(FeedEventKind.Disconnect, "The body ended.", cancellationToken).ConfigureAwait(false);
        if (source.IsRedirected && reader.SetIsComplete)
        {
            Move(SyncTrigger.Interrupted);
            return BodyOutcome.GoOn;
        }

        _endReason = SyncEndReason.EndOfFeed;
        return _context.StopsWhenCaughtUp ? BodyOutcome.Done : BodyOutcome.Again;
    }

    /// <summary>Asks the feed, no longer than the time to follow; null when that is over.</summary>
    private async Task<FeedBody?> OpenAsync(FeedClient client, ConnectionPlan plan, TableState state, CancellationToken cancellationToken)
    {
        if (_options.FollowFor is not { } limit) return await client.OpenAsync(plan.RequestCursor, plan.UpdatesOnly, plan.IdentityToSend(state), cancellationToken).ConfigureAwait(false);

        TimeSpan left = limit - _time.GetElapsedTime(_start);
        if (left <= TimeSpan.Zero) return null;
        using var deadline = new CancellationTokenSource(left < client.ConnectionTimeout || client.ConnectionTimeout < TimeSpan.Zero ? left : Timeout.InfiniteTimeSpan, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
        try
        {
            return await client.OpenAsync(plan.RequestCursor, plan.UpdatesOnly, plan.IdentityToSend(state), both.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private async Task<bool> BackOffAsync(TimeSpan wait, CancellationToken cancellationToken)
    {
        if (_options.FollowFor is { } deadline)
        {
            TimeSpan left = deadline - _time.GetElapsedTime(_start);
            if (left <= wait)
            {
                if (left > TimeSpan.Zero) await Task.Delay(left, _time, cancellationToken).ConfigureAwait(false);
                _endReason = SyncEndReason.TimeElapsed;
                return false;
            }
        }

        if (wait > TimeSpan.Zero)
        {
            await PostAsync(FeedEventKind.Retry, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"The next attempt is in {wait.TotalSeconds:0.0} s."), cancellationToken).ConfigureAwait(false);
            await Task.Delay(wait, _time, cancellationToken).ConfigureAwait(false);
        }

        return true;
    }

    private async Task<bool> AskForCredentialsAsync(FeedClient client, FeedStatusException? error, CancellationToken cancellationToken)
    {
        var question = new CredentialsNeeded(error);
        await _steps!.ExchangeAsync(question, cancellationToken).ConfigureAwait(false);
        if (!question.IsAnswered) return false;
        client.Replace(question.NewUri, question.NewToken);
        return true;
    }

    private void GuardResyncs(int resyncs)
    {
        if (resyncs > MostResyncs) throw new ResyncLoopException(_feed, resyncs);
    }

    private async Task PostConnectedAsync(FeedClient client, FeedBody body, CancellationToken cancellationToken)
    {
        await PostAsync(FeedEventKind.Connect, $"Connected to {client.Uri.Display}.", cancellationToken).ConfigureAwait(false);
        if (body.InstanceName is { } instance) await PostAsync(FeedEventKind.InstanceName, instance, cancellationToken).ConfigureAwait(false);
        if (body.ExpectedRecords is { } count) await PostAsync(FeedEventKind.Count, count.ToString(System.Globalization.CultureInfo.InvariantCulture), cancellationToken).ConfigureAwait(false);
    }

    private Task PostStatusAsync(FeedStatusException e, CancellationToken cancellationToken)
    {
        FeedEventKind kind = (int)e.Status switch { >= 500 => FeedEventKind.ServerError, >= 400 => FeedEventKind.ClientError, _ => FeedEventKind.OtherStatus };
        return PostAsync(kind, e.Message, cancellationToken);
    }

    private Task PostFailureAsync(FeedException e, CancellationToken cancellationToken) => e switch
    {
        FeedStatusException status => PostStatusAsync(status, cancellationToken),
        FeedUnreachableException => PostAsync(FeedEventKind.SocketError, e.Message, cancellationToken),
        _ => PostAsync(FeedEventKind.Close, e.Message, cancellationToken),
    };

    private async Task PostAsync(FeedEventKind kind, string message, CancellationToken cancellationToken) =>
        await _steps!.PostAsync(new FeedEventOccurred(new FeedEvent(kind, _time.GetUtcNow(), message)), cancellationToken).ConfigureAwait(false);

    private void Move(SyncTrigger trigger) => _state = _state.Next(trigger);
}
