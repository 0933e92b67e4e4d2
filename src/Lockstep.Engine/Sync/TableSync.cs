using System.Runtime.CompilerServices;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tables.Native;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Keeps a table in step with a feed. The caller pulls <see cref="RunAsync"/>: changes arrive as they are committed, events and progress as
/// they happen, and the last step is <see cref="SyncEnded"/>. To stop, stop pulling: disposing the enumerator closes the connection at once
/// and rolls back what was not committed. A slow caller slows the feed.
/// </summary>
/// <remarks>One run per object. <see cref="Result"/> may be read from any thread.</remarks>
public sealed class TableSync
{
    /// <summary>The name of the activity source for traces: an activity for each run, and within it one for each connection.</summary>
    public const string ActivitySourceName = "Lockstep.Engine";

    private readonly SyncOptions _options;
    private readonly TimeProvider _time;
    private readonly RetryPolicy _retry;
    private readonly FeedUri _feed;
    private readonly SyncStatus _status;
    private readonly StepChannel _steps;
    private readonly SyncEvents _events;

    /// <summary>Prepares a sync; opens nothing yet.</summary>
    /// <param name="options">What to sync, and how.</param>
    /// <param name="time">The clock; null for the system's.</param>
    /// <param name="random">The source of jitter; null for the shared one.</param>
    /// <exception cref="ArgumentException">The URI is not that of a feed, or the table's name is invalid.</exception>
    /// <exception cref="InvalidOptionException">An option is out of range.</exception>
    public TableSync(SyncOptions options, TimeProvider? time = null, Random? random = null)
    {
        options.Validate();
        _options = options;
        _time = time ?? TimeProvider.System;
        _feed = options.Feed.Address;
        if (options.TableName is { } name)
            TableNaming.Require(name);
        var follows = options.Follow || options.FollowFor is not null;
        _retry = new RetryPolicy(options.RetryInterval, options.MaximumRetryCount ?? (follows ? null : 0), random ?? Random.Shared);
        _status = new SyncStatus(options, _feed, _time);
        _steps = new StepChannel(_time);
        _events = new SyncEvents(_steps, options.Logger, _time);
    }

    /// <summary>What the sync has done so far.</summary>
    public SyncResult Result => _status.Result;

