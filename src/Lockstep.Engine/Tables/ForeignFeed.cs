using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// How another server's feed is read, in a table's file: a table of its own, which the files of Lockstep's own feeds lack.
/// </summary>
internal static class ForeignFeed
{
    private const string Table = "lockstep_dialect";

    /// <summary>What the file says; null where it is of Lockstep's own dialects.</summary>
    public static string? Load(SqliteConnection connection)
    {
        if (!StageSql.TableExists(connection, Table))
            return null;
        using var command = connection.CreateCommand();
        command.CommandText = $"SELECT description FROM {Table}";
        return command.ExecuteScalar() as string;
    }

    /// <summary>Forgets it, within the caller's transaction.</summary>
    public static void Remove(SqliteConnection connection) => TableFile.Execute(connection, $"DROP TABLE IF EXISTS {Table}");

    /// <summary>Writes it, within the caller's transaction.</summary>
    public static void Save(SqliteConnection connection, string description)
    {
        if (Load(connection) == description)
            return;
        using var command = connection.CreateCommand();
        command.CommandText =
            $"CREATE TABLE IF NOT EXISTS {Table}(description TEXT NOT NULL); DELETE FROM {Table}; INSERT INTO {Table} VALUES($description)";
        command.Parameters.AddWithValue("$description", description);
        command.ExecuteNonQuery();
    }
}
