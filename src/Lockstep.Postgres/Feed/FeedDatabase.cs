using Lockstep.Engine.Serving;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>What a snapshot belongs to, and how far it reaches.</summary>
/// <param name="Snapshot">What it shows; on a replica, only what is certain.</param>
/// <param name="Identity">The feed's identity.</param>
/// <param name="Table">The description that is valid in the snapshot.</param>
/// <param name="IsReplica">Whether the server that answered is in recovery.</param>
/// <param name="Floor">The lowest cursor after which no tombstone is missing.</param>
internal sealed record FeedStamp(PgSnapshot Snapshot, string Identity, TableDescription Table, bool IsReplica, long Floor);

/// <summary>A query to run in a stamped snapshot.</summary>
internal sealed record FeedQuery(string Sql, params object?[] Parameters);

/// <summary>
/// Reads a table in snapshots, each a transaction in one round trip that also reports what it belongs to. Caches the table's description,
/// and reads it again when a snapshot shows that it is no longer valid. Any number of reads may run at once, each on its own connection.
/// </summary>
/// <param name="table">The table to read.</param>
/// <param name="describe">Reads its description, in the connection's transaction.</param>
/// <param name="gate">Holds back what is not yet safe on disk.</param>
/// <param name="limits">Which rows clients can accept.</param>
/// <param name="metrics">Learns how many tombstones there are.</param>
internal sealed class FeedDatabase(
    TableName table,
    Func<NpgsqlConnection, CancellationToken, Task<TableDescription>> describe,
    FlushGate gate,
    RowLimits limits,
    FeedMetrics metrics
)
{
    private const int DescriptionAttempts = 5;
    private const int MostEarlier = 100;

    /// <summary>How many rows are looked at to find some that nobody has written since tracking began.</summary>
    private const int FirstRows = 10_000;

    private volatile TableDescription? _description;
    private volatile string[] _keyNames = [];
    private readonly Lock _gate = new();
    private TableHistory? _history;
    private ViewPlace? _viewPlace;

    /// <summary>The key columns in the last description; empty before the first.</summary>
    public IReadOnlyList<string> KeyNames => _keyNames;

    /// <summary>
    /// Distinguishes a view's cursors from those of other servers and runs: the process that compares its rows defines them.
    /// </summary>
    public string ViewName { get; set; } = "";

    /// <summary>
    /// Whether a view has been read on another timeline than at first. Its rows are still compared, but what other processes that compare
    /// them had told clients by then is unknown here.
    /// </summary>
    public bool ViewMoved
    {
        get
        {
            lock (_gate)
                return _viewPlace?.HasMoved == true;
        }
    }

    /// <summary>
    /// Records that a view was read: labels never go back from there, even if a promoted standby counts transactions from a lower number.
    /// </summary>
    public void ViewReached(FeedStamp stamp)
    {
        lock (_gate)
        {
            if (_viewPlace is { } place && stamp.Identity.StartsWith(place.Log + "-", StringComparison.Ordinal))
                _viewPlace = place with { Label = Math.Max(place.Label, stamp.Snapshot.Xmin) };
        }
    }

    /// <summary>Lines for rows about to be read.</summary>
    public FeedLines NewLines() => new(limits, () => _keyNames);

    /// <summary>Starts from the identity of an earlier run, which stays valid if the table has only been added to since.</summary>
    public void GoOn(string identity) =>
        _history = FeedIdentity.FingerprintOf(identity) is { } fingerprint ? new TableHistory(fingerprint, []) : null;

    /// <summary>
    /// Whether a client that received rows under an identity, up to a cursor, may continue with what a snapshot shows: either the identity
    /// is the feed's, or the table has only been added to since.
    /// </summary>
    /// <param name="connection">Open and idle.</param>
    /// <param name="stamp">The snapshot.</param>
    /// <param name="identity">The identity, on the snapshot's timeline.</param>
    /// <param name="cursor">The cursor. Everything stamped at or after it will be sent.</param>
    /// <param name="cancellationToken">Ends the look.</param>
    public static async Task<bool> AcceptsAsync(
        NpgsqlConnection connection,
        FeedStamp stamp,
        string? identity,
        long cursor,
        CancellationToken cancellationToken
    )
    {
        if (identity is null || identity == stamp.Identity)
            return identity is not null;
        var facts = stamp.Table.Facts;
        if (
            stamp.Table.Changes == ChangeSource.SnapshotsOnly
            || FeedIdentity.FingerprintOf(identity) is not { } fingerprint
            || FeedIdentity.With(stamp.Identity, fingerprint) != identity
        )
        {
            return false;
        }

        // By polling a rewritten table may have been unlogged in between, and empty after a crash.
        if (
            stamp.Table.Changes == ChangeSource.Tracked
            && TableFacts.FileOf(fingerprint) != facts.File
            && !await HasRowBelowAsync(connection, stamp.Table, cursor, cancellationToken).ConfigureAwait(false)
        )
        {
            return false;
        }

        var known = stamp.Table.Earlier.Contains(fingerprint) ? TableFacts.PartitionsOf(fingerprint) : facts.PartitionsAt(fingerprint);
        return known == facts.PartitionCount
            || (
                known is { } count
                && await NewPartitions.BroughtNothingAsync(connection, stamp.Table, count, cursor, cancellationToken).ConfigureAwait(false)
            );
    }

    /// <summary>
    /// Whether a table has a row that was stamped before a cursor: then it has not been emptied since, because what came later has later
    /// stamps. If it has none, starting over brings no more rows than going on would.
    /// </summary>
    private static async Task<bool> HasRowBelowAsync(
        NpgsqlConnection connection,
        TableDescription table,
        long cursor,
        CancellationToken cancellationToken
    )
    {
        // By the index first, which leaves out what was there before tracking began. Of that, some would be among the first rows: a whole
        // large table is not read to find a few.
        var found = await connection
            .QueryAsync(
                $"SELECT EXISTS (SELECT FROM {table.SqlName} WHERE txid > 0 AND txid < $1) "
                    + $"OR EXISTS (SELECT FROM (SELECT txid FROM {table.SqlName} LIMIT $2) AS first WHERE (txid > 0) IS NOT TRUE)",
                [cursor, FirstRows],
                r => r.GetBoolean(0),
                cancellationToken
            )
            .ConfigureAwait(false);
        return found[0];
    }

    /// <summary>What a snapshot taken now would belong to.</summary>
    public Task<FeedStamp> LookAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        ReadAsync(connection, _ => null, (_, _) => Task.CompletedTask, cancellationToken);

    /// <summary>Runs a query in its own snapshot.</summary>
    /// <param name="connection">Open and idle; idle again afterwards, or broken.</param>
    /// <param name="query">Builds the query for the table as described; null for no query.</param>
    /// <param name="read">
    /// Receives the stamp and the query's rows, positioned before the first; not called without a query. A second call means that the rows
    /// of the first are void, which cannot happen once the stamp has matched.
    /// </param>
    /// <param name="cancellationToken">Ends the read.</param>
    public async Task<FeedStamp> ReadAsync(
        NpgsqlConnection connection,
        Func<TableDescription, FeedQuery?> query,
        Func<FeedStamp, NpgsqlDataReader, Task> read,
        CancellationToken cancellationToken
    )
    {
        for (var attempt = 1; ; attempt++)
        {
            var description = _description ??= await DescribeAsync(connection, cancellationToken).ConfigureAwait(false);
            try
            {
                if (
                    await TryReadAsync(connection, description, query(description), read, cancellationToken).ConfigureAwait(false) is
                    { } stamp
                )
                {
                    return stamp;
                }
            }
            catch (PostgresException e) when (PostgresErrors.IsStaleDescription(e) && attempt < DescriptionAttempts)
            {
                // The batch stops at its first error: the table or a column has gone, or the registry has been created or dropped.
            }

            _description = null;
            if (attempt == DescriptionAttempts)
                throw new FeedUnavailableException($"{table} keeps changing its columns while it is read.", TimeSpan.FromSeconds(1));
        }
    }

    private async Task<FeedStamp?> TryReadAsync(
        NpgsqlConnection connection,
        TableDescription description,
        FeedQuery? query,
        Func<FeedStamp, NpgsqlDataReader, Task> read,
        CancellationToken cancellationToken
    )
    {
        await using var batch = new NpgsqlBatch(connection);
        batch.Add(FeedSql.Begin);
        batch.Add(FeedSql.LockPatience);
        if (description.Lockable)
            batch.Add(FeedSql.Lock(description));
        var counts = description.Tombstones is not null && metrics.WantsTombstones();
        batch.Add(StateSql.Query(description, counts), description.SqlName);
        if (query is not null)
            batch.Add(query.Sql, query.Parameters);
        batch.Add(FeedSql.Commit);
        try
        {
            var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                var state = SnapshotState.Read(reader);
                if (state.Facts != description.Facts)
                    return null;
                if (counts || description.Tombstones is null)
                    metrics.TombstonesSeen(state.Tombstones);
                await gate.WaitAsync(state, cancellationToken).ConfigureAwait(false);
                var stamp = StampOf(state, description);
                if (query is not null)
                {
                    await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
                    await read(stamp, reader).ConfigureAwait(false);
                }

                // Read to the end: the transaction is not over until COMMIT has been answered.
                while (await reader.NextResultAsync(cancellationToken).ConfigureAwait(false)) { }

                return stamp;
            }
        }
        catch (Exception e)
            when (e is PostgresException or OperationCanceledException && connection.FullState.HasFlag(System.Data.ConnectionState.Open))
        {
            await connection.ExecuteAsync("ROLLBACK", CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    private FeedStamp StampOf(SnapshotState state, TableDescription description)
    {
        var (snapshot, log) = (state.Snapshot, state.Log);
        if (description.Changes == ChangeSource.SnapshotsOnly)
        {
            // A view keeps the timeline on which it was first read: its cursors belong to the process that compares its rows, not to the
            // server.
            var place = PlaceOf(log);
            log = place.Log;
            if (snapshot.Xmin < place.Label)
                snapshot = PgSnapshot.Below(place.Label).At(snapshot.Mark);
        }

        return new FeedStamp(snapshot, IdentityOf(state, description, log), description, state.IsReplica, state.Floor);
    }

    /// <summary>For a view only the key matters: any other alteration shows in its rows, which are compared.</summary>
    private string IdentityOf(SnapshotState state, TableDescription description, string log) =>
        description.Changes switch
        {
            ChangeSource.Tracked => FeedIdentity.Format(state.Server, description.Facts.Fingerprint, "polling"),
            ChangeSource.Stream => FeedIdentity.Format(state.Server, description.Facts.Fingerprint, "replication"),
            _ => FeedIdentity.OfView(log, _keyNames, ViewName),
        };

    private ViewPlace PlaceOf(string log)
    {
        lock (_gate)
        {
            if (_viewPlace is not { } place || !FeedIdentity.IsSameDatabase(place.Log, log))
                return _viewPlace = new ViewPlace(log, 0, HasMoved: false);
            return place.Log == log ? place : _viewPlace = place with { HasMoved = true };
        }
    }

    /// <summary>Where a view is read.</summary>
    /// <param name="Log">The server and timeline on which it was first read.</param>
    /// <param name="Label">The highest label issued.</param>
    /// <param name="HasMoved">Whether the timeline is another one now, or was in between.</param>
    private sealed record ViewPlace(string Log, long Label, bool HasMoved);

    private async Task<TableDescription> DescribeAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        PostgresVersion.Check(connection);

        // Catalog functions use the newest catalog, not the snapshot; every read compares the facts, so a mixed description does not
        // survive.
        var transaction = await connection
            .BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, cancellationToken)
            .ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            var description = await describe(connection, cancellationToken).ConfigureAwait(false);
            var states = await connection
                .QueryAsync(StateSql.Query(description), [description.SqlName], SnapshotState.Read, cancellationToken)
                .ConfigureAwait(false);
            if (states[0].Facts is not { } facts)
                throw new FeedUnavailableException($"{table} is being replaced.", TimeSpan.FromSeconds(1));
            var history = await HistoryAsync(connection, description, facts, cancellationToken).ConfigureAwait(false);
            _keyNames = [.. description.Key.Select(k => k.Name)];
            return description with { Facts = facts, Earlier = history.Earlier };
        }
    }

    /// <summary>
    /// An identity describes the table exactly. That one followed another by additions alone has to be recorded at the time; comparing the
    /// first and the last would not show it, because what was added may have been filled or removed in between.
    /// </summary>
    private async Task<TableHistory> HistoryAsync(
        NpgsqlConnection connection,
        TableDescription description,
        TableFacts facts,
        CancellationToken cancellationToken
    )
    {
        TableHistory? before;
        lock (_gate)
            before = _history;
        if (before?.Fingerprint == facts.Fingerprint)
            return before;
        var follows =
            before is not null
            && facts.PartitionsAt(before.Fingerprint) is { } partitions
            && (
                // What polling may miss depends on the client's cursor.
                description.Changes != ChangeSource.Stream
                || partitions == facts.PartitionCount
                || await NewPartitions.BroughtNothingAsync(connection, description, partitions, 0, cancellationToken).ConfigureAwait(false)
            );
        var history = new TableHistory(
            facts.Fingerprint,
            follows ? [.. before!.Earlier.Append(before.Fingerprint).TakeLast(MostEarlier)] : []
        );
        lock (_gate)
            return _history = history;
    }

    /// <summary>The table's current fingerprint, and those that it had before something was only added to it.</summary>
    private sealed record TableHistory(string Fingerprint, IReadOnlyList<string> Earlier);
}
