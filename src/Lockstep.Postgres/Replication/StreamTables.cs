using Lockstep.Postgres.Feed;
using Npgsql;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// The tables within one connection's stream, and which of them a relation is, or is a partition of. What fails for one of them does not
/// stop the others: it falls out. Runs on one thread at a time.
/// </summary>
internal sealed class StreamTables(ReplicationStream owner, NpgsqlConnection connection, string slot, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(20);

    private readonly List<TableSession> _tables = [];
    private readonly Dictionary<uint, List<TableSession>> _routes = [];

    /// <summary>Those that have started.</summary>
    public List<TableSession> Active => _tables.FindAll(t => !t.IsPending);

    /// <summary>Whether some must still start.</summary>
    public bool ArePending => _tables.Exists(t => t.IsPending);

    /// <summary>Whether somebody wants one of them examined.</summary>
    public bool IsLookWanted => _tables.Exists(t => t.Streamed.IsLookWanted);

    public void Dispose() => _tables.ForEach(t => t.Dispose());

    public bool Has(StreamedTable table) => _tables.Exists(t => t.Streamed == table);

    /// <summary>Adds a table.</summary>
    public void Add(TableSession table) => _tables.Add(table);

    /// <summary>Removes a table.</summary>
    public void Remove(StreamedTable table)
    {
        if (_tables.Find(t => t.Streamed == table) is not { } session)
            return;
        _tables.Remove(session);
        _routes.Clear();
        session.Dispose();
    }

    /// <summary>A table has other partitions than before.</summary>
    public void Rerouted() => _routes.Clear();

    /// <summary>The stream describes a relation differently than before.</summary>
    public void Forget(uint relation)
    {
        _routes.Remove(relation);
        _tables.ForEach(t => t.Forget(relation));
    }

    /// <summary>Those of which some relations are, or are partitions of, as they were looked at last.</summary>
    public List<TableSession> Of(IEnumerable<uint> relations) => _tables.FindAll(t => relations.Any(t.Has));

    /// <summary>
    /// The tables that a relation, which the open transaction changed, is, or is a partition of: there may be more partitions than
    /// when the tables were looked at last.
    /// </summary>
    public async Task<List<TableSession>> RouteAsync(uint relation, LoggedTransaction open, CancellationToken cancellationToken)
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
                isShown = snapshot.Shows(open.Txid);
                if (!isShown)
                    await Task.Delay(Moment, time, cancellationToken).ConfigureAwait(false);
            }

            await EachAsync(t => t.MayHave(relation) && ancestors.Exists(t.Is) ? t.RenewAsync(open) : Task.CompletedTask)
                .ConfigureAwait(false);
        }

        return _routes[relation] = _tables.FindAll(t => t.Has(relation));
    }

    /// <summary>Does something for each of them.</summary>
    public async Task EachAsync(Func<TableSession, Task> act)
    {
        foreach (var table in _tables.ToArray())
            await OneAsync(table, act).ConfigureAwait(false);
    }

    /// <summary>Does something for one of them, which falls out if that fails.</summary>
    public async Task OneAsync(TableSession table, Func<TableSession, Task> act)
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

    /// <summary>Whether an error concerns one table, and the stream can continue with the others.</summary>
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

    /// <summary>
    /// Removes a table that cannot continue in the stream: because of an error or, without one, because it is no longer the same table.
    /// </summary>
    public void FallOut(TableSession table, Exception? error)
    {
        owner.Members.Remove(table.Streamed);

        // A row that cannot become a record would stop it again and again: it begins after that.
        var streamed = table.Streamed;
        if (error is not null && PostgresErrors.Translate(error, streamed.Options.Table.ToString()) is PostgresTableException)
        {
            streamed.Log.Forget(slot);
            streamed.Live.Restart("none", new CommitPosition(0));
            PostgresLog.Resync(streamed.Options.Logger, streamed.Options.Table, error.Message.TrimEnd('.'));
        }

        streamed.FellOut(error);
        owner.Moved.Raise();
    }
}
