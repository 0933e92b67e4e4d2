using Lockstep.Postgres.Feed;
using Npgsql;
using Npgsql.Replication;
using Npgsql.Replication.PgOutput;
using Npgsql.Replication.PgOutput.Messages;
using NpgsqlTypes;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// One connection's stream: takes each change to the tables that it concerns, and tells PostgreSQL to forget what all of them have
/// committed. Tables join and leave while it runs; what fails for one of them does not stop the others. Runs on one thread at a time.
/// </summary>
internal sealed class StreamSession(
    ReplicationStream owner,
    NpgsqlConnection connection,
    LogicalReplicationConnection stream,
    ReplicationNames names,
    long start,
    TimeProvider time
) : IDisposable
{
    /// <summary>How many tables are looked at when the interval has passed; where there are more, each is looked at less often.</summary>
    private const int LooksAtOnce = 10;
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(20);

    private readonly List<TableSession> _tables = [];
    private readonly Dictionary<uint, List<TableSession>> _routes = [];
    private LoggedTransaction? _open;
    private long _newest;
    private long _tried;
    private int _looked;
    private bool _isOver;

    /// <summary>Everything before it in the stream has been taken.</summary>
    public long Position { get; private set; } = start;

    /// <summary>What has been confirmed to the server; 0 for nothing.</summary>
    public long Confirmed { get; private set; }

    public void Dispose() => _tables.ForEach(t => t.Dispose());

    /// <summary>The log of a table, or whether it has an error, may have changed.</summary>
    public void Moved() => owner.Moved.Raise();

    /// <summary>A table has other partitions than before.</summary>
    public void Rerouted() => _routes.Clear();

    /// <summary>Transactions up to it have begun.</summary>
    public void Saw(PgSnapshot snapshot) => _newest = Math.Max(_newest, snapshot.Xmax);

    /// <summary>Takes a table in, which goes on in its log, or begins it again for a reason.</summary>
    public void Add(StreamedTable table, FeedStamp stamp, bool goesOn, CancellationToken cancellationToken)
    {
        var added = new TableSession(this, table, connection, cancellationToken);
        _tables.Add(added);
        if (goesOn)
        {
            added.Begin(stamp);
            table.Begun();
        }
        else
        {
            table.Waits(
                $"{table.Options.Table} joins the replication stream when the transactions that are open have ended: what they wrote before may not be told."
            );
            added.Wait(stamp, names.Slot);
        }

        Moved();
    }

    public bool Has(StreamedTable table) => _tables.Exists(t => t.Streamed == table);

    /// <summary>Takes a table out.</summary>
    public void Remove(StreamedTable table)
    {
        if (_tables.Find(t => t.Streamed == table) is not { } session)
            return;
        _tables.Remove(session);
        _routes.Clear();
        session.Dispose();
    }

    /// <summary>Runs until the stream breaks, which is an exception, or has to be begun again from an earlier place.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var messages = stream
            .StartReplication(
                new PgOutputReplicationSlot(names.Slot),
                new PgOutputReplicationOptions(names.Publication, PgOutputProtocolVersion.V1, messages: true),
                stop.Token,
                new NpgsqlLogSequenceNumber((ulong)Position)
            )
            .GetAsyncEnumerator(stop.Token);
        Task<bool>? next = null;
        try
        {
            while (!_isOver)
            {
                next ??= messages.MoveNextAsync().AsTask();
                var attention = owner.Attention.Next;
                await owner.Turn.WaitAsync(stop.Token).ConfigureAwait(false);
                try
                {
                    if (_open is null && !next.IsCompleted)
                        await FlushAsync().ConfigureAwait(false);
                    if (_open is null)
                        await AttendAsync(stop.Token).ConfigureAwait(false);
                }
                finally
                {
                    owner.Turn.Release();
                }

                if (_isOver)
                    break;
                if (!next.IsCompleted)
                    await WaitAsync(next, attention, stop.Token).ConfigureAwait(false);
                if (!next.IsCompleted)
                    continue;
                if (!await next.ConfigureAwait(false))
                    throw new NpgsqlException("The server has ended the stream.");
                next = null;
                await owner.Turn.WaitAsync(stop.Token).ConfigureAwait(false);
                try
                {
                    await TakeAsync(messages.Current, stop.Token).ConfigureAwait(false);
                }
                finally
                {
                    owner.Turn.Release();
                }
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

    private async Task WaitAsync(Task next, Task attention, CancellationToken cancellationToken)
    {
        if (_open is null && _tables.Exists(t => t.IsPending))
            await Task.WhenAny(next, attention, Task.Delay(Moment, time, cancellationToken)).ConfigureAwait(false);
        else
            await Task.WhenAny(next, attention).ConfigureAwait(false);
    }

    private async Task TakeAsync(PgOutputReplicationMessage message, CancellationToken cancellationToken)
    {
        switch (message)
        {
            case BeginMessage begin:
                _open = new LoggedTransaction((long)(ulong)begin.TransactionFinalLsn, Widen(begin.TransactionXid));
                break;
            case RelationMessage relation:
                _routes.Remove(relation.RelationId);
                _tables.ForEach(t => t.Forget(relation.RelationId));
                break;
            case TruncateMessage truncate:
                foreach (var table in _tables)
                {
                    if (truncate.Relations.Any(r => table.Has(r.RelationId)))
                        table.Truncate(_open!.Value);
                }

                break;
            case CommitMessage commit:
                _open = null;
                var end = (long)(ulong)commit.TransactionEndLsn;
                await EachAsync(t => t.EndAsync(end)).ConfigureAwait(false);
                Position = end;
                break;
            default:
                if (RowReader.RelationOf(message) is not { } changed)
                    break;
                foreach (var table in await RouteAsync(changed.RelationId, cancellationToken).ConfigureAwait(false))
                {
                    try
                    {
                        await table.TakeAsync(message, changed, _open!.Value).ConfigureAwait(false);
                    }
                    catch (Exception e) when (IsOwn(table, e))
                    {
                        FallOut(table, e);
                    }
                }

                break;
        }
    }

    /// <summary>
    /// The tables that a relation is, or is a partition of: there may be more partitions than when the tables were looked at last.
    /// </summary>
    private async Task<List<TableSession>> RouteAsync(uint relation, CancellationToken cancellationToken)
    {
        if (_routes.TryGetValue(relation, out var route))
            return route;
        if (_tables.Exists(t => t.MayHave(relation)))
        {
            // The partition may have come with this transaction.
            var ancestors = new List<uint>();
            for (var isShown = false; !isShown; )
            {
                (var snapshot, ancestors) = await ReplicationSetup
                    .AncestorsAsync(connection, relation, cancellationToken)
                    .ConfigureAwait(false);
                isShown = snapshot.Shows(_open!.Value.Txid);
                if (!isShown)
                    await Task.Delay(Moment, time, cancellationToken).ConfigureAwait(false);
            }

            await EachAsync(t => t.MayHave(relation) && ancestors.Exists(t.Is) ? t.RenewAsync(_open!.Value) : Task.CompletedTask)
                .ConfigureAwait(false);
        }

        return _routes[relation] = _tables.FindAll(t => t.Has(relation));
    }

    /// <summary>Commits what has ended, and tells the server what all have.</summary>
    private async Task FlushAsync()
    {
        await EachAsync(t => t.FlushAsync(Position)).ConfigureAwait(false);
        var active = _tables.FindAll(t => !t.IsPending);
        if (active.Count > 0 && owner.MayConfirm)
        {
            Confirmed = Math.Max(Confirmed, active.Min(t => t.Streamed.Log.Durable));
            stream.SetReplicationStatus(new NpgsqlLogSequenceNumber((ulong)Confirmed));
        }

        Moved();
    }

    /// <summary>Between two transactions: tables come, begin and are looked at.</summary>
    private async Task AttendAsync(CancellationToken cancellationToken)
    {
        var joined = owner.TakeJoined();
        var isTime = owner.TakeTick();
        var isMoment = time.GetElapsedTime(_tried) >= Moment && _tables.Exists(t => t.IsPending);
        if (joined.Count == 0 && !isTime && !isMoment && !_tables.Exists(t => t.Streamed.IsLookWanted))
            return;
        _tried = time.GetTimestamp();
        await FlushAsync().ConfigureAwait(false);
        foreach (var table in joined)
        {
            if (!await owner.AddAsync(this, connection, names, table, cancellationToken).ConfigureAwait(false))
                _isOver = true;
        }

        await EachAsync(BeginPendingAsync).ConfigureAwait(false);
        var active = _tables.FindAll(t => !t.IsPending);
        var due = new HashSet<TableSession>(active.Where(t => t.Streamed.TakeLook()));
        for (var i = 0; isTime && i < Math.Min(LooksAtOnce, active.Count); i++)
            due.Add(active[_looked++ % active.Count]);
        await EachAsync(t => due.Contains(t) ? t.LookAgainAsync() : Task.CompletedTask).ConfigureAwait(false);
        foreach (var table in _tables.FindAll(t => t.IsReplaced))
            FallOut(table, null);
    }

    private async Task BeginPendingAsync(TableSession table)
    {
        if (!table.IsPending)
            return;
        await table.TryBeginAsync(Position).ConfigureAwait(false);
        if (table.IsPending)
            return;
        table.Streamed.Begun();
        Moved();
    }

    private async Task EachAsync(Func<TableSession, Task> act)
    {
        foreach (var table in _tables.ToArray())
        {
            try
            {
                await act(table).ConfigureAwait(false);
            }
            catch (Exception e) when (IsOwn(table, e))
            {
                FallOut(table, e);
            }
        }
    }

    /// <summary>Whether an error is one table's, and the stream can go on with the others.</summary>
    private bool IsOwn(TableSession table, Exception error) =>
        error switch
        {
            OperationCanceledException => table.Streamed.Ended.IsCancellationRequested,
            // A transaction that an error of another table has left behind.
            PostgresException { SqlState: "25P02" } => false,
            PostgresException => connection.FullState.HasFlag(System.Data.ConnectionState.Open),
            NpgsqlException or IOException or System.Net.Sockets.SocketException or TimeoutException => false,
            _ => true,
        };

    private void FallOut(TableSession table, Exception? error)
    {
        owner.Remove(table.Streamed);

        // What cannot be made into a record would stop it again and again: it begins after that.
        var streamed = table.Streamed;
        if (error is not null && PostgresErrors.Translate(error, streamed.Options.Table.ToString()) is PostgresTableException)
        {
            streamed.Log.Forget(names.Slot);
            streamed.Live.Restart("none", new CommitPosition(0));
            PostgresLog.Resync(streamed.Options.Logger, streamed.Options.Table, error.Message.TrimEnd('.'));
        }

        streamed.FellOut(error);
        Moved();
    }

    /// <summary>The stream's ids are the lower 32 bits; the whole id is the one next to what was seen last.</summary>
    private long Widen(uint id) => _newest + (int)(id - (uint)_newest);
}
