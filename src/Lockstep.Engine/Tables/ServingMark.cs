using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// A table file's description of itself as a feed: the single row of <c>lockstep_serving</c>, created when the table is first served. A
/// cursor given to a client is a sequence number of this table (I11), and is meaningful only together with this identity. Immutable.
/// </summary>
/// <param name="Identity">
/// Changes whenever the sequence numbers issued so far become meaningless: when the table was emptied, copied or restored.
/// </param>
/// <param name="Cleared">The highest sequence number among the tombstones that were removed; a cursor below it may have missed one.</param>
internal sealed record ServingMark(string Identity, long Cleared)
{
    private const string Name = "lockstep_serving";

    /// <summary>A table file's mark; null if the table was never served.</summary>
    public static ServingMark? Load(SqliteConnection connection)
    {
        if (!Exists(connection))
            return null;
        using var command = connection.CreateCommand();
        command.CommandText = $"SELECT identity, cleared FROM {Name}";
        using var row = command.ExecuteReader();
        return row.Read() ? new ServingMark(row.GetString(0), row.GetInt64(1)) : null;
    }

    /// <summary>Whether the table is or was served.</summary>
    public static bool Exists(SqliteConnection connection) => StageSql.TableExists(connection, Name);

    /// <summary>Gives the table an identity if it has none. A sync may run meanwhile: the file is locked only for this row.</summary>
    /// <param name="path">The table file.</param>
    /// <param name="instead">An identity to replace by a new one; null for none.</param>
    /// <exception cref="TableFileException">The file cannot be written.</exception>
    public static void Ensure(string path, string? instead = null)
    {
        using var connection = TableFile.OpenForMarking(path);
        TableFile.Guard(
            path,
            () =>
            {
                TableFile.Execute(connection, "BEGIN IMMEDIATE");
                var mark = Load(connection);
                if (mark is null)
                {
                    TableFile.Execute(connection, $"CREATE TABLE IF NOT EXISTS {Name}(identity TEXT NOT NULL, cleared INTEGER NOT NULL)");
                    TableFile.Execute(connection, $"INSERT INTO {Name}(identity, cleared) VALUES('{NewIdentity()}', 0)");
                }
                else if (mark.Identity == instead)
                {
                    Renew(connection);
                }

                SequenceIndex.Ensure(connection);
                TableFile.Execute(connection, "COMMIT");
                return true;
            }
        );
    }

    /// <summary>
    /// Invalidates every cursor issued so far; in the caller's transaction. Does nothing for a table that was never served.
    /// </summary>
    public static void Renew(SqliteConnection connection)
    {
        if (Exists(connection))
            TableFile.Execute(connection, $"UPDATE {Name} SET identity = '{NewIdentity()}', cleared = 0");
    }

    /// <summary>All tombstones of a table are about to be removed; in the caller's transaction.</summary>
    public static void ClearingAll(SqliteConnection connection)
    {
        if (Exists(connection))
            ClearedUpTo(connection, TableFile.Scalar(connection, $"SELECT max(seq) FROM {TableSchema.Rows} WHERE gone <> 0"));
    }

    /// <summary>Tombstones up to a sequence number have been removed; in the caller's transaction.</summary>
    public static void ClearedUpTo(SqliteConnection connection, long sequence)
    {
        if (Exists(connection))
            TableFile.Execute(connection, FormattableString.Invariant($"UPDATE {Name} SET cleared = max(cleared, {sequence})"));
    }

    private static string NewIdentity() => $"table-{Guid.NewGuid():N}";
}
