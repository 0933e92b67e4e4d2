using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// The index by which a served table's changes are found (I11). Without it each look reads the whole table, which one who looks now and
/// then can bear, but not a server that looks at each commit; it doubles the cost of a write, which a table that is not served is spared.
/// </summary>
internal static class SequenceIndex
{
    public const string Name = "lockstep_row_seq";

    /// <summary>Makes the index, within the caller's transaction, where the table is served, has records and no index yet.</summary>
    public static void Ensure(SqliteConnection connection)
    {
        if (ServingMark.Exists(connection) && StageSql.TableExists(connection, TableSchema.Rows))
            TableFile.Execute(connection, $"CREATE INDEX IF NOT EXISTS {Name} ON {TableSchema.Rows}(seq)");
    }
}
