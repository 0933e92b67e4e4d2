using Lockstep.Engine.Serving;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// The only reader of a table's changes, however many clients follow: it polls when it is woken or the interval has passed, and appends
/// what the previous snapshot did not show. It never gives up: after an error it retries, from the snapshot it last saw. While nobody
/// follows it does not poll.
/// </summary>
internal sealed class FeedPoller : IDisposable
{
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(10);

    /// <summary>A poll slower than this must not hold up those of other tables.</summary>
    private static readonly TimeSpan LongLook = TimeSpan.FromMilliseconds(100);

    /// <summary>How long a table goes without a poll if nothing is committed in the whole database.</summary>
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(10);

    private readonly DatabasePool _pool;
    private readonly FeedDatabase _database;
    private readonly LiveLog<PgSnapshot> _log;
    private readonly PostgresFeedOptions _options;
    private readonly FeedMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly TaskCompletionSource _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SentRows _sent = new();
    private readonly Signal _stir = new();
    private volatile Exception? _error;
    private volatile FeedStamp? _last;
    private WakeSubscription? _wakes;
    private volatile bool _woken;
    private bool _quiet;
    private bool _hasSlept;
    private bool _isLong;
    private long _looked;
    private long _lockedSince;
    private TimeSpan _took;
    private TimeSpan _pause;

    public FeedPoller(
        DatabasePool pool,
        FeedDatabase database,
        LiveLog<PgSnapshot> log,
        PostgresFeedOptions options,
        FeedMetrics metrics,
        TimeProvider time
    )
    {
        (_pool, _database, _log, _options, _metrics, _time) = (pool, database, log, options, metrics, time);
        _pause = options.PollInterval / 64;
        Audience = new Audience(_stir);
        View = new ViewReader(database, log, options, metrics, _stir, time);
    }

    public Audience Audience { get; }

    /// <summary>Compares the rows of a view without tombstones.</summary>
    public ViewReader View { get; }

    /// <summary>Completes when the first poll has ended, whether or not it succeeded.</summary>
    public Task Seen => _seen.Task;

    /// <summary>What the last successful poll saw; null before the first.</summary>
    public FeedStamp? Last => _last;

    /// <summary>Whether <see cref="Last"/> is no longer kept up to date, because nobody follows.</summary>
    public bool IsStale => Audience.IsEmpty && _time.GetElapsedTime(Volatile.Read(ref _looked)) > _options.PollInterval;

    /// <summary>The error of the last poll; null if it succeeded.</summary>
    public Exception? Error => _error;

    private int RowLimit => (int)Math.Min(_options.LiveBytes / 64, 200_000);

    private bool IsView => _last?.Table.Changes == ChangeSource.SnapshotsOnly;

    /// <summary>Records a successful poll; while nobody follows, it may be another reader's. Thread-safe.</summary>
    public void Saw(FeedStamp stamp)
    {
        Tell(stamp, Interlocked.Exchange(ref _last, stamp));
        Volatile.Write(ref _looked, _time.GetTimestamp());
    }

    public void Dispose() => _wakes?.Dispose();

    /// <summary>Runs until cancelled; throws nothing else.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var hasPolled = false;
        try
        {
            for (var failures = 0; ; )
            {
                try
                {
                    await LookAsync(cancellationToken).ConfigureAwait(false);
                    (hasPolled, failures, _lockedSince) = (true, 0, 0);
                    await WaitAsync(cancellationToken).ConfigureAwait(false);
                    continue;
                }
                catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable && hasPolled && MayWait())
                {
                    // Somebody is altering the table or has locked it; until that is over, what is served stays the same.
                    await Task.Delay(_options.PollInterval / 4, _time, cancellationToken).ConfigureAwait(false);
                    continue;
                }
#pragma warning disable CA1031 // Any error is kept in Error, and the next poll may succeed.
                catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
                {
                    _metrics.PollFailed();
                    PostgresLog.LookFailed(_options.Logger, _options.Table, e);
                    failures++;
                    if (hasPolled && failures == 1)
                    {
                        // A connection that has just worked may have been closed, or timed out on a busy machine: a new one usually helps,
                        // and clients need not notice.
                        continue;
                    }

                    var error = PostgresErrors.Translate(e, _options.Table.ToString(), _pool.Source);
                    if (PostgresErrors.EndsService(error) && _log.End is { } end)
                        _log.Restart("none", end);
                    _error = error;
                    _seen.TrySetResult();
                    View.Failed(error);
                }

                var backoff = TimeSpan.FromMilliseconds(
                    100 * Math.Pow(2, Math.Min(failures, 10)) * (0.5 + (Random.Shared.NextDouble() / 2))
                );
                await Task.Delay(backoff < LongestBackoff ? backoff : LongestBackoff, _time, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            View.Close();
        }
    }