    /// <summary>Runs the sync, step by step, with a step at least every quarter of a second.</summary>
    /// <exception cref="LockstepException">The sync cannot continue; what was committed before is kept.</exception>
    public async IAsyncEnumerable<SyncStep> RunAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        _status.Begin();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var work = Task.Run(() => WorkAsync(stop.Token), CancellationToken.None);
        try
        {
            await foreach (var step in _steps.ReadAsync(() => new SyncProgress(Result), cancellationToken).ConfigureAwait(false))
                yield return step;
            await work.ConfigureAwait(false);
            yield return new SyncEnded(Result);
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            // Any error has already come out of the channel; this only waits for the end, so that file and socket are released.
            await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task WorkAsync(CancellationToken cancellationToken)
    {
        using var run = SyncActivity.Run(_feed);
        Exception? error = null;
        try
        {
            await KeepOpenAsync(cancellationToken).ConfigureAwait(false);
            _status.Move(SyncTrigger.Finished);
            _steps.Complete(null);
        }
        catch (Exception e)
        {
            // An interrupted commit may be the first to report it.
            var stopped =
                cancellationToken.IsCancellationRequested
                && e is OperationCanceledException or Microsoft.Data.Sqlite.SqliteException { SqliteErrorCode: NativeSqlite.Interrupt };
            if (stopped)
                _status.EndsFor(SyncEndReason.Stopped);
            else
                _status.FailsFor(e);
            _status.Move(stopped ? SyncTrigger.Finished : SyncTrigger.GaveUp);
            error = stopped ? null : e;
            _steps.Complete(stopped ? new OperationCanceledException(cancellationToken) : e);
        }
        finally
        {
            _status.End();
            if (error is null)
                SyncLog.Ended(_options.Logger, Result);
            else
                SyncLog.Failed(_options.Logger, Result, error);
            SyncActivity.Ended(run, Result, error);
        }
    }

    /// <summary>
    /// The outer loop: opens the table, and reopens it after its store was lost or another sync took it over. What was committed is kept,
    /// so the feed is asked to continue from there.
    /// </summary>
    private async Task KeepOpenAsync(CancellationToken cancellationToken)
    {
        using var client = new FeedClient(_options.Feed, _time);
        var pacer = new RequestPacer(_options, _status, _events, _time);
        var follower = new FeedFollower(_options, _feed, client, _status, _steps, _events, _retry, pacer, _time);
        for (var failures = 0; ; )
        {
            try
            {
                await OpenAndFollowAsync(follower, () => failures = 0, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (TableStoreException e) when (_retry.Allows(failures + 1))
            {
                failures++;
                if (_status.Phase != SyncPhase.BackingOff)
                    _status.Move(SyncTrigger.Interrupted);
                await _events.PostAsync(FeedEventKind.SocketError, e.Message, cancellationToken).ConfigureAwait(false);
                if (!await pacer.BackOffAsync(_retry.Delay(failures, null), cancellationToken).ConfigureAwait(false))
                    return;
            }
        }
    }

    private async Task OpenAndFollowAsync(FeedFollower follower, Action opened, CancellationToken cancellationToken)
    {
        await using var session = await SyncSession
            .OpenAsync(_options, _feed, _steps, _status.Counters, () => Result, _time, cancellationToken)
            .ConfigureAwait(false);
        opened();
        var context = session.CreateContext(
            _status.Start,
            (kind, message, remedy) => _events.PostAsync(kind, message, cancellationToken, remedy),
            () =>
            {
                if (_status.Phase == SyncPhase.Snapshot)
                    _status.Move(SyncTrigger.SnapshotCompleted);
            }
        );
        var seen = _status.Sequence;
        _status.TableOpened(context);
        SyncLog.Opened(
            _options.Logger,
            session.Target.State.Name,
            _options.Store.Description,
            _feed.Display,
            session.Target.State.Cursor.Display
        );
        RunningSyncs.Add(this);
        try
        {
            if (_options.SweepLimit is { } limit && limit != session.Target.State.SweepLimit)
            {
                var kept = new TableCommit { Resume = session.Target.State.Resume, SweepLimit = limit };
                await session.Queue.RunAsync(new CommitJob(CommitKind.Commit, kept), cancellationToken).ConfigureAwait(false);
            }

            await CatchUpWithStoreAsync(session.Target.State, seen, cancellationToken).ConfigureAwait(false);
            await follower.FollowAsync(context, cancellationToken).ConfigureAwait(false);
            if (_status.IsIncomplete && !context.HasToldOfMore)
                await _events.PostIncompleteAsync(cancellationToken).ConfigureAwait(false);
            var state = session.Target.State;
            var last = new TableCommit
            {
                Resume = state.Resume,
                Feed = _feed.Display,
                Asked = context.AskedSoFar,
                FeedEnding = context.FeedEnding,
                // A first load that ran out of time, or lacks records, has not ended: whoever relies on the whole set must wait.
                At =
                    state.LastSync is null && (_status.EndReason == SyncEndReason.TimeElapsed || _status.LacksRecords)
                        ? null
                        : _time.GetUtcNow(),
                IsIncomplete = !_status.IsComplete,
            };
            await session.Queue.RunAsync(new CommitJob(CommitKind.Commit, last), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            RunningSyncs.Remove(this);
            _status.TableClosing();
        }
    }

    /// <summary>
    /// The table was reopened. Others may have changed it meanwhile, and a commit whose answer was lost may have succeeded: followers of
    /// the changes get those first, the newest of each record (I5).
    /// </summary>
    /// <param name="state">The table as it is now.</param>
    /// <param name="sequence">The sequence up to which they have the changes; null the first time.</param>
    /// <param name="cancellationToken">Gives up.</param>
    private async Task CatchUpWithStoreAsync(TableState state, long? sequence, CancellationToken cancellationToken)
    {
        if (!_options.WantsChanges || sequence is not { } seen || state.Sequence <= seen)
            return;
        const int Chunk = 4096;
        using var scan = _options.Store.Get(state.Name).Read(new RecordQuery { Since = seen });
        for (var changes = new List<TableChange>(); ; changes = [])
        {
            while (changes.Count < Chunk && scan.Read())
                changes.Add(new TableChange(scan.KindSince(seen), scan.Key, scan.Sequence, scan.Json.ToArray()));
            if (changes.Count == 0)
                return;
            await _steps.ExchangeAsync(new ChangesCommitted(changes, [], Result), cancellationToken).ConfigureAwait(false);
        }
    }
}
