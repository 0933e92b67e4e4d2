using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// Moves the write-ahead log into the table file before its writer closes, so that the file alone is the table. SQLite's own checkpoint at
/// close is not enough: it does nothing while an interrupt is pending, which only the next statement clears, or while another connection
/// has the file open.
/// </summary>
internal static class ClosingCheckpoint
{
    /// <summary>How long an interrupted writer may spend on it: the rest of I10's second is for the feed.</summary>
    private static readonly TimeSpan Budget = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// Runs the checkpoint; whatever stays in the log, because a reader needs it or time is short, remains valid there (I1).
    /// </summary>
    /// <param name="connection">The writer's connection, without a running statement. An open transaction is rolled back.</param>
    /// <param name="path">The table's full path.</param>
    /// <param name="isInterrupted">Whether the writer was interrupted.</param>
    public static void Run(SqliteConnection connection, string path, bool isInterrupted)
    {
        if (connection.State != System.Data.ConnectionState.Open || !HasLog(path))
            return;
        try
        {
            if (SQLitePCL.raw.sqlite3_get_autocommit(connection.Handle) == 0)
                TableFile.Execute(connection, "ROLLBACK");
            // Does not wait for readers. It is also the statement that clears an interrupt that arrived between two others.
            TableFile.Execute(connection, "PRAGMA busy_timeout=0");
            if (!isInterrupted)
            {
                TableFile.Execute(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
                return;
            }

            // Timer and interrupt end before the connection does. The interrupt also prevents SQLite's own checkpoint at close.
            var handle = connection.Handle!.DangerousGetHandle();
            using var timer = new CancellationTokenSource(Budget);
            using var late = timer.Token.Register(() => NativeSqlite.InterruptStatements(handle));
            TableFile.Execute(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
        }
        catch (SqliteException)
        {
            // The log keeps what is not in the file; the next connection finds it there.
        }
    }

    /// <summary>Whether part of a table is in the log beside its file, so that a copy of the file alone would lack it.</summary>
    public static bool HasLog(string path) => new FileInfo(RealPath.Of(path) + "-wal") is { Exists: true, Length: > 0 };
}