    private bool MayWait()
    {
        if (_lockedSince == 0)
            _lockedSince = _time.GetTimestamp();
        return _time.GetElapsedTime(_lockedSince) < _options.Patience;
    }

    /// <summary>Polls the table when it is its turn.</summary>
    private async Task LookAsync(CancellationToken cancellationToken)
    {
        _woken = false;
        var wasView = IsView;
        var stamp = await _pool
            .InTurnAsync(_isLong ? _pool.LongLooks : _pool.Looks, (c, token) => LookAsync(c, wasView, token), cancellationToken)
            .ConfigureAwait(false);
        if (!wasView && stamp.Table.Changes == ChangeSource.SnapshotsOnly)
        {
            stamp = await _pool
                .InTurnAsync(_pool.LongLooks, (c, token) => LookAsync(c, isView: true, token), cancellationToken)
                .ConfigureAwait(false);
        }

        Saw(stamp);
        _metrics.Polled(stamp.Snapshot);
        _error = null;
        _seen.TrySetResult();
        Listen(stamp);
    }

    private async Task<FeedStamp> LookAsync(NpgsqlConnection connection, bool isView, CancellationToken cancellationToken)
    {
        var began = _time.GetTimestamp();
        var stamp = isView
            ? await View.LookAsync(connection, cancellationToken).ConfigureAwait(false)
            : await PollAsync(connection, cancellationToken).ConfigureAwait(false);
        _took = _time.GetElapsedTime(began);
        _isLong = _took > LongLook;
        _metrics.PollTook(_took);
        return stamp;
    }

    private async Task<FeedStamp> PollAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var known = _hasSlept ? null : _log.End;
        var lines = _database.NewLines();
        var read = 0;
        _sent.Begin();
        var stamp = await _database
            .ReadAsync(
                connection,
                table =>
                    known is null || table.Changes == ChangeSource.SnapshotsOnly
                        ? null
                        : new FeedQuery(
                            FeedSql.Changes(table, new ChangeRange(known.InProgress.Length > 0, After: false)),
                            known.Xmax,
                            known.InProgressArray,
                            RowLimit
                        ),
                async (stamp, rows) =>
                {
                    if (stamp.Identity != _log.Identity)
                        return;
                    while (await rows.ReadAsync(cancellationToken).ConfigureAwait(false))
                    {
                        if (lines.Bytes <= _options.LiveBytes)
                            lines.Append(rows, stamp.Table.Key, stamp.Snapshot.Xmin, stamp.IsReplica ? _sent : null);
                        read++;
                    }
                },
                cancellationToken
            )
            .ConfigureAwait(false);

        _metrics.Read(lines);
        _sent.End();
        if (stamp.Table.Changes == ChangeSource.SnapshotsOnly)
            return stamp;
        _hasSlept = false;
        var complete = read < RowLimit && lines.Bytes <= _options.LiveBytes;
        _quiet = lines.Bytes == 0;

