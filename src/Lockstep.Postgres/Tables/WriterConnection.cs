using Npgsql;

namespace Lockstep.Postgres.Tables;

/// <summary>A writing connection whose work any thread can interrupt; otherwise one thread at a time.</summary>
/// <param name="connection">Open; owned by this.</param>
/// <param name="description">A description of the table, for errors.</param>
internal sealed class WriterConnection(NpgsqlConnection connection, string description) : IDisposable
{
    /// <summary>How long a server that has become silent is waited for at the end.</summary>
    private const int MostSeconds = 1;

    private NpgsqlCommand? _running;
    private volatile bool _interrupted;

    /// <summary>Interrupts the running work, and any that is attempted later.</summary>
    public void Interrupt()
    {
        _interrupted = true;
        Volatile.Read(ref _running)?.Cancel();
    }

    /// <exception cref="OperationCanceledException">It was interrupted.</exception>
    public void ThrowIfInterrupted()
    {
        if (_interrupted)
            throw new OperationCanceledException("The commit was interrupted.");
    }

    /// <summary>Runs work in its own transaction, and commits it.</summary>
    /// <exception cref="OperationCanceledException">It was interrupted; nothing of the work is kept.</exception>
    /// <exception cref="TableStoreUnavailableException">The connection to the database was lost.</exception>
    /// <exception cref="TableDamagedException">The table holds what is no key.</exception>
    public T InTransaction<T>(Func<T> work)
    {
        try
        {
            using var transaction = connection.BeginTransaction();
            var result = work();
            ThrowIfInterrupted();
            transaction.Commit();
            return result;
        }
        catch (Exception e)
        {
            if (_interrupted)
                throw new OperationCanceledException("The commit was interrupted.", e);
            if (e is InvalidDataException damaged)
                throw new TableDamagedException(description, damaged);
            if (e is InvalidOperationException or IOException || PostgresErrors.IsOfDriver(e))
                throw PostgresTableStore.Translate(e, description);
            throw;
        }
    }

    public NpgsqlBinaryImporter Copy(string sql)
    {
        ThrowIfInterrupted();
        var copy = connection.BeginBinaryImport(sql);
        copy.Timeout = TimeSpan.Zero;
        return copy;
    }

    public int Run(string sql, params object[] parameters)
    {
        using var command = Begin(sql, parameters);
        var count = command.ExecuteNonQuery();
        Volatile.Write(ref _running, null);
        return count;
    }

    public void Read(string sql, Action<NpgsqlDataReader> take, params object[] parameters)
    {
        using var command = Begin(sql, parameters);
        using (var row = command.ExecuteReader())
        {
            while (row.Read())
                take(row);
        }

        Volatile.Write(ref _running, null);
    }

    /// <summary>Gives up the lead at once: the server would notice a moment later that the connection is closed.</summary>
    public void Dispose()
    {
        try
        {
            if (!_interrupted && connection.FullState == System.Data.ConnectionState.Open)
            {
                using var command = new NpgsqlCommand(TableSql.GiveUp, connection) { CommandTimeout = MostSeconds };
                command.ExecuteNonQuery();
            }
        }
        catch (Exception e) when (e is InvalidOperationException or IOException || PostgresErrors.IsOfDriver(e))
        {
            // It ends with the connection.
        }
        finally
        {
            connection.Dispose();
        }
    }

    private NpgsqlCommand Begin(string sql, object[] parameters)
    {
        var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        foreach (var parameter in parameters)
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        Volatile.Write(ref _running, command);
        ThrowIfInterrupted();
        return command;
    }
}
