using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;
using Npgsql;

namespace Lockstep.Postgres.Replication;

/// <summary>A table by logical replication: one stream per feed into a durable log, from which any number of clients are served. Cursors are places in the server's log (LSNs).</summary>
internal sealed class ReplicationFeed : IPostgresFeed
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(10);
    private readonly DatabaseReaders _readers;
    private readonly FeedDatabase _database;
    private readonly ReplicationWorker _worker;
    private readonly PostgresFeedOptions _options;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _marking = new(1);
    private Task _working = Task.CompletedTask;

    private ReplicationFeed(string connectionString, PostgresFeedOptions options, TimeProvider time)
    {
        _options = options;
        Time = time;
        Name = options.Name ?? options.Table.Name;
        _readers = new DatabaseReaders(connectionString, options, time, _stop.Token);
        Log = ChangeLog.Open(options.Replication!.LogPath);
        Metrics = new FeedMetrics(Name, time);
        Live = new LiveLog(options.LiveBytes);
        _database = new FeedDatabase(options.Table, (connection, token) => ReplicatedTable.DescribeAsync(connection, options.Table, token));
        _worker = new ReplicationWorker(connectionString, _readers.Source, _database, Log, Live, options, Metrics, time);
    }

    public string Name { get; }

    public Exception? Error => _worker.Error;

    public (long Transactions, TimeSpan Age) HorizonLag => Metrics.HorizonLag;

    public PostgresSlotState? Slot => _worker.Slot;

    internal TimeProvider Time { get; }

    internal FeedMetrics Metrics { get; }

    internal ChangeLog Log { get; }

    internal LiveLog Live { get; }

    /// <summary>Returns once the stream has begun, or has not in the time that there is patience for.</summary>
    public static async Task<ReplicationFeed> StartAsync(string connectionString, PostgresFeedOptions options, TimeProvider time, CancellationToken cancellationToken)
    {
        var feed = new ReplicationFeed(connectionString, options, time);
        try
        {
            feed._working = Task.Run(() => feed._worker.RunAsync(feed._stop.Token), CancellationToken.None);
            try
            {
                await feed._worker.Ready.WaitAsync(options.Patience, time, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                // The slot waits for a transaction that is open; clients are told so.
                return feed;
            }

            if (feed.Error is { } error) throw error;
            return feed;
        }
        catch
        {
            await feed.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken)
    {
        var epoch = Current();
        return ValueTask.FromResult(new FeedState(epoch.Identity, Log.Position, _database.KeyNames, Pages: true));
    }

    public async ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var (epoch, end) = await AgreeAsync(cancellationToken).ConfigureAwait(false);
        Admit(epoch, request.Identity, request.Since);
        var reader = new LogReader(this, epoch, end, request.Since, request.HeartbeatInterval);
        return new FeedReading(epoch.Identity, _database.KeyNames, reader.ReadAsync(cancellationToken));
    }

    public async ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var (epoch, _) = await AgreeAsync(cancellationToken).ConfigureAwait(false);
        Admit(epoch, request.Identity, request.Horizon ?? 0);
        var after = PagePosition.Parse(request.After, _database.KeyNames.Count);

        // No client may have more than the pages: what they leave out of it is swept, and a tie with the log would not bring it back.
        var horizon = request.Horizon ?? await BeginSnapshotAsync(epoch, whole: true, cancellationToken).ConfigureAwait(false);
        var page = await ReadPageAsync(epoch, after, horizon, _options.PageRows, cancellationToken).ConfigureAwait(false);
        return new SnapshotPage(epoch.Identity, horizon, _database.KeyNames, page.Lines.Take(), PagePosition.Format(page.Next));
    }

    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested) return;
        await _stop.CancelAsync().ConfigureAwait(false);
        await _working.ConfigureAwait(false);
        await _readers.DisposeAsync().ConfigureAwait(false);
        Log.Dispose();
        Metrics.Dispose();
    }

    /// <summary>A page of the table as it is, every row of it at the cursor.</summary>
    internal async Task<FeedPage<string[]>> ReadPageAsync(LogEpoch epoch, string[] after, long cursor, int rows, CancellationToken cancellationToken)
    {
        var page = await _readers.ReadAsync((c, token) => FeedPages.ReadKeysAsync(_database, c, after, cursor, rows, token), cancellationToken).ConfigureAwait(false);
        if (page.Stamp.Identity != epoch.Table) throw Changed();
        Metrics.Read(page.Lines);
        return page;
    }

    /// <summary>Waits until snapshots show what the log no longer has, and gives back the cursor at which the log goes on from them.</summary>
    /// <param name="epoch">The stretch that is served.</param>
    /// <param name="whole">Whether they are to show everything that the log has, too.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    internal async Task<long> BeginSnapshotAsync(LogEpoch epoch, bool whole, CancellationToken cancellationToken)
    {
        for (var started = Time.GetTimestamp(); Time.GetElapsedTime(started) < _options.Patience;)
        {
            var known = Log.Position;
            var stamp = await _readers.ReadAsync(_database.LookAsync, cancellationToken).ConfigureAwait(false);
            if (stamp.Identity != epoch.Table) throw Changed();
            if (Log.CursorFor(stamp.Snapshot) is { } cursor && (!whole || cursor >= known)) return Log.Epoch == epoch ? cursor : throw Changed();
            await Task.Delay(Moment, Time, cancellationToken).ConfigureAwait(false);
        }

        throw new FeedUnavailableException($"A transaction that changed {_options.Table} has committed and is not shown by snapshots yet: it may wait for a standby.", _options.RetryAfter);
    }

    /// <summary>Waits until the log has everything that the server's log has before a place; has the server write a mark there, if it is quiet.</summary>
    internal async Task ReachAsync(long end, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
        if (Log.Position >= end) return;

        // One mark at a time, which does for all who have come before it.
        await _marking.WaitAsync(either.Token).ConfigureAwait(false);
        try
        {
            var moved = _worker.Moved.Next;
            if (Log.Position >= end) return;
            await _readers.ReadAsync(
                async (c, token) =>
                {
                    await SlotWatcher.MarkAsync(c, token).ConfigureAwait(false);
                    return true;
                },
                either.Token).ConfigureAwait(false);
            for (; Log.Position < end; moved = _worker.Moved.Next)
            {
                if (Log.Position >= end) return;
                if (Error is { } error) throw Unavailable(error);
                await moved.WaitAsync(either.Token).ConfigureAwait(false);
            }
        }
        finally
        {
            _marking.Release();
        }
    }

    /// <summary>The end of the server's log: what is committed now is before it.</summary>
    internal Task<long> EndAsync(CancellationToken cancellationToken) => _readers.ReadAsync(EndAsync, cancellationToken);

    /// <summary>Why the log does not have what follows a client's cursor.</summary>
    internal Exception Lost(LogEpoch epoch, long cursor) => Log.Epoch == epoch ? new FeedCursorExpiredException(cursor, Log.Floor) : Changed();

    /// <summary>
    /// The stretch that agrees with what the database shows at this moment: a client that has to resync is to hear it from the status, not from a body cut off. And the end of
    /// the server's log.
    /// </summary>
    private async Task<(LogEpoch Epoch, long End)> AgreeAsync(CancellationToken cancellationToken)
    {
        for (var started = Time.GetTimestamp(); ;)
        {
            Current();
            var (stamp, end) = await _readers.ReadAsync(LookAsync, cancellationToken).ConfigureAwait(false);
            var epoch = Current();
            if (stamp.Identity == epoch.Table) return (epoch, end);
            if (Time.GetElapsedTime(started) > _options.Patience) throw Unavailable(null);
            _worker.WantLook();
            await Task.Delay(Moment, Time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<(FeedStamp Stamp, long End)> LookAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var end = await EndAsync(connection, cancellationToken).ConfigureAwait(false);
        return (await _database.LookAsync(connection, cancellationToken).ConfigureAwait(false), end);
    }

    private static async Task<long> EndAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        (await connection.QueryAsync("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint", [], r => r.GetInt64(0), cancellationToken).ConfigureAwait(false))[0];

    private LogEpoch Current() => Error is { } error ? throw Unavailable(error) : Log.Epoch ?? throw Unavailable(null);

    private void Admit(LogEpoch epoch, string? identity, long cursor)
    {
        if (cursor == 0) return;
        if (identity is not null && identity != epoch.Identity) throw new FeedIdentityChangedException(epoch.Identity);
        var (position, floor) = (Log.Position, Log.Floor);
        if (cursor < floor) throw new FeedCursorExpiredException(cursor, floor);
        if (cursor > position) throw new FeedBehindException(cursor, position, _options.RetryAfter);
    }

    private FeedIdentityChangedException Changed()
    {
        _worker.WantLook();
        return new FeedIdentityChangedException(Log.Epoch?.Identity ?? "none");
    }

    private FeedUnavailableException Unavailable(Exception? error) =>
        error as FeedUnavailableException ?? new FeedUnavailableException(error?.Message ?? $"{_options.Table} is being altered.", _options.RetryAfter, error);
}
