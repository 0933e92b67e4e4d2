using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;
using Npgsql;
using Npgsql.Replication;
using Npgsql.Replication.PgOutput;
using Npgsql.Replication.PgOutput.Messages;
using NpgsqlTypes;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// One connection's stream on its way into the change log. Rows are gathered until the stream pauses or there are many, and then made JSON,
/// written, committed and shown to those who follow, all at once; PostgreSQL is told to forget only what has been committed. Runs on one
/// thread at a time.
/// </summary>
internal sealed class StreamSession(
    ReplicationWorker worker,
    NpgsqlConnection connection,
    LogicalReplicationConnection stream,
    ReplicationNames names,
    FeedDatabase database,
    ChangeLog log,
    LiveLog<CommitPosition> live,
    PostgresFeedOptions options,
    FeedMetrics metrics,
    TimeProvider time
)
{
    private const int MaxRows = 2000;
    private const long MaxBytes = 1 << 20;
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(5);

    private readonly List<StreamChange> _changes = [];
    private readonly List<LoggedTransaction> _ended = [];
    private long _position = log.Position;
    private long _size;
    private long _newest;
    private TableDescription _table = null!;
    private ChangeSql _sql = null!;
    private readonly Dictionary<uint, int[]?> _places = [];
    private readonly HashSet<uint> _others = [];
    private OpenTransaction? _open;
    private bool _isOver;

    private LogEpoch Epoch => log.Epoch!;

    /// <summary>Goes on in the log's stretch, or begins another if the table is not as it was.</summary>
    public void Begin(FeedStamp stamp)
    {
        Describe(stamp);
        if (stamp.Identity != Epoch.Table)
            StartOver(stamp, "its definition has changed");
        else if (live.Identity != Epoch.Identity)
            live.Restart(Epoch.Identity, new CommitPosition(_position));
    }

    /// <summary>Runs until the stream breaks, which is an exception, or the table's place has been taken by another of its name.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var messages = stream
            .StartReplication(
                new PgOutputReplicationSlot(names.Slot),
                new PgOutputReplicationOptions(names.Publication, PgOutputProtocolVersion.V1, messages: true),
                stop.Token,
                new NpgsqlLogSequenceNumber((ulong)_position)
            )
            .GetAsyncEnumerator(stop.Token);
        Task<bool>? next = null;
        try
        {
            while (!_isOver)
            {
                next ??= messages.MoveNextAsync().AsTask();
                var attention = worker.Attention.Next;
                if (_open is null && !next.IsCompleted)
                    await FlushAsync(stop.Token).ConfigureAwait(false);
                if (_open is null && worker.TakeLook())
                    await LookAsync(stop.Token).ConfigureAwait(false);
                if (!next.IsCompleted)
                    await Task.WhenAny(next, attention).ConfigureAwait(false);
                if (!next.IsCompleted)
                    continue;
                if (!await next.ConfigureAwait(false))
                    throw new NpgsqlException("The server has ended the stream.");
                next = null;
                await TakeAsync(messages.Current, stop.Token).ConfigureAwait(false);
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            if (next is not null)
                await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                await messages.DisposeAsync().ConfigureAwait(false);
            }
            catch (Exception e) when (e is OperationCanceledException or NpgsqlException or IOException)
            {
                // It has been broken off; what it was broken off for is being thrown, or was asked for.
            }
        }
    }

    private async Task TakeAsync(PgOutputReplicationMessage message, CancellationToken cancellationToken)
    {
        switch (message)
        {
            case BeginMessage begin:
                var id = Widen(begin.TransactionXid);
                _open = new OpenTransaction(new LoggedTransaction((long)(ulong)begin.TransactionFinalLsn, id), _changes.Count)
                {
                    IsShown = Epoch.Base.Shows(id),
                };
                break;
            case RelationMessage relation:
                _places.Remove(relation.RelationId);
                _others.Remove(relation.RelationId);
                break;
            case TruncateMessage truncate when truncate.Relations.Any(r => _table.Relations.Contains(r.RelationId)):
                (_open!.IsRelevant, _open.EndsEpoch) = (true, true);
                break;
            case CommitMessage commit:
                await EndAsync((long)(ulong)commit.TransactionEndLsn, cancellationToken).ConfigureAwait(false);
                break;
            default:
                if (
                    RowReader.RelationOf(message) is { } changed
                    && await IsOursAsync(changed.RelationId, cancellationToken).ConfigureAwait(false)
                )
                {
                    await TakeRowAsync(message, changed, cancellationToken).ConfigureAwait(false);
                }

                break;
        }
    }

    /// <summary>Whether a relation is the table or one of its partitions, of which there may be more than when it was looked at last.</summary>
    private async Task<bool> IsOursAsync(uint relation, CancellationToken cancellationToken)
    {
        if (!_table.Relations.Contains(relation) && !_open!.IsDropped && _others.Add(relation))
            await RenewAsync(cancellationToken).ConfigureAwait(false);
        return _table.Relations.Contains(relation);
    }

    private async Task TakeRowAsync(PgOutputReplicationMessage message, RelationMessage relation, CancellationToken cancellationToken)
    {
        _open!.IsRelevant = true;
        if (!_open.IsDropped && PlacesOf(relation) is null)
        {
            // The table was altered after it has been looked at last. Where it is not a column more, clients start over when the transaction
            // has ended.
            await RenewAsync(cancellationToken).ConfigureAwait(false);
            _open.IsOdd |= PlacesOf(relation) is null;
        }

        if (_open.IsDropped)
            return;
        try
        {
            var read = RowReader.ReadAsync(message, PlacesOf(relation)!, _open.Transaction, _sql, cancellationToken);
            foreach (var change in await read.ConfigureAwait(false))
            {
                _changes.Add(change);
                _size += change.Size;
            }
        }
        catch (InvalidDataException)
        {
            _open.EndsEpoch = true;
        }

        if (_changes.Count >= MaxRows || _size >= MaxBytes)
            await SpillAsync(isForced: false, cancellationToken).ConfigureAwait(false);
    }

    private int[]? PlacesOf(RelationMessage relation)
    {
        if (!_places.TryGetValue(relation.RelationId, out var places))
            _places[relation.RelationId] = places = _sql.MapOf(relation.Columns);
        return places;
    }

    /// <summary>Describes the table as the open transaction has left it, in its middle: columns or partitions may have been added.</summary>
    private async Task RenewAsync(CancellationToken cancellationToken)
    {
        var stamp = await LookAtAsync(_open!.Transaction.Txid, cancellationToken).ConfigureAwait(false);
        if (ReferenceEquals(stamp.Table, _table))
            return;
        var stretch = Epoch;
        if (_changes.Count > 0)
            await SpillAsync(isForced: true, cancellationToken).ConfigureAwait(false);
        if (stamp.Identity != stretch.Table)
            (_open.IsRelevant, _open.IsOdd) = (true, true);
        else if (Epoch == stretch)
            Describe(stamp);
    }

    /// <summary>Makes room in the middle of a transaction: it is written, and seen by nobody before it has ended (I8).</summary>
    private async Task SpillAsync(bool isForced, CancellationToken cancellationToken)
    {
        if (_open!.First > 0 || _ended.Count > 0)
        {
            var rest = _changes[_open.First..];
            _changes.RemoveRange(_open.First, rest.Count);
            var stretch = Epoch;
            await FlushAsync(cancellationToken).ConfigureAwait(false);

            // Clients start over anyway: let them do so once more, after this transaction, of which half is written for a table that is no
            // more.
            if (Epoch != stretch)
                _open.EndsEpoch = true;
            _open.First = 0;
            if (_open.IsDropped)
                return;
            _changes.AddRange(rest);
            _size = rest.Sum(c => c.Size);
            if (!isForced && _changes.Count < MaxRows && _size < MaxBytes)
                return;
        }

        if (_open.IsDropped)
            return;
        var pieces = await MakeAsync(cancellationToken).ConfigureAwait(false);
        _open.IsSpilled = true;
        if (pieces is not null)
            log.Write(pieces);
        else
            _open.IsOdd = true;
        Clear();
    }

    private async Task EndAsync(long end, CancellationToken cancellationToken)
    {
        var ended = _open!;
        _open = null;
        if (ended.IsDropped)
        {
            _changes.RemoveRange(ended.First, _changes.Count - ended.First);
            if (ended.IsSpilled)
                log.Rollback();
        }

        _position = end;
        if (!ended.IsRelevant)
            return;
        _ended.Add(ended.Transaction);

        // What every snapshot shows, the table's altering and emptying included, the stretch has begun with.
        if (ended.IsShown)
            return;
        if (ended.IsSpilled || ended.EndsEpoch || ended.IsOdd)
            await FlushAsync(cancellationToken).ConfigureAwait(false);

        // With what was left out known to the log, no snapshot passes for whole that does not show it.
        if (ended.EndsEpoch || ended.IsOdd)
        {
            StartOver(
                await LookAtAsync(ended.Transaction.Txid, cancellationToken).ConfigureAwait(false),
                ended.IsOdd ? "its definition or storage has changed" : "it was truncated, or a change did not tell its row"
            );
        }
    }

    /// <summary>Commits what has ended, shows it, and tells the server.</summary>
    private async Task FlushAsync(CancellationToken cancellationToken)
    {
        var from = log.Position;
        if (_position == from)
            return;
        var pieces = await MakeAsync(cancellationToken).ConfigureAwait(false);
        var bytes = pieces?.Sum(p => (long)p.Lines.Length) ?? 0;
        var wasSpilled = log.IsWriting;
        if (bytes > 0)
            log.Write(pieces!);
        log.Commit(_ended, _position);
        if (wasSpilled || bytes > options.LiveBytes)
        {
            live.Restart(Epoch.Identity, new CommitPosition(_position));
        }
        else
        {
            live.Append(
                new LiveBatch<CommitPosition>(
                    new CommitPosition(from),
                    new CommitPosition(_position),
                    [.. (pieces ?? []).Select(p => p.Lines)],
                    bytes
                )
            );
        }

        var newest = _ended.Count > 0 ? _ended.Max(t => t.Txid) : 0;
        _ended.Clear();
        Clear();
        stream.SetReplicationStatus(new NpgsqlLogSequenceNumber((ulong)_position));
        worker.Moved.Raise();
        if (pieces is null)
            Compare(await LookAtAsync(newest, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>The lines of the changes gathered; null when the table is no longer as they describe it.</summary>
    private async Task<List<LogPiece>?> MakeAsync(CancellationToken cancellationToken)
    {
        if (_changes.Count == 0)
            return [];
        try
        {
            // What is looked up must be at least as new as the change, or nothing would correct it.
            foreach (
                var txid in _changes.Where(c => !c.IsGone && (_sql.HasGenerated || c.Missing is not null)).Select(c => c.Txid).Distinct()
            )
            {
                await LookAtAsync(txid, cancellationToken).ConfigureAwait(false);
            }

            // One transaction, in which the formats hold.
            await using var batch = new NpgsqlBatch(connection);
            batch.Add("SELECT " + StateSql.Formats);
            batch.Add(_sql.Text, _sql.Parameters(_changes));
            var lines = database.NewLines();
            var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                    lines.Append(reader, reader.GetInt64(0));
            }

            metrics.Read(lines);
            return [.. lines.Take().Select(l => new LogPiece(_changes[^1].Lsn, l))];
        }
        catch (PostgresException e) when (!PostgresErrors.IsPassing(e))
        {
            var stamp = await LookAtAsync(_changes.Max(c => c.Txid), cancellationToken).ConfigureAwait(false);
            if (stamp.Identity == Epoch.Table)
                throw;
            return null;
        }
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        await FlushAsync(cancellationToken).ConfigureAwait(false);
        var stamp = await database.LookAsync(connection, cancellationToken).ConfigureAwait(false);
        Note(stamp);
        Compare(stamp);
        log.Trim(options.Replication!.LogBytes, stamp.Snapshot.Xmin);
    }

    /// <summary>Looks until what is seen shows a transaction: it has committed, but snapshots may not show it yet.</summary>
    private async Task<FeedStamp> LookAtAsync(long txid, CancellationToken cancellationToken)
    {
        while (true)
        {
            var stamp = await database.LookAsync(connection, cancellationToken).ConfigureAwait(false);
            Note(stamp);
            if (stamp.Snapshot.Shows(txid))
                return stamp;
            await Task.Delay(Moment, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private void Compare(FeedStamp stamp)
    {
        if (stamp.Identity != Epoch.Table)
            StartOver(stamp, "its definition or storage has changed");
        else if (!ReferenceEquals(stamp.Table, _table))
            Describe(stamp);
    }

    /// <summary>Begins another stretch with what a snapshot shows; nothing may be left to flush.</summary>
    private void StartOver(FeedStamp stamp, string why)
    {
        log.Begin(Epoch with { Number = Epoch.Number + 1, Table = stamp.Identity, Base = stamp.Snapshot }, _position);

        // Another table of the same name is not in the publication.
        _isOver = _table.Oid != stamp.Table.Oid;
        Describe(stamp);
        live.Restart(Epoch.Identity, new CommitPosition(_position));
        metrics.Resynced();
        PostgresLog.Resync(options.Logger, options.Table, why);
        worker.Moved.Raise();
    }

    private void Describe(FeedStamp stamp)
    {
        _table = stamp.Table;
        _sql = new ChangeSql(stamp.Table);
        _places.Clear();
        Note(stamp);
    }

    private void Note(FeedStamp stamp)
    {
        _newest = stamp.Snapshot.Xmax;
        metrics.Polled(stamp.Snapshot);
    }

    private void Clear()
    {
        _changes.Clear();
        _size = 0;
    }

    /// <summary>The stream's ids are the lower 32 bits; the whole id is the one next to what was seen last.</summary>
    private long Widen(uint id) => _newest + (int)(id - (uint)_newest);
}