        // Tombstones that this poller has not seen were cleared meanwhile, so followers have to check their cursors and start over.
        var misses = known?.ShowsAllBelow(stamp.Floor) == false;
        if (known is null || stamp.Identity != _log.Identity || !complete || misses)
            _log.Restart(stamp.Identity, stamp.Snapshot);
        else if (lines.Bytes > 0 || !stamp.Snapshot.Equals(known))
            _log.Append(new LiveBatch<PgSnapshot>(known, stamp.Snapshot, lines.Take(), lines.Bytes));
        return stamp;
    }

    /// <summary>Tells the operator what has changed since the last poll.</summary>
    private void Tell(FeedStamp stamp, FeedStamp? last)
    {
        var isOther =
            last is not null
            && last.Identity != stamp.Identity
            && !stamp.Table.Earlier.Any(f => FeedIdentity.With(stamp.Identity, f) == last.Identity);
        if (isOther && last!.Table.Changes != ChangeSource.SnapshotsOnly)
        {
            const string Why = "its definition, its storage or the triggers that track it have changed, or another server answers";
            PostgresLog.Resync(_options.Logger, _options.Table, Why);
        }

        if (stamp.Table.Notice is { } notice && notice != last?.Table.Notice)
            PostgresLog.Notice(_options.Logger, notice);
    }

    /// <summary>
    /// Requests notifications once the table is known to send them. Commits before the subscription took effect may have gone unnoticed, so
    /// its start wakes the poller too.
    /// </summary>
    private void Listen(FeedStamp stamp)
    {
        var name = _options.Listen && stamp.Table.Facts.HasWake && !Audience.IsEmpty ? stamp.Table.TrackingId : null;
        if (name == _wakes?.Name)
            return;
        _wakes?.Dispose();
        _wakes = name is null
            ? null
            : _pool.Wakes.Subscribe(
                name,
                () =>
                {
                    _woken = true;
                    _stir.Raise();
                }
            );
        _woken |= _wakes is { IsHeard: true };
    }

    /// <summary>Waits until somebody follows and there may be something new.</summary>
    private async Task WaitAsync(CancellationToken cancellationToken)
    {
        var began = _time.GetTimestamp();
        if (Audience.IsEmpty)
        {
            await SleepAsync(cancellationToken).ConfigureAwait(false);
            return;
        }

        if (IsView)
        {
            // After a poll, the server is left alone for at least as long as the poll took.
            var pause = Larger(_options.PollInterval, _took) - _time.GetElapsedTime(began);
            await StirredAsync(() => View.IsAsked, pause, cancellationToken).ConfigureAwait(false);
        }
        else if (_wakes is { IsHeard: true })
        {
            await StirredAsync(() => _woken, _options.PollInterval, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await CommittedAsync(began, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Waits for a client. The log is dropped meanwhile; a new client reads its contents from the database.</summary>
    private async Task SleepAsync(CancellationToken cancellationToken)
    {
        _wakes?.Dispose();
        _wakes = null;
        _metrics.Paused();
        if (_log is { Identity: { } identity, End: { } end })
            _log.Restart(identity, end);
        while (Audience.IsEmpty)
        {
            var stirred = _stir.Next;
            if (Audience.IsEmpty)
                await stirred.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        (_pause, _hasSlept) = (_options.PollInterval / 64, true);
    }

    /// <summary>Waits for a reason to poll, at most for the pause and only while there are clients.</summary>
    private async Task StirredAsync(Func<bool> reason, TimeSpan pause, CancellationToken cancellationToken)
    {
        for (var began = _time.GetTimestamp(); ; )
        {
            var stirred = _stir.Next;
            var left = pause - _time.GetElapsedTime(began);
            if (reason() || Audience.IsEmpty || left <= TimeSpan.Zero)
                return;
            try
            {
                await stirred.WaitAsync(left, _time, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                return;
            }
        }
    }

    /// <summary>
    /// Without notifications, asks the server whether anything at all was committed: soon after a change was found, then less and less
    /// often.
    /// </summary>
    private async Task CommittedAsync(long began, CancellationToken cancellationToken)
    {
        // If others write a lot, polls that find nothing become rarer; if nobody writes, the first change is found soon.
        var last = _last!;
        _pause = _quiet ? Smaller(_pause * 2, _options.PollInterval) : _options.PollInterval / 64;

        // A replica does not reveal that somebody committed.
        var end = last.IsReplica ? _options.PollInterval : Larger(_options.PollInterval, LongestSilence);
        for (var pause = _pause; ; pause = Smaller(pause * 2, _options.PollInterval / 8))
        {
            var left = end - _time.GetElapsedTime(began);
            if (left <= TimeSpan.Zero || Audience.IsEmpty || _woken)
                return;
            await StirredAsync(() => _woken, Smaller(pause, left), cancellationToken).ConfigureAwait(false);
            if (last.IsReplica)
                return;
            var now = await _pool.Commits.LookAsync(began, pause / 2, cancellationToken).ConfigureAwait(false);
            if (!now.Equals(last.Snapshot))
                return;
            _pause = _options.PollInterval / 64;
        }
    }

    private static TimeSpan Smaller(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static TimeSpan Larger(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
