using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;
using Microsoft.Data.Sqlite;
using Npgsql;
using Npgsql.Replication;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// One replication slot of a database, whose stream fills the change logs of all tables that this process serves from it: sets up what is
/// missing, streams, and begins again after an error where the logs end, or with a new slot where that cannot be. Thread-safe.
/// </summary>
// CA1001: whoever leaves last disposes what it holds.
#pragma warning disable CA1001
internal sealed class ReplicationStream
#pragma warning restore CA1001
{
    /// <summary>For the stream, to make JSON of what it brings, for the slot's watcher and to wait for the server's disk.</summary>
    private const int Connections = 3;
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(20);

    /// <summary>How long nothing is confirmed to the server, so that a table that starts later finds the slot where its log ends.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    private static readonly Lock AllGate = new();
    private static readonly Dictionary<Key, ReplicationStream> All = [];

    private readonly Key _key;
    private readonly NpgsqlDataSource _source;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _publishing = new(1);
    private readonly Lock _gate = new();
    private readonly List<StreamedTable> _tables = [];
    private readonly List<StreamedTable> _joined = [];
    private readonly long _started;
    private Task _running = Task.CompletedTask;
    private volatile SlotWatcher? _watcher;
    private StreamSession? _session;
    private int _users;
    private int _ticked;

    private ReplicationStream(Key key)
    {
        _key = key;
        _source = PostgresConnection.CreateSource(key.ConnectionString, Connections);
        _started = key.Time.GetTimestamp();
    }

    /// <summary>The slot, when it was last looked at.</summary>
    public PostgresSlotState? Slot => _watcher?.State;

    /// <summary>Raised when a log, or whether a table has an error, may have changed.</summary>
    public Signal Moved { get; } = new();

    /// <summary>Raised when a table has joined, or is to be looked at.</summary>
    public Signal Attention { get; } = new();

    /// <summary>Whoever has it may touch the tables' logs.</summary>
    public SemaphoreSlim Turn { get; } = new(1);

    /// <summary>Whether the server may forget what all tables have.</summary>
    public bool MayConfirm => Time.GetElapsedTime(_started) > Grace;

    private TimeProvider Time => _key.Time;

    /// <summary>The stream for a table; each is to be given back by <see cref="LeaveAsync"/>.</summary>
    /// <exception cref="ArgumentException">The connection string is malformed; the message does not repeat it (I9).</exception>
    public static ReplicationStream Rent(string connectionString, PostgresFeedOptions options, TimeProvider time)
    {
        var key = new Key(connectionString, options.Replication!.Slot, options.Replication.Publication, time);
        lock (AllGate)
        {
            if (!All.TryGetValue(key, out var stream))
                All[key] = stream = new ReplicationStream(key);
            stream._users++;
            return stream;
        }
    }

    /// <summary>How long to wait after so many failures, at least one.</summary>
    public static TimeSpan Backoff(int failures)
    {
        var backoff = TimeSpan.FromMilliseconds(100 * Math.Pow(2, Math.Min(failures - 1, 10)) * (0.5 + (Random.Shared.NextDouble() / 2)));
        return backoff < LongestBackoff ? backoff : LongestBackoff;
    }

    /// <summary>
    /// Takes a table in, whose publication has been seen to. It stays, also when the stream breaks, until it falls out or leaves.
    /// </summary>
    public void Join(StreamedTable table)
    {
        lock (_gate)
        {
            _tables.Add(table);
            _joined.Add(table);
            if (_running.IsCompleted && !_stop.IsCancellationRequested)
                _running = Task.Run(() => RunAsync(_stop.Token), CancellationToken.None);
        }

        Attention.Raise();
    }

    /// <summary>Takes a table out for good: nothing touches its log any more. The last one ends the stream.</summary>
    public async Task LeaveAsync(StreamedTable table)
    {
        await Turn.WaitAsync().ConfigureAwait(false);
        try
        {
            Remove(table);
            table.Log.Checkpoint();
        }
        catch (SqliteException)
        {
            // It begins again a little earlier.
        }
        finally
        {
            Turn.Release();
        }

        lock (AllGate)
        {
            if (--_users > 0)
                return;
            All.Remove(_key);
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        await _source.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
        _publishing.Dispose();
        Turn.Dispose();
    }

    /// <summary>Takes a table out; whoever calls has the <see cref="Turn"/>.</summary>
    public void Remove(StreamedTable table)
    {
        lock (_gate)
        {
            _tables.Remove(table);
            _joined.Remove(table);
        }

        _session?.Remove(table);
    }

    /// <summary>Takes back what the start of a feed has made on the server that never came to be; what cannot be reached stays.</summary>
    public async Task RemoveAsync(PostgresFeedOptions options)
    {
        using var patience = new CancellationTokenSource(Grace, Time);
        try
        {
            await ReplicationSetup.RemoveAsync(_key.ConnectionString, options, patience.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is Engine.LockstepException or PostgresException or OperationCanceledException)
        {
            // Other feeds use it, or the database is away.
        }
    }

    /// <summary>Has the publication publish a table; one at a time.</summary>
    /// <inheritdoc cref="ReplicationSetup.EnsurePublicationAsync"/>
    public async Task<bool> PublishAsync(
        NpgsqlConnection connection,
        ReplicationNames names,
        TableDescription table,
        CancellationToken cancellationToken
    )
    {
        await _publishing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await ReplicationSetup.EnsurePublicationAsync(connection, names, table, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _publishing.Release();
        }
    }

    /// <summary>The tables that have joined since; the caller takes them on.</summary>
    public List<StreamedTable> TakeJoined()
    {
        lock (_gate)
        {
            if (_joined.Count == 0)
                return [];
            List<StreamedTable> joined = [.. _joined];
            _joined.Clear();
            return joined;
        }
    }

    /// <summary>Whether it is time to look at some tables; the caller takes it on.</summary>
    public bool TakeTick() => Interlocked.Exchange(ref _ticked, 0) == 1;

    /// <summary>
    /// Takes a table into a running session. False when that has to begin again, from where the table's log ends.
    /// </summary>
    public async Task<bool> AddAsync(
        StreamSession session,
        NpgsqlConnection connection,
        ReplicationNames names,
        StreamedTable table,
        CancellationToken cancellationToken
    )
    {
        if (session.Has(table))
            return true;
        var server = await ReplicationSetup.StateAsync(connection, names.Slot, cancellationToken).ConfigureAwait(false);
        if (await LookAsync(connection, names, server, session.Confirmed, table, cancellationToken).ConfigureAwait(false) is not { } found)
            return true;
        if (found.Why is null && table.Log.Position < session.Position)
            return false;
        Report([found]);
        session.Add(table, found.Stamp, found.Why is null, cancellationToken);
        return true;
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        for (var failures = 0; !cancellationToken.IsCancellationRequested; )
        {
            var attention = Attention.Next;
            try
            {
                if (Tables().Count == 0)
                    await attention.WaitAsync(cancellationToken).ConfigureAwait(false);
                else
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
                failures = Tables().Exists(t => t.Error is null) ? 1 : failures + 1;
                Tables().ForEach(t => t.Broken(e));
                Moved.Raise();
            }

            try
            {
                await Task.Delay(Backoff(failures), Time, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>
    /// Streams from one connection until it breaks, or until the slot has to be given up, which it does before it returns.
    /// </summary>
    private async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        var connection = await _source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            if (Tables() is not [var any, ..])
                return;
            var names = await ReplicationSetup.CheckAsync(connection, any.Options, cancellationToken).ConfigureAwait(false);
            using var session = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var watcher = _watcher = new SlotWatcher(_source, names.Slot, Tables, Time);
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
                excess = await watcher.RunAsync(Tick, session.Token).ConfigureAwait(false);
                if (excess is not null)
                    await session.CancelAsync().ConfigureAwait(false);
            }
        }
    }

    private async Task StreamAsync(NpgsqlConnection connection, ReplicationNames names, CancellationToken cancellationToken)
    {
        var stream = new LogicalReplicationConnection(PostgresConnection.ForStream(_key.ConnectionString));
        await using (stream.ConfigureAwait(false))
        {
            await stream.Open(cancellationToken).ConfigureAwait(false);
            var server = await WaitForSlotAsync(connection, names, cancellationToken).ConfigureAwait(false);
            var found = new List<Found>();
            await InTurnAsync(
                    async () =>
                    {
                        TakeJoined();
                        foreach (var table in Tables())
                        {
                            if (await LookAsync(connection, names, server, 0, table, cancellationToken).ConfigureAwait(false) is { } one)
                            {
                                found.Add(one);
                            }
                        }

                        Report(found);
                    },
                    cancellationToken
                )
                .ConfigureAwait(false);
            if (found.Count == 0)
                return;
            var going = found.FindAll(f => f.Why is null);
            var start =
                going.Count > 0
                    ? going.Min(f => f.Table.Log.Position)
                    : await MakeSlotAsync(connection, stream, names, server.Slot, found, cancellationToken).ConfigureAwait(false);
            var session = new StreamSession(this, connection, stream, names, start, Time);
            try
            {
                await InTurnAsync(
                        () =>
                        {
                            _session = session;
                            var tables = Tables();
                            foreach (var (table, stamp, why) in found.FindAll(f => tables.Contains(f.Table)))
                                session.Add(table, stamp, why is null, cancellationToken);
                            return Task.CompletedTask;
                        },
                        cancellationToken
                    )
                    .ConfigureAwait(false);
                await session.RunAsync(cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                await InTurnAsync(
                        () =>
                        {
                            _session = null;
                            session.Dispose();
                            return Task.CompletedTask;
                        },
                        CancellationToken.None
                    )
                    .ConfigureAwait(false);
            }
        }
    }

    /// <summary>What the server has; waits for the slot to be free.</summary>
    private async Task<ServerState> WaitForSlotAsync(
        NpgsqlConnection connection,
        ReplicationNames names,
        CancellationToken cancellationToken
    )
    {
        for (var since = Time.GetTimestamp(); ; )
        {
            var server = await ReplicationSetup.StateAsync(connection, names.Slot, cancellationToken).ConfigureAwait(false);
            if (server.Slot?.ActivePid is null)
                return server;

            // A process that was cut off keeps it until the server has missed it.
            if (Time.GetElapsedTime(since) > Tables().Select(t => t.Options.Patience).DefaultIfEmpty().Max())
                throw ReplicationSetup.InUse(names.Slot);
            await Task.Delay(Moment * 5, Time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// A table as it is, and why its log cannot go on; null when it is no longer in the stream, since something is wrong with it.
    /// </summary>
    private async Task<Found?> LookAsync(
        NpgsqlConnection connection,
        ReplicationNames names,
        ServerState server,
        long confirmed,
        StreamedTable table,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var stamp = await table.Database.LookAsync(connection, cancellationToken).ConfigureAwait(false);
            if (
                await ReplicationSetup.IsPublishedAsync(connection, names, stamp.Table, cancellationToken).ConfigureAwait(false) is not true
            )
            {
                // It was taken out of the publication, or is another one than was put there.
                Remove(table);
                table.FellOut(null);
                return null;
            }

            return new Found(table, stamp, WhyStartOver(names, server, confirmed, table, stamp));
        }
        catch (Exception e)
            when (e is Engine.LockstepException or PostgresException && connection.FullState.HasFlag(System.Data.ConnectionState.Open))
        {
            Remove(table);
            table.FellOut(e);
            return null;
        }
    }

    /// <summary>Null when the log can go on; empty when there is nothing to go on from.</summary>
    private static string? WhyStartOver(ReplicationNames names, ServerState server, long confirmed, StreamedTable table, FeedStamp stamp)
    {
        var log = table.Log;
        if (log.Epoch is not { } epoch || log.Slot != names.Slot)
            return "";
        if (server.Slot is not { } slot)
            return $"the replication slot {names.Slot} is gone from the server";
        if (!slot.IsUsable)
            return $"the server no longer has what the replication slot {names.Slot} needs";
        if (!table.IsPublished)
            return $"the publication {names.Publication} did not publish the table";
        if (Math.Max(slot.Confirmed, confirmed) > log.Position)
            return $"the replication slot {names.Slot} was moved on by others";
        if (server.End < log.Position || ServerOf(epoch.Table) != ServerOf(stamp.Identity))
            return "another server answers, or it was set back";
        return null;

        // System, timeline and database come first.
        static string ServerOf(string identity) => identity[..identity.IndexOf('-', StringComparison.Ordinal)];
    }

    /// <summary>Makes the slot, in place of one from which no table can go on; returns the place at which its stream begins.</summary>
    private async Task<long> MakeSlotAsync(
        NpgsqlConnection connection,
        LogicalReplicationConnection stream,
        ReplicationNames names,
        ServerSlot? former,
        List<Found> tables,
        CancellationToken cancellationToken
    )
    {
        if (former is not null)
        {
            if (!names.OwnsSlot && !tables.Exists(t => t.Table.Log.Slot == names.Slot))
            {
                throw new PostgresReplicationException(
                    $"There is a replication slot {names.Slot}, which is not that of the log {tables[0].Table.Options.Replication!.LogPath}.",
                    $"Name another slot, or drop that one if nobody needs it: SELECT pg_drop_replication_slot('{names.Slot}')"
                );
            }

            await ReplicationSetup.DropSlotAsync(connection, names.Slot, cancellationToken).ConfigureAwait(false);
        }

        await InTurnAsync(
                () =>
                {
                    Forget(names.Slot, tables.ConvertAll(t => t.Table));
                    foreach (var (table, _, _) in tables)
                    {
                        table.Waits(
                            $"The replication slot for {table.Options.Table} is being made: PostgreSQL waits for the transactions that are open to end."
                        );
                    }

                    return Task.CompletedTask;
                },
                cancellationToken
            )
            .ConfigureAwait(false);

        // However long that takes: it ends with the oldest transaction, or with the watcher's patience for what the server keeps meanwhile.
        var slot = await stream
            .CreatePgOutputReplicationSlot(
                names.Slot,
                slotSnapshotInitMode: LogicalSlotSnapshotInitMode.NoExport,
                cancellationToken: cancellationToken
            )
            .ConfigureAwait(false);
        return (long)(ulong)slot.ConsistentPoint;
    }

    private async Task GiveUpSlotAsync(string slot, long lag, CancellationToken cancellationToken)
    {
        var connection = await _source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
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
                    await Task.Delay(Moment, Time, cancellationToken).ConfigureAwait(false);
                }
            }
        }

        var tables = Tables();
        await InTurnAsync(
                () =>
                {
                    Forget(slot, tables);
                    return Task.CompletedTask;
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        var bound = tables.Select(t => t.Options.Replication!.MaxSlotLagBytes).DefaultIfEmpty().Min();
        foreach (var table in tables)
        {
            table.Metrics.SlotDropped();
            PostgresLog.SlotDropped(table.Options.Logger, table.Options.Table, slot, lag >> 20, bound >> 20);
        }
    }

    private void Forget(string slot, List<StreamedTable> tables)
    {
        var present = Tables();
        foreach (var table in tables.FindAll(present.Contains))
        {
            table.Log.Forget(slot);
            table.Live.Restart("none", new CommitPosition(0));
        }

        Moved.Raise();
    }

    private async Task InTurnAsync(Func<Task> act, CancellationToken cancellationToken)
    {
        await Turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await act().ConfigureAwait(false);
        }
        finally
        {
            Turn.Release();
        }
    }

    private List<StreamedTable> Tables()
    {
        lock (_gate)
            return [.. _tables];
    }

    private void Tick()
    {
        Interlocked.Exchange(ref _ticked, 1);
        Attention.Raise();
    }

    private static void Report(List<Found> found)
    {
        foreach (var (table, _, why) in found)
        {
            if (why is { Length: > 0 })
                PostgresLog.Resync(table.Options.Logger, table.Options.Table, why);
        }
    }

    /// <summary>What feeds have to have in common to share a stream.</summary>
    private sealed record Key(string ConnectionString, string? Slot, string? Publication, TimeProvider Time);

    private sealed record Found(StreamedTable Table, FeedStamp Stamp, string? Why);
}
