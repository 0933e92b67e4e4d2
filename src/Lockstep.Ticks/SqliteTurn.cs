using System.Diagnostics;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Lockstep.Ticks;

/// <summary>
/// How writers of one file take turns. SQLite has no queue: a waiting writer retries after ever longer pauses, and of twenty that write
/// without a break one may wait half a minute. Here the one that has waited longest goes first (<see cref="SqliteQueue"/>), and none waits
/// longer than <see cref="TimeoutSeconds"/>.
/// </summary>
internal static class SqliteTurn
{
    /// <summary>The longest wait for other writers.</summary>
    public const int TimeoutSeconds = 10;

    private const double LongestPauseMs = 25;

    /// <summary>Makes a newly opened connection durable, and makes it wait for a current writer.</summary>
    public static void Prepare(SqliteConnection connection)
    {
        // SQLite's own waiting retries after 1, 2, 5 ... ms; the driver's after 150 ms, which is long compared to a small tick.
        Check(connection, raw.sqlite3_busy_timeout(connection.Handle, TimeoutSeconds * 1000));
        Execute(connection, "PRAGMA synchronous = FULL");
    }

    /// <summary>
    /// Begins a write transaction when it is this writer's turn. Closing the connection rolls back what was not committed.
    /// </summary>
    /// <param name="connection">The connection.</param>
    /// <param name="path">The store's file.</param>
    /// <param name="cancellationToken">Cancels the waiting.</param>
    /// <exception cref="SqliteException">Others held the file for too long.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled while it waited.</exception>
    public static void Take(SqliteConnection connection, string path, CancellationToken cancellationToken)
    {
        using var queue = new SqliteQueue(path + "-waiting");
        var waiting = Stopwatch.StartNew();
        Check(connection, raw.sqlite3_busy_timeout(connection.Handle, 0));
        var outcome = raw.SQLITE_BUSY;
        while (true)
        {
            var isLast = waiting.Elapsed.TotalSeconds >= TimeoutSeconds;
            if (isLast || queue.IsFirst())
                outcome = raw.sqlite3_exec(connection.Handle, "BEGIN IMMEDIATE");
            if (isLast || outcome != raw.SQLITE_BUSY)
                break;
            cancellationToken.ThrowIfCancellationRequested();
            queue.Wait();
            Thread.Sleep(Pause(waiting.Elapsed));
        }

        Check(connection, outcome);

        // From here on only readers are in the way, and they are quick.
        Check(connection, raw.sqlite3_busy_timeout(connection.Handle, TimeoutSeconds * 1000));
    }

    /// <summary>Commits what <see cref="Take"/> began.</summary>
    public static void Commit(SqliteConnection connection) => Execute(connection, "COMMIT");

    /// <summary>
    /// How long to pause before the next attempt: the longer the wait so far, the shorter. After half a second that is less than a commit
    /// takes on a slow disk; after two there is an attempt every millisecond.
    /// </summary>
    private static TimeSpan Pause(TimeSpan waited) =>
        TimeSpan.FromMilliseconds(Math.Clamp(2000 / Math.Max(1, waited.TotalMilliseconds), 1, LongestPauseMs));

    private static void Execute(SqliteConnection connection, string sql) => Check(connection, raw.sqlite3_exec(connection.Handle, sql));

    private static void Check(SqliteConnection connection, int outcome) => SqliteException.ThrowExceptionForRC(outcome, connection.Handle);
}
