using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// The index that finds a served table's changes (I11). Without it each query reads the whole table, which is acceptable now and then but
/// not for a server that queries after each commit. It doubles the cost of a write, so a table that is not served has none.
/// </summary>
internal static class SequenceIndex
{
    public const string Name = "lockstep_row_seq";

    /// <summary>Creates the index, in the caller's transaction, if the table is served, has records and has no index yet.</summary>
    public static void Ensure(SqliteConnection connection)
    {
        if (ServingMark.Exists(connection) && StageSql.TableExists(connection, TableSchema.Rows))
            TableFile.Execute(connection, $"CREATE INDEX IF NOT EXISTS {Name} ON {TableSchema.Rows}(seq)");
    }
}
