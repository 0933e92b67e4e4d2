using Lockstep.Postgres.Feed;
using Npgsql;
using Npgsql.Replication;
using Npgsql.Replication.PgOutput;
using Npgsql.Replication.PgOutput.Messages;
using NpgsqlTypes;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// One connection's stream: passes each change to the tables it concerns, and confirms to PostgreSQL what all of them have committed.
/// Tables join and leave while it runs; an error of one does not stop the others. Runs on one thread at a time.
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
    /// <summary>How many tables are examined when the interval has passed; if there are more, each is examined less often.</summary>
    private const int LooksAtOnce = 10;
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(20);

    private readonly StreamTables _tables = new(owner, connection, names.Slot, time);
    private LoggedTransaction? _open;
    private long _newest;
    private long _tried;
    private int _looked;
    private bool _isOver;

    /// <summary>Everything before it in the stream has been processed.</summary>
    public long Position { get; private set; } = start;

    /// <summary>The position confirmed to the server; 0 if none.</summary>
    public long Confirmed { get; private set; }

    public void Dispose() => _tables.Dispose();

    /// <summary>A table's log, or its error, may have changed.</summary>
    public void Moved() => owner.Moved.Raise();

    /// <summary>A table's partitions have changed.</summary>
    public void Rerouted() => _tables.Rerouted();

    /// <summary>Notes which transactions have started, for <see cref="Widen"/>.</summary>
    public void Saw(PgSnapshot snapshot) => _newest = Math.Max(_newest, snapshot.Xmax);

    /// <summary>Adds a table, which continues its log or, for a reason, starts over.</summary>
    public void Add(TableLook found, CancellationToken cancellationToken)
    {
        var (table, stamp) = (found.Table, found.Stamp);
        var added = new TableSession(this, table, connection, cancellationToken);
        _tables.Add(added);
        if (found.GoesOn)
        {
            added.Begin(stamp);
            table.Begun();
        }
        else
        {
            table.Waits(
                $"{table.Options.Table} joins the replication stream once all open transactions have ended: the stream may not "
                    + $"report what they wrote before."
            );
            added.Wait(stamp, names.Slot);
        }

        Moved();
    }

    /// <summary>Removes a table.</summary>
    public void Remove(StreamedTable table) => _tables.Remove(table);

    /// <summary>Runs until the stream breaks, which throws, or must be restarted from an earlier position.</summary>
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
                await owner.Members.Turn.WaitAsync(stop.Token).ConfigureAwait(false);
                try
                {
                    if (_open is null && !next.IsCompleted)
                        await FlushAsync().ConfigureAwait(false);
                    if (_open is null)
                        await AttendAsync(stop.Token).ConfigureAwait(false);
                }
                finally
                {
                    owner.Members.Turn.Release();
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
                await owner.Members.Turn.WaitAsync(stop.Token).ConfigureAwait(false);
                try
                {
                    await TakeAsync(messages.Current, stop.Token).ConfigureAwait(false);
                }
                finally
                {
                    owner.Members.Turn.Release();
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
                // The stream was aborted; the reason is being thrown, or was requested.
            }
        }
    }

    private async Task WaitAsync(Task next, Task attention, CancellationToken cancellationToken)
    {
        if (_open is null && _tables.ArePending)
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
                _tables.Forget(relation.RelationId);
                break;
            case TruncateMessage truncate:
                _tables.Of(truncate.Relations.Select(r => r.RelationId)).ForEach(t => t.Truncate(_open!.Value));
                break;
            case CommitMessage commit:
                _open = null;
                var end = (long)(ulong)commit.TransactionEndLsn;
                await _tables.EachAsync(t => t.EndAsync(end)).ConfigureAwait(false);
                Position = end;
                break;
            default:
                if (RowReader.RelationOf(message) is not { } changed)
                    break;
                var open = _open!.Value;
                foreach (var table in await _tables.RouteAsync(changed.RelationId, open, cancellationToken).ConfigureAwait(false))
                    await _tables.OneAsync(table, t => t.TakeAsync(message, changed, open)).ConfigureAwait(false);
                break;
        }
    }

    /// <summary>Commits the transactions that have ended, and confirms to the server what all tables have.</summary>
    private async Task FlushAsync()
    {
        await _tables.EachAsync(t => t.FlushAsync(Position)).ConfigureAwait(false);
        var active = _tables.Active;
        if (active.Count > 0 && owner.MayConfirm)
        {
            Confirmed = Math.Max(Confirmed, active.Min(t => t.Streamed.Log.Durable));
            stream.SetReplicationStatus(new NpgsqlLogSequenceNumber((ulong)Confirmed));
        }

        Moved();
    }

    /// <summary>Between two transactions: adds, starts and examines tables.</summary>
    private async Task AttendAsync(CancellationToken cancellationToken)
    {
        var joined = owner.Members.TakeJoined();
        var isTime = owner.TakeTick();
        var isMoment = time.GetElapsedTime(_tried) >= Moment && _tables.ArePending;
        if (joined.Count == 0 && !isTime && !isMoment && !_tables.IsLookWanted)
            return;
        _tried = time.GetTimestamp();
        await FlushAsync().ConfigureAwait(false);
        foreach (var table in joined)
        {
            if (!await TryAddAsync(table, cancellationToken).ConfigureAwait(false))
                _isOver = true;
        }

        await _tables.EachAsync(BeginPendingAsync).ConfigureAwait(false);
        var active = _tables.Active;
        var due = new HashSet<TableSession>(active.Where(t => t.Streamed.TakeLook()));
        for (var i = 0; isTime && i < Math.Min(LooksAtOnce, active.Count); i++)
            due.Add(active[_looked++ % active.Count]);
        await _tables.EachAsync(t => due.Contains(t) ? t.LookAgainAsync() : Task.CompletedTask).ConfigureAwait(false);
        _tables.Active.FindAll(t => t.IsReplaced).ForEach(t => _tables.FallOut(t, null));
    }

    /// <summary>Adds a table to the running stream. False if the session must restart from where the table's log ends.</summary>
    private async Task<bool> TryAddAsync(StreamedTable table, CancellationToken cancellationToken)
    {
        if (_tables.Has(table))
            return true;
        var server = await ReplicationSetup.StateAsync(connection, names.Slot, cancellationToken).ConfigureAwait(false);
        if (
            await TableLook.LookAsync(owner.Members, connection, names, server, Confirmed, table, cancellationToken).ConfigureAwait(false)
            is not { } found
        )
        {
            return true;
        }

        if (found.GoesOn && table.Log.Position < Position)
            return false;
        TableLook.Report([found]);
        Add(found, cancellationToken);
        return true;
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

    /// <summary>The stream's ids are the lower 32 bits; the full id is the one closest to the last seen.</summary>
    private long Widen(uint id) => _newest + (int)(id - (uint)_newest);
}
