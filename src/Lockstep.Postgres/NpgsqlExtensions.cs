using Npgsql;

namespace Lockstep.Postgres;

/// <summary>Shorthands for common operations on a connection.</summary>
internal static class NpgsqlExtensions
{
    /// <summary>Runs one query with positional parameters and reads its rows.</summary>
    public static async Task<List<T>> QueryAsync<T>(
        this NpgsqlConnection connection,
        string sql,
        object[] parameters,
        Func<NpgsqlDataReader, T> read,
        CancellationToken cancellationToken
    )
    {
        await using var command = new NpgsqlCommand(sql, connection);
        foreach (var parameter in parameters)
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            var rows = new List<T>();
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                rows.Add(read(reader));
            return rows;
        }
    }

    /// <summary>Runs statements without results.</summary>
    public static async Task ExecuteAsync(this NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Adds a statement with positional parameters; null becomes a NULL of unknown type.</summary>
    public static void Add(this NpgsqlBatch batch, string sql, params object?[] parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var parameter in parameters)
            command.Parameters.Add(new NpgsqlParameter { Value = parameter ?? DBNull.Value });
        batch.BatchCommands.Add(command);
    }
}
