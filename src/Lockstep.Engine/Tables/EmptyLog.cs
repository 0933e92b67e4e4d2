using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// The write-ahead log and its shared memory that SQLite creates for a reader, and that only a writing connection removes. Left beside a
/// table, they look like part of it.
/// </summary>
internal static class EmptyLog
{
    /// <summary>
    /// Removes them if the log is empty and no other process or connection has the file open. SQLite itself decides that: deleting them by
    /// name could remove the log of a writer that is just starting (I1).
    /// </summary>
    /// <param name="path">The table's full path. The caller has closed its own connection.</param>
    public static void Remove(string path)
    {
        try
        {
            if (TableFile.IsOpen(path) || new FileInfo(RealPath.Of(path) + "-wal") is not { Exists: true, Length: 0 })
                return;
            using var connection = TableFile.ConnectToWrite(path);
            // Another program is using it: its files are its own business.
            TableFile.Execute(connection, "PRAGMA busy_timeout=0");
            using var look = new Statement(connection, "SELECT count(*) FROM sqlite_master");
            look.Step();
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            // They do no harm, and the next writer removes them.
        }
    }
}
