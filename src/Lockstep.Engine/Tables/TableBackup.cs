using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// Copies a table file while it is in use, and verifies the copy. A new file is written under another name beside it, so that a backup is
/// visible only when complete.
/// </summary>
internal static class TableBackup
{
    /// <summary>Writes the copy. The caller holds the writer's lock of the target (I12).</summary>
    /// <param name="source">The table to copy.</param>
    /// <param name="target">The full path; an existing table file is overwritten in place, in one transaction.</param>
    /// <exception cref="TableFileException">The copy cannot be written, or is incomplete; no new file is left behind.</exception>
    public static void Write(SqliteConnection source, string target)
    {
        // An existing file is written through SQLite, which knows its log: no other file may take over its name (I12).
        if (File.Exists(target))
        {
            TableFile.Guard(target, () => CopyAndCheck(source, target, target));
            return;
        }

        var partial = $"{target}.{Guid.NewGuid():N}.partial";
        try
        {
            TableFile.Guard(
                target,
                () =>
                {
                    PrivateFile.MakeLike(partial, source.DataSource);
                    CopyAndCheck(source, partial, target);
                    File.Move(partial, target, overwrite: false);
                }
            );
        }
        finally
        {
            TableFile.DeleteUnused(partial);
        }
    }

    private static void CopyAndCheck(SqliteConnection source, string file, string target)
    {
        using var copy = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Pooling = false }.ConnectionString);
        copy.Open();
        Native.SqliteLibrary.Distrust(copy);
        source.BackupDatabase(copy);
        if (WhatIsWrong(copy) is { } fault)
        {
            throw new TableFileException(
                target,
                $"The copy '{target}' of the table is incomplete: {fault}",
                "The table file itself may be damaged: keep the last good backup, and sync to a new file."
            );
        }

        // From here on the two diverge: a cursor of one means nothing to the other.
        ServingMark.Renew(copy);
    }

    /// <summary>
    /// What is wrong with a copy, or null: its pages must be sound, and it must contain the records that it claims to have.
    /// </summary>
    private static string? WhatIsWrong(SqliteConnection copy)
    {
        using var check = copy.CreateCommand();
        check.CommandText = "PRAGMA integrity_check(1)";
        if (check.ExecuteScalar() is not "ok" and var found)
            return $"{found}";
        var state = TableState.Load(copy);
        var rows = StageSql.TableExists(copy, TableSchema.Rows)
            ? TableFile.Scalar(copy, $"SELECT count(*) FROM {TableSchema.Rows} WHERE gone = 0")
            : 0;
        return rows == state.Rows ? null : FormattableString.Invariant($"it has {rows} records but claims to have {state.Rows}");
    }
}
