using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// Texts that a table's file keeps beside its description, in a table that files without them lack: an earlier Lockstep continues without
/// them.
/// </summary>
internal sealed class OptionalText
{
    private readonly string _table;
    private readonly string _column;

    private OptionalText(string table, string column) => (_table, _column) = (table, column);

    /// <summary>How another server's feed is read; none for Lockstep's own dialects.</summary>
    public static OptionalText Dialect { get; } = new("lockstep_dialect", "description");

    /// <summary>What <see cref="TableState.Asked"/> is.</summary>
    public static OptionalText Asked { get; } = new("lockstep_query", "digest");

    /// <summary>What <see cref="TableState.Incomplete"/> is.</summary>
    public static OptionalText Incomplete { get; } = new("lockstep_incomplete", "at");

    /// <summary>What <see cref="TableState.IsImporting"/> is, while it is so.</summary>
    public static OptionalText Import { get; } = new("lockstep_import", "state");

    /// <summary>What the file says; null if it says nothing.</summary>
    public string? Load(SqliteConnection connection)
    {
        if (!StageSql.TableExists(connection, _table))
            return null;
        using var command = connection.CreateCommand();
        command.CommandText = $"SELECT {_column} FROM {_table}";
        return command.ExecuteScalar() as string;
    }

    /// <summary>Forgets it, within the caller's transaction.</summary>
    public void Remove(SqliteConnection connection)
    {
        if (StageSql.TableExists(connection, _table))
            TableFile.Execute(connection, $"DROP TABLE {_table}");
    }

    /// <summary>Writes it, within the caller's transaction.</summary>
    public void Save(SqliteConnection connection, string text)
    {
        if (Load(connection) == text)
            return;
        using var command = connection.CreateCommand();
        command.CommandText =
            $"CREATE TABLE IF NOT EXISTS {_table}({_column} TEXT NOT NULL); DELETE FROM {_table}; INSERT INTO {_table} VALUES($text)";
        command.Parameters.AddWithValue("$text", text);
        command.ExecuteNonQuery();
    }
}
