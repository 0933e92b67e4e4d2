using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// A database's replication slot, whose stream fills the change logs of all tables that this process serves from it. Sets up what is
/// missing, streams, and restarts after an error from where the logs end, or with a new slot if that is impossible. Thread-safe.
/// </summary>
// CA1001: the last one to leave disposes what it holds.
#pragma warning disable CA1001
internal sealed class ReplicationStream
#pragma warning restore CA1001
{
    /// <summary>One for the stream's row conversion, one for the slot's watcher, and one to wait for the server's disk.</summary>
    private const int Connections = 3;
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long nothing is confirmed to the server after a start, so that a table that starts later still finds the slot where its log
    /// ends.
    /// </summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    private static readonly Lock AllGate = new();
    private static readonly Dictionary<Key, ReplicationStream> All = [];

    private readonly Key _key;
    private readonly NpgsqlDataSource _source;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _publishing = new(1);
    private readonly Lock _gate = new();
    private readonly long _started;
    private Task _running = Task.CompletedTask;
    private volatile SlotWatcher? _watcher;
    private int _users;
    private int _ticked;

    private ReplicationStream(Key key)
    {
        _key = key;
        _source = PostgresConnection.CreateSource(key.ConnectionString, Connections);
        _started = key.Time.GetTimestamp();
    }

    /// <summary>The slot, as of the last check.</summary>
    public PostgresSlotState? Slot => _watcher?.State;

    /// <summary>Raised when a log, or a table's error, may have changed.</summary>
    public Signal Moved { get; } = new();

    /// <summary>Raised when a table has joined, or must be examined.</summary>
    public Signal Attention { get; } = new();

    /// <summary>The tables in the stream, and the lock on their logs.</summary>
    public StreamMembers Members { get; } = new();

    /// <summary>Whether the server may be told to forget what all tables have.</summary>
    public bool MayConfirm => Time.GetElapsedTime(_started) > Grace;

    private TimeProvider Time => _key.Time;

    /// <summary>Gets the stream for a table; give each back with <see cref="LeaveAsync"/>.</summary>
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

    /// <summary>The pause after this many failures, at least one.</summary>
    public static TimeSpan Backoff(int failures)
    {
        var backoff = TimeSpan.FromMilliseconds(100 * Math.Pow(2, Math.Min(failures - 1, 10)) * (0.5 + (Random.Shared.NextDouble() / 2)));
        return backoff < LongestBackoff ? backoff : LongestBackoff;
    }

    /// <summary>
    /// Adds a table whose publication has been taken care of. It stays, even if the stream breaks, until it drops out or leaves.
    /// </summary>
    public void Join(StreamedTable table)
    {
        lock (_gate)
        {
            Members.Join(table);
            if (_running.IsCompleted && !_stop.IsCancellationRequested)
                _running = Task.Run(() => RunAsync(_stop.Token), CancellationToken.None);
        }

        Attention.Raise();
    }

    /// <summary>Removes a table for good: nothing touches its log after this. The last one ends the stream.</summary>
    public async Task LeaveAsync(StreamedTable table)
    {
        await Members
            .InTurnAsync(
                () =>
                {
                    Members.Remove(table);
                    try
                    {
                        table.Log.Checkpoint();
                    }
                    catch (SqliteException)
                    {
                        // The next start only resumes a little earlier.
                    }
                },
                CancellationToken.None
            )
            .ConfigureAwait(false);

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
        Members.Dispose();
    }

    /// <summary>Undoes what a feed that failed to start has created on the server; what cannot be reached stays.</summary>
    public async Task RemoveAsync(PostgresFeedOptions options)
    {
        using var patience = new CancellationTokenSource(Grace, Time);
        try
        {
            await ReplicationSetup.RemoveAsync(_key.ConnectionString, options, patience.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is Engine.LockstepException or PostgresException or OperationCanceledException)
        {
            // Other feeds use it, or the database is unreachable.
        }
    }

    /// <summary>Adds a table to the publication; one at a time.</summary>
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

    /// <summary>Has another watcher monitor the slot from here on.</summary>
    public void WatchedBy(SlotWatcher watcher) => _watcher = watcher;

    /// <summary>Marks that some tables must be examined.</summary>
    public void Tick()
    {
        Interlocked.Exchange(ref _ticked, 1);
        Attention.Raise();
    }

    /// <summary>Whether some tables must be examined; resets the mark, so the caller has to examine them.</summary>
    public bool TakeTick() => Interlocked.Exchange(ref _ticked, 0) == 1;

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        for (var failures = 0; !cancellationToken.IsCancellationRequested; )
        {
            var attention = Attention.Next;
            try
            {
                if (Members.Tables.Count == 0)
                    await attention.WaitAsync(cancellationToken).ConfigureAwait(false);
                else
                    await new StreamTry(this, _source, _key.ConnectionString, Time).RunAsync(cancellationToken).ConfigureAwait(false);
                failures = 0;
                continue;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // Any error is kept for the tables to report, and the next attempt may succeed.
            catch (Exception e)
#pragma warning restore CA1031
            {
                failures = Members.Tables.Exists(t => t.Error is null) ? 1 : failures + 1;
                Members.Tables.ForEach(t => t.Broken(e));
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

    /// <summary>What feeds must have in common to share a stream.</summary>
    private sealed record Key(string ConnectionString, string? Slot, string? Publication, TimeProvider Time);
}
