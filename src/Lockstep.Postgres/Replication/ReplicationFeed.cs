using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;
using Npgsql;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// Serves a table by logical replication: one stream per feed fills a durable log, from which any number of clients are served. Cursors are
/// places in the server's log (LSNs).
/// </summary>
internal sealed class ReplicationFeed : DatabaseFeed
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(10);
    private readonly StreamedTable _streamed;
    private readonly TimelineHistory _history;
    private readonly SemaphoreSlim _marking = new(1);

    private ReplicationFeed(string connectionString, PostgresFeedOptions options, TimeProvider time, ChangeLog log)
        : base(connectionString, options, time, (connection, token) => ReplicatedTable.DescribeAsync(connection, options, token))
    {
        Log = log;
        if (log.Epoch is { } epoch)
            Database.GoOn(epoch.Table);
        Live = new LiveLog<CommitPosition>(options.LiveBytes);
        var stream = ReplicationStream.Rent(connectionString, options, time);
        _history = new TimelineHistory(Readers.Source, options, time);
        _streamed = new StreamedTable(stream, Readers.Source, Database, Log, Live, _history, options, Metrics, time);
    }

    public override Exception? Error => _streamed.Error;

    public override PostgresSlotState? Slot => _streamed.Slot;

    internal ChangeLog Log { get; }

    internal LiveLog<CommitPosition> Live { get; }

    /// <summary>
    /// Returns once the stream has begun or patience has run out: creating the slot may wait for an open transaction, and clients are told
    /// so.
    /// </summary>
    public static async Task<ReplicationFeed> StartAsync(
        string connectionString,
        PostgresFeedOptions options,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        var log = ChangeLog.Open(options.Replication!.LogPath);
        ReplicationFeed feed;
        try
        {
            feed = new ReplicationFeed(connectionString, options, time, log);
        }
        catch
        {
            log.Dispose();
            throw;
        }

        await feed.BeginAsync(feed._streamed.RunAsync, () => feed._streamed.Ready.WaitAsync(options.Patience, time, cancellationToken))
            .ConfigureAwait(false);
        return feed;
    }

    public override ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken)
    {
        var epoch = Current();
        return ValueTask.FromResult(new FeedState(epoch.Identity, Log.Position, Database.KeyNames, Pages: true) { Floor = Log.Floor });
    }

    public override async ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var (epoch, end) = await AgreeAsync(cancellationToken).ConfigureAwait(false);
        var isCarried = await IsCarriedAsync(epoch, request, cancellationToken).ConfigureAwait(false);
        Range(epoch).Admit(isCarried ? epoch.Identity : request.Identity, request.Since);
        var known = new CommitPosition(request.Since, request.Since > 0 ? epoch.Timeline : 0);
        var mark = FeedMark.Later(known.Mark, request.Mark);
        var journey = new FeedJourney<CommitPosition>(
            new ReplicationSteps(this, epoch, end, request.Filter),
            epoch.Identity,
            known,
            request with
            {
                Mark = mark,
            }
        );
        return new FeedReading(epoch.Identity, Database.KeyNames, journey.ReadAsync(cancellationToken))
        {
            Mark = mark,
            Continues = isCarried ? request.Identity : null,
        };
    }

    /// <summary>
    /// Whether a client's data is of the log's current stretch, possibly from before an addition or a failover, and includes nothing that
    /// was lost in the failover. The caller has checked that the log itself continues.
    /// </summary>
    private async Task<bool> IsCarriedAsync(LogEpoch epoch, FeedRequest request, CancellationToken cancellationToken) =>
        request.Identity is { } identity
        && identity != epoch.Identity
        && FeedIdentity.TimelineOf(identity) is { } told
        && epoch.IsNamed(identity)
        && await _history.HasAsync(TimelineHistory.Reached(request.Mark, told), epoch.Timeline, cancellationToken).ConfigureAwait(false);

    public override async ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var (epoch, _) = await AgreeAsync(cancellationToken).ConfigureAwait(false);
        Range(epoch).Admit(request.Identity, request.Horizon ?? 0);
        var after = PagePosition.Parse(request.After, Database.KeyNames.Count);

        // No client may have more than the pages contain: the sweep removes what they lack, and a log entry with the same order value would
        // not bring it back.
        var horizon = request.Horizon ?? await BeginSnapshotAsync(epoch, whole: true, cancellationToken).ConfigureAwait(false);
        var page = await ReadPageAsync(epoch, after, horizon, PageRows, request.Filter, cancellationToken).ConfigureAwait(false);
        return new SnapshotPage(epoch.Identity, horizon, Database.KeyNames, page.Lines.Take(), PagePosition.Format(page.Next))
        {
            Mark = page.Stamp.Snapshot.Mark,
        };
    }

    /// <summary>Reads a page of the table as it is now, with every row at the cursor.</summary>
    internal async Task<FeedPage<string[]>> ReadPageAsync(
        LogEpoch epoch,
        string[] after,
        long cursor,
        int rows,
        FeedFilter? filter,
        CancellationToken cancellationToken
    )
    {
        var page = await Readers
            .ReadAsync(
                (c, token) => FeedPages.ReadKeysAsync(Database, c, after, cursor, rows, PageSize.Bytes, filter, token),
                cancellationToken
            )
            .ConfigureAwait(false);
        if (page.Stamp.Identity != epoch.Table)
            throw Changed();
        Learn(page.Lines);
        return page;
    }

    /// <summary>
    /// Waits until snapshots show what the log has already dropped, and returns the cursor from which the log completes them.
    /// </summary>
    /// <param name="epoch">The stretch being served.</param>
    /// <param name="whole">Whether they must also show everything in the log.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    internal async Task<long> BeginSnapshotAsync(LogEpoch epoch, bool whole, CancellationToken cancellationToken)
    {
        for (var started = Time.GetTimestamp(); Time.GetElapsedTime(started) < Options.Patience; )
        {
            var known = Log.Position;
            var stamp = await Readers.ReadAsync(Database.LookAsync, cancellationToken).ConfigureAwait(false);
            if (stamp.Identity != epoch.Table)
                throw Changed();
            if (Log.CursorFor(stamp.Snapshot) is { } cursor && (!whole || cursor >= known))
                return Log.Epoch == epoch ? cursor : throw Changed();
            await Task.Delay(Moment, Time, cancellationToken).ConfigureAwait(false);
        }

        throw new FeedUnavailableException(
            $"A transaction that changed {Options.Table} has committed but is not visible yet: it may be waiting for a standby.",
            Options.RetryAfter
        );
    }

    /// <summary>
    /// Waits until the log contains everything before a position in the server's log; if the server is quiet, has it write a mark there.
    /// </summary>
    internal async Task ReachAsync(long end, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, Stop.Token);
        if (Log.Position >= end)
            return;

        // One mark at a time; it serves every caller that arrived before it.
        await _marking.WaitAsync(either.Token).ConfigureAwait(false);
        try
        {
            var moved = _streamed.Moved.Next;
            if (Log.Position >= end)
                return;
            await Readers
                .ReadAsync(
                    async (c, token) =>
                    {
                        await LogMark.WriteAsync(c, token).ConfigureAwait(false);
                        return true;
                    },
                    either.Token
                )
                .ConfigureAwait(false);
            for (; Log.Position < end; moved = _streamed.Moved.Next)
            {
                if (Log.Position >= end)
                    return;
                if (Error is { } error)
                    throw Unavailable(error);
                await moved.WaitAsync(either.Token).ConfigureAwait(false);
            }
        }
        finally
        {
            _marking.Release();
        }
    }

    /// <summary>The end of the server's log: everything committed so far comes before it.</summary>
    internal Task<long> EndAsync(CancellationToken cancellationToken) => Readers.ReadAsync(EndAsync, cancellationToken);

    /// <summary>The error for a client whose cursor the log can no longer continue from.</summary>
    internal Exception Lost(LogEpoch epoch, long cursor) =>
        Log.Epoch == epoch ? new FeedCursorExpiredException(cursor, Log.Floor) : Changed();

    /// <summary>
    /// The stretch that agrees with what the database shows now, and the end of the server's log. A client that must resync should learn it
    /// from the status, not from a truncated body.
    /// </summary>
    private async Task<(LogEpoch Epoch, long End)> AgreeAsync(CancellationToken cancellationToken)
    {
        for (var started = Time.GetTimestamp(); ; )
        {
            Current();
            var (stamp, end) = await Readers.ReadAsync(LookAsync, cancellationToken).ConfigureAwait(false);
            var epoch = Current();
            if (stamp.Identity == epoch.Table)
                return (epoch, end);
            if (Time.GetElapsedTime(started) > Options.Patience)
                throw Unavailable(null);
            _streamed.WantLook();
            await Task.Delay(Moment, Time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<(FeedStamp Stamp, long End)> LookAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var end = await EndAsync(connection, cancellationToken).ConfigureAwait(false);
        return (await Database.LookAsync(connection, cancellationToken).ConfigureAwait(false), end);
    }

    private static async Task<long> EndAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        (
            await connection
                .QueryAsync("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint", [], r => r.GetInt64(0), cancellationToken)
                .ConfigureAwait(false)
        )[0];

    private LogEpoch Current() => Error is { } error ? throw Unavailable(error) : Log.Epoch ?? throw Unavailable(null);

    /// <summary>The cursors from which the log can continue.</summary>
    private ServedRange Range(LogEpoch epoch) => new(epoch.Identity, Log.Floor, Log.Position, Options.RetryAfter);

    private FeedIdentityChangedException Changed()
    {
        _streamed.WantLook();
        return new FeedIdentityChangedException(Log.Epoch?.Identity ?? "none");
    }

    protected override void Close()
    {
        Live.Close();
        Log.Dispose();
    }

    private FeedUnavailableException Unavailable(Exception? error) => Unavailable(error, "is being altered.");
}
