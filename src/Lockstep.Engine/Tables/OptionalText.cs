using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// Texts that a table's file stores apart from its description, in a table that is missing from files without them; an earlier Lockstep
/// works without them.
/// </summary>
internal sealed class OptionalText
{
    private readonly string _table;
    private readonly string _column;

    private OptionalText(string table, string column) => (_table, _column) = (table, column);

    /// <summary>How another server's feed is read; none for Lockstep's own dialects.</summary>
    public static OptionalText Dialect { get; } = new("lockstep_dialect", "description");

    /// <summary>The value of <see cref="TableState.Asked"/>.</summary>
    public static OptionalText Asked { get; } = new("lockstep_query", "digest");

    /// <summary>The value of <see cref="TableState.Incomplete"/>.</summary>
    public static OptionalText Incomplete { get; } = new("lockstep_incomplete", "at");

    /// <summary>The value of <see cref="TableState.IsImporting"/>, present while true.</summary>
    public static OptionalText Import { get; } = new("lockstep_import", "state");

    /// <summary>The stored text; null if there is none.</summary>
    public string? Load(SqliteConnection connection)
    {
        if (!StageSql.TableExists(connection, _table))
            return null;
        using var command = connection.CreateCommand();
        command.CommandText = $"SELECT {_column} FROM {_table}";
        return command.ExecuteScalar() as string;
    }

    /// <summary>Removes it, in the caller's transaction.</summary>
    public void Remove(SqliteConnection connection)
    {
        if (StageSql.TableExists(connection, _table))
            TableFile.Execute(connection, $"DROP TABLE {_table}");
    }

    /// <summary>Writes it, in the caller's transaction.</summary>
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
