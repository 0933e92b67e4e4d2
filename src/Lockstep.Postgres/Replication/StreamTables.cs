using Lockstep.Postgres.Feed;
using Npgsql;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// The tables in one connection's stream, and which of them a relation is or is a partition of. A table that fails drops out and does not
/// stop the others. Runs on one thread at a time.
/// </summary>
internal sealed class StreamTables(ReplicationStream owner, NpgsqlConnection connection, string slot, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(20);

    private readonly List<TableSession> _tables = [];
    private readonly Dictionary<uint, List<TableSession>> _routes = [];

    /// <summary>Those that have started.</summary>
    public List<TableSession> Active => _tables.FindAll(t => !t.IsPending);

    /// <summary>Whether some have yet to start.</summary>
    public bool ArePending => _tables.Exists(t => t.IsPending);

    /// <summary>Whether one of them is to be examined soon.</summary>
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

    /// <summary>A table's partitions have changed.</summary>
    public void Rerouted() => _routes.Clear();

    /// <summary>Forgets a relation, because the stream describes it differently now.</summary>
    public void Forget(uint relation)
    {
        _routes.Remove(relation);
        _tables.ForEach(t => t.Forget(relation));
    }

    /// <summary>The tables which any of the relations are, or are partitions of, as of the last examination.</summary>
    public List<TableSession> Of(IEnumerable<uint> relations) => _tables.FindAll(t => relations.Any(t.Has));

    /// <summary>
    /// The tables which a relation, changed by the open transaction, is or is a partition of; there may be more partitions than at the last
    /// examination.
    /// </summary>
    public async Task<List<TableSession>> RouteAsync(uint relation, LoggedTransaction open, CancellationToken cancellationToken)
    {
        if (_routes.TryGetValue(relation, out var route))
            return route;
        if (_tables.Exists(t => t.MayHave(relation)))
        {
            // The transaction may have created the partition.
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

    /// <summary>Runs an action for each of them.</summary>
    public async Task EachAsync(Func<TableSession, Task> act)
    {
        foreach (var table in _tables.ToArray())
            await OneAsync(table, act).ConfigureAwait(false);
    }

    /// <summary>Runs an action for one of them, which drops out if it fails.</summary>
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

    /// <summary>Whether an error concerns only one table, so that the stream can continue with the others.</summary>
    private bool IsOwn(TableSession table, Exception error) =>
        error switch
        {
            OperationCanceledException => table.Streamed.Ended.IsCancellationRequested,
            // The transaction was already aborted by an error of another table.
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

        // A row that cannot become a record would stop the table again and again, so it restarts after that row.
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
