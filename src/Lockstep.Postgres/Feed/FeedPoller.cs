using Lockstep.Engine.Serving;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// The one reader of a table's changes, however many clients follow: looks whenever it is woken or the interval has passed, and appends
/// what the previous snapshot did not show. It never gives up: after an error it comes back, and goes on from the snapshot that it has.
/// </summary>
internal sealed class FeedPoller(
    NpgsqlDataSource source,
    FeedDatabase database,
    LiveLog<PgSnapshot> log,
    PostgresFeedOptions options,
    FeedMetrics metrics,
    TimeProvider time
)
{
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(10);
    private readonly TaskCompletionSource _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Exception? _error;
    private volatile FeedStamp? _last;
    private string? _listeningFor;
    private readonly SentRows _sent = new();
    private volatile bool _woken;
    private bool _quiet;
    private TimeSpan _pause = options.PollInterval / 64;

    /// <summary>Done when the first look has ended, in success or not.</summary>
    public Task Seen => _seen.Task;

    /// <summary>What the last look that succeeded saw; null before the first one.</summary>
    public FeedStamp? Last => _last;

    /// <summary>What the last look failed of; null when it did not.</summary>
    public Exception? Error => _error;

    private int RowLimit => (int)Math.Min(options.LiveBytes / 64, 200_000);

    /// <summary>Runs until it is cancelled; throws nothing else.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var hasPolled = false;
        for (var failures = 0; !cancellationToken.IsCancellationRequested; )
        {
            try
            {
                var connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
                await using (connection.ConfigureAwait(false))
                {
                    _listeningFor = null;
                    connection.Notification += OnNotification;
                    try
                    {
                        while (true)
                        {
                            var stamp = await PollAsync(connection, cancellationToken).ConfigureAwait(false);
                            hasPolled = true;
                            failures = 0;
                            if (await ListenAsync(connection, stamp, cancellationToken).ConfigureAwait(false))
                                continue;
                            await WaitAsync(connection, cancellationToken).ConfigureAwait(false);
                        }
                    }
                    finally
                    {
                        connection.Notification -= OnNotification;
                    }
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // Whatever it was, it is kept for whoever asks, and the next look may succeed.
            catch (Exception e)
#pragma warning restore CA1031
            {
                metrics.PollFailed();
                PostgresLog.LookFailed(options.Logger, options.Table, e);
                failures++;
                if (hasPolled && failures == 1)
                {
                    // A connection that has just worked may have been closed, or timed out on a busy machine: a new one mostly helps, and
                    // no client need know.
                    continue;
                }

                var error = PostgresErrors.Translate(e, options.Table.ToString());
                if (PostgresErrors.EndsService(error) && log.End is { } end)
                    log.Restart("none", end);
                _error = error;
                _seen.TrySetResult();
            }

            var backoff = TimeSpan.FromMilliseconds(100 * Math.Pow(2, Math.Min(failures, 10)) * (0.5 + (Random.Shared.NextDouble() / 2)));
            try
            {
                await Task.Delay(backoff < LongestBackoff ? backoff : LongestBackoff, time, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task<FeedStamp> PollAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        _woken = false;
        var began = time.GetTimestamp();
        var known = log.End;
        var lines = database.NewLines();
        var read = 0;
        _sent.Begin();
        var stamp = await database
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
                    if (stamp.Identity != log.Identity)
                        return;
                    while (await rows.ReadAsync(cancellationToken).ConfigureAwait(false))
                    {
                        if (lines.Bytes <= options.LiveBytes)
                            lines.Append(rows, stamp.Table.Key, stamp.Snapshot.Xmin, stamp.IsReplica ? _sent : null);
                        read++;
                    }
                },
                cancellationToken
            )
            .ConfigureAwait(false);

        metrics.Read(lines);
        _sent.End();
        var complete = read < RowLimit && lines.Bytes <= options.LiveBytes;
        metrics.Polled(stamp.Snapshot);
        metrics.PollTook(time.GetElapsedTime(began));
        Tell(stamp);
        _quiet = lines.Bytes == 0;
        if (known is null || stamp.Identity != log.Identity || !complete)
            log.Restart(stamp.Identity, stamp.Snapshot);
        else if (lines.Bytes > 0 || !stamp.Snapshot.Equals(known))
            log.Append(new LiveBatch<PgSnapshot>(known, stamp.Snapshot, lines.Take(), lines.Bytes));
        _last = stamp;
        _error = null;
        _seen.TrySetResult();
        return stamp;
    }

    /// <summary>Tells the operator what has changed since the last look.</summary>
    private void Tell(FeedStamp stamp)
    {
        var last = _last;
        if (last is not null && last.Identity != stamp.Identity && stamp.Table.Changes != ChangeSource.SnapshotsOnly)
        {
            const string Why = "its definition, its storage or the triggers that track it have changed, or another server answers";
            PostgresLog.Resync(options.Logger, options.Table, Why);
        }

        if (stamp.Table.Notice is { } notice && notice != last?.Table.Notice)
            PostgresLog.Notice(options.Logger, notice);
    }

    /// <summary>
    /// Begins to listen once the table is known to send wake-ups. What was committed before that may have gone unheard: true to look again.
    /// </summary>
    private async Task<bool> ListenAsync(NpgsqlConnection connection, FeedStamp stamp, CancellationToken cancellationToken)
    {
        var name = stamp.Table.Facts.HasWake ? stamp.Table.TrackingId : null;
        if (!options.Listen || name == _listeningFor)
            return false;
        _listeningFor = name;
        if (_listeningFor is null)
            return false;
        try
        {
            await connection.ExecuteAsync($"LISTEN {Sql.Quote(Tracking.TrackingSql.Channel)}", cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (PostgresException)
        {
            // A replica in recovery refuses LISTEN: the interval has to do.
            return false;
        }
    }

    /// <summary>
    /// Waits until there may be something new. Without notifications the server is asked whether anything at all was written: soon after
    /// there
    /// was something, and less and less often.
    /// </summary>
    private async Task WaitAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        if (_listeningFor is not null)
        {
            while (!_woken)
            {
                var left = options.PollInterval - time.GetElapsedTime(began);
                if (left <= TimeSpan.Zero || !await connection.WaitAsync(left, cancellationToken).ConfigureAwait(false))
                    return;
            }

            return;
        }

        // Where others write much, looks become rarer as they find nothing; where nobody writes, the first change is looked at soon.
        var last = _last!;
        _pause = _quiet ? Smaller(_pause * 2, options.PollInterval) : options.PollInterval / 64;
        for (var pause = _pause; ; pause = Smaller(pause * 2, options.PollInterval / 8))
        {
            var left = options.PollInterval - time.GetElapsedTime(began);
            if (left <= TimeSpan.Zero)
                return;
            await Task.Delay(Smaller(pause, left), time, cancellationToken).ConfigureAwait(false);

            // A replica does not tell that somebody committed.
            if (last.IsReplica || !(await SnapshotAsync(connection, cancellationToken).ConfigureAwait(false)).Equals(last.Snapshot))
                return;
            _pause = options.PollInterval / 64;
        }

        static TimeSpan Smaller(TimeSpan one, TimeSpan other) => one < other ? one : other;
    }

    private static async Task<PgSnapshot> SnapshotAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var found = await connection
            .QueryAsync("SELECT pg_current_snapshot()::text", [], r => PgSnapshot.Parse(r.GetString(0)), cancellationToken)
            .ConfigureAwait(false);
        return found[0];
    }

    private void OnNotification(object sender, NpgsqlNotificationEventArgs e)
    {
        if (e.Payload == _listeningFor)
            _woken = true;
    }
}
