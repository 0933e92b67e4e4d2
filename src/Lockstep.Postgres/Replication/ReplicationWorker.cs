using System.Security.Cryptography;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;
using Npgsql;
using Npgsql.Replication;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// Keeps the change log filled, for as long as the feed lives: sets up what is missing, streams, and begins again after an error where the
/// log ends, or with a new slot where that cannot be.
/// </summary>
internal sealed class ReplicationWorker(
    string connectionString,
    NpgsqlDataSource source,
    FeedDatabase database,
    ChangeLog log,
    LiveLog<CommitPosition> live,
    PostgresFeedOptions options,
    FeedMetrics metrics,
    TimeProvider time
)
{
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(20);
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Exception? _error = new FeedUnavailableException("The feed has just been started.", TimeSpan.FromSeconds(1));
    private volatile SlotWatcher? _watcher;
    private int _lookWanted;
    private bool _streams;

    /// <summary>Done when the stream has begun, or cannot begin until somebody does something about it.</summary>
    public Task Ready => _ready.Task;

    /// <summary>Why nothing is streamed; null while something is.</summary>
    public Exception? Error => _error;

    /// <summary>The slot, when it was last looked at.</summary>
    public PostgresSlotState? Slot => _watcher?.State;

    /// <summary>Raised when the log, or whether there is an error, may have changed.</summary>
    public Signal Moved { get; } = new();

    /// <summary>Raised when a look at the table is wanted.</summary>
    public Signal Attention { get; } = new();

    /// <summary>Has the stream's loop look at the table soon: it may have been altered.</summary>
    public void WantLook()
    {
        Interlocked.Exchange(ref _lookWanted, 1);
        Attention.Raise();
    }

    /// <summary>Whether a look is wanted; the caller takes it on.</summary>
    public bool TakeLook() => Interlocked.Exchange(ref _lookWanted, 0) == 1;

    /// <summary>Runs until it is cancelled; throws nothing else.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        for (var failures = 0; !cancellationToken.IsCancellationRequested; )
        {
            try
            {
                await RunOnceAsync(cancellationToken).ConfigureAwait(false);
                failures = 0;
                continue;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // Whatever it was, it is kept for whoever asks, and the next try may succeed.
            catch (Exception e)
#pragma warning restore CA1031
            {
                metrics.PollFailed();
                PostgresLog.LookFailed(options.Logger, options.Table, e);
                log.Rollback();
                var error = PostgresErrors.Translate(e, options.Table.ToString());
                var isOver = PostgresErrors.EndsService(error);
                if (isOver)
                    live.Restart("none", new CommitPosition(0));
                if (!_streams || isOver || e is PostgresTableException)
                    Fail(error);

                // A connection that has just worked mostly works again, and no client need know.
                failures = _streams && !isOver ? 1 : failures + 1;
                _streams = false;
            }

            var backoff = TimeSpan.FromMilliseconds(
                100 * Math.Pow(2, Math.Min(failures - 1, 10)) * (0.5 + (Random.Shared.NextDouble() / 2))
            );
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

    private void Fail(Exception error)
    {
        _error = error;
        _ready.TrySetResult();
        Moved.Raise();
    }

    /// <summary>
    /// Streams from one connection until it breaks, or until the slot has to be given up, which it does before it returns.
    /// </summary>
    private async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        var connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var names = await ReplicationSetup.CheckAsync(connection, options, cancellationToken).ConfigureAwait(false);
            using var session = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var watcher = _watcher = new SlotWatcher(source, names.Slot, options, metrics, time);
            long? excess = null;
            var watching = WatchAsync();
            try
            {
                await StreamAsync(connection, names, session.Token).ConfigureAwait(false);
                return;
            }
            catch (Exception) when (session.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                // The watcher's doing; it is handled below.
            }
            finally
            {
                await session.CancelAsync().ConfigureAwait(false);
                await watching.ConfigureAwait(false);
            }

            await GiveUpSlotAsync(names.Slot, excess ?? 0, cancellationToken).ConfigureAwait(false);

            async Task WatchAsync()
            {
                excess = await watcher.RunAsync(WantLook, session.Token).ConfigureAwait(false);
                if (excess is not null)
                    await session.CancelAsync().ConfigureAwait(false);
            }
        }
    }

    private async Task StreamAsync(NpgsqlConnection connection, ReplicationNames names, CancellationToken cancellationToken)
    {
        var stream = new LogicalReplicationConnection(PostgresConnection.ForStream(connectionString));
        await using (stream.ConfigureAwait(false))
        {
            await stream.Open(cancellationToken).ConfigureAwait(false);
            var stamp = await PrepareAsync(connection, stream, names, cancellationToken).ConfigureAwait(false);
            var session = new StreamSession(this, connection, stream, names, database, log, live, options, metrics, time);
            session.Begin(stamp);
            _error = null;
            _streams = true;
            _ready.TrySetResult();
            Moved.Raise();
            await session.RunAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Finds the slot at which the log goes on, or makes one and begins the log again.</summary>
    private async Task<FeedStamp> PrepareAsync(
        NpgsqlConnection connection,
        LogicalReplicationConnection stream,
        ReplicationNames names,
        CancellationToken cancellationToken
    )
    {
        var stamp = await database.LookAsync(connection, cancellationToken).ConfigureAwait(false);
        var published = await ReplicationSetup
            .EnsurePublicationAsync(connection, names, stamp.Table, cancellationToken)
            .ConfigureAwait(false);
        var slot = await ReplicationSetup.FindSlotAsync(connection, names.Slot, cancellationToken).ConfigureAwait(false);
        var since = time.GetTimestamp();
        for (
            ;
            slot?.ActivePid is not null;
            slot = await ReplicationSetup.FindSlotAsync(connection, names.Slot, cancellationToken).ConfigureAwait(false)
        )
        {
            // A process that was cut off keeps it until the server has missed it.
            if (time.GetElapsedTime(since) > options.Patience)
                throw ReplicationSetup.InUse(names.Slot);
            await Task.Delay(Moment * 5, time, cancellationToken).ConfigureAwait(false);
        }

        var end = await connection
            .QueryAsync("SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint", [], r => r.GetInt64(0), cancellationToken)
            .ConfigureAwait(false);
        if (WhyStartOver(names, slot, published, stamp, end[0]) is not { } why)
            return stamp;
        if (slot is not null)
        {
            if (!names.OwnsSlot && log.Slot != names.Slot)
            {
                throw new PostgresReplicationException(
                    $"There is a replication slot {names.Slot}, which is not that of the log {options.Replication!.LogPath}.",
                    $"Name another slot, or drop that one if nobody needs it: SELECT pg_drop_replication_slot('{names.Slot}')"
                );
            }

            await ReplicationSetup.DropSlotAsync(connection, names.Slot, cancellationToken).ConfigureAwait(false);
        }

        if (why.Length > 0)
            PostgresLog.Resync(options.Logger, options.Table, why);
        Forget(names.Slot);
        _error = new FeedUnavailableException(
            $"The replication slot for {options.Table} is being made: PostgreSQL waits for the transactions that are open to end.",
            TimeSpan.FromSeconds(1)
        );
        Moved.Raise();
        return await MakeSlotAsync(connection, stream, names, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Null when the log can go on; empty when there is nothing to go on from.</summary>
    private string? WhyStartOver(ReplicationNames names, ServerSlot? slot, bool published, FeedStamp stamp, long end)
    {
        if (log.Epoch is not { } epoch || log.Slot != names.Slot)
            return "";
        if (slot is null)
            return $"the replication slot {names.Slot} is gone from the server";
        if (!slot.IsUsable)
            return $"the server no longer has what the replication slot {names.Slot} needs";
        if (!published)
            return $"the publication {names.Publication} did not publish the table";
        if (slot.Confirmed > log.Position)
            return $"the replication slot {names.Slot} was moved on by others";
        if (end < log.Position || ServerOf(epoch.Table) != ServerOf(stamp.Identity))
            return "another server answers, or it was set back";
        return null;

        // System, timeline and database come first.
        static string ServerOf(string identity) => identity[..identity.IndexOf('-', StringComparison.Ordinal)];
    }

    private async Task<FeedStamp> MakeSlotAsync(
        NpgsqlConnection connection,
        LogicalReplicationConnection stream,
        ReplicationNames names,
        CancellationToken cancellationToken
    )
    {
        // However long that takes: it ends with the oldest transaction, or with the watcher's patience for what the server keeps meanwhile.
        var slot = await stream
            .CreatePgOutputReplicationSlot(
                names.Slot,
                slotSnapshotInitMode: LogicalSlotSnapshotInitMode.Export,
                cancellationToken: cancellationToken
            )
            .ConfigureAwait(false);

        // The exported snapshot shows exactly what the stream will not bring. Any later one does for clients that shows as much: a commit
        // may be in the server's log, before the slot, and not be shown by snapshots yet.
        PgSnapshot exported;
        var transaction = await connection
            .BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, cancellationToken)
            .ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            await connection
                .ExecuteAsync($"SET TRANSACTION SNAPSHOT {Sql.Literal(slot.SnapshotName!)}", cancellationToken)
                .ConfigureAwait(false);
            exported = PgSnapshot.Parse(
                (
                    await connection
                        .QueryAsync("SELECT pg_current_snapshot()::text", [], r => r.GetString(0), cancellationToken)
                        .ConfigureAwait(false)
                )[0]
            );
        }

        while (true)
        {
            var stamp = await database.LookAsync(connection, cancellationToken).ConfigureAwait(false);
            if (exported.IsWithin(stamp.Snapshot))
            {
                log.Begin(
                    new LogEpoch(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4)), 1, stamp.Identity, stamp.Snapshot),
                    (long)(ulong)slot.ConsistentPoint
                );
                return stamp;
            }

            await Task.Delay(Moment, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task GiveUpSlotAsync(string slot, long lag, CancellationToken cancellationToken)
    {
        var bound = options.Replication!.MaxSlotLagBytes;
        var connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            while (true)
            {
                try
                {
                    await ReplicationSetup.DropSlotAsync(connection, slot, cancellationToken).ConfigureAwait(false);
                    break;
                }
                catch (FeedUnavailableException)
                {
                    // The server process that streamed has not ended yet.
                    await Task.Delay(Moment, time, cancellationToken).ConfigureAwait(false);
                }
            }
        }

        metrics.SlotDropped();
        Forget(slot);
        PostgresLog.SlotDropped(options.Logger, options.Table, slot, lag >> 20, bound >> 20);
    }

    private void Forget(string slot)
    {
        log.Forget(slot);
        live.Restart("none", new CommitPosition(0));
        Moved.Raise();
    }
}
