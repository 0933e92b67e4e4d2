using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// The write-ahead log and its shared memory that SQLite makes for whoever reads a file, and that only a connection which may write
/// removes. To those who see them beside a table they look like a part of it.
/// </summary>
internal static class EmptyLog
{
    /// <summary>
    /// Removes them where there is nothing in the log and nobody else, of whatever process, has the file open. SQLite itself decides that:
    /// removing them by their names could take away the log of a writer that begins (I1).
    /// </summary>
    /// <param name="path">The table's full path. The caller has closed its own connection.</param>
    public static void Remove(string path)
    {
        try
        {
            if (TableFile.IsOpen(path) || new FileInfo(RealPath.Of(path) + "-wal") is not { Exists: true, Length: 0 })
                return;
            using var connection = TableFile.ConnectToWrite(path);
            // What another program holds is left to it.
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
