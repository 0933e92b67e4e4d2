using System.Diagnostics;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Lockstep.Ticks;

/// <summary>
/// How writers of one file take turns. SQLite keeps no queue: who waits looks again after ever longer pauses, and of twenty that write
/// without a break one may wait half a minute. Here the pauses get shorter the longer one waits, so that the next turn goes, as a rule, to
/// one that has waited long; and no one waits longer than <see cref="TimeoutSeconds"/>.
/// </summary>
internal static class SqliteTurn
{
    /// <summary>How long one waits for others, at most.</summary>
    public const int TimeoutSeconds = 5;

    private const double LongestPauseMs = 25;

    /// <summary>Has a connection that was just opened keep what it commits, and wait for who writes at the moment.</summary>
    public static void Prepare(SqliteConnection connection)
    {
        // SQLite's own waiting looks again after 1, 2, 5 ... ms; the driver's after 150 ms, which is long beside a small tick.
        Check(connection, raw.sqlite3_busy_timeout(connection.Handle, TimeoutSeconds * 1000));
        Execute(connection, "PRAGMA synchronous = FULL");
    }

    /// <summary>Begins a transaction that writes, when it is this writer's turn. Closing the connection undoes what was not committed.</summary>
    /// <exception cref="SqliteException">The others took all the time.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled while it waited.</exception>
    public static void Take(SqliteConnection connection, CancellationToken cancellationToken)
    {
        var waiting = Stopwatch.StartNew();
        Check(connection, raw.sqlite3_busy_timeout(connection.Handle, 0));
        int outcome;
        while (
            (outcome = raw.sqlite3_exec(connection.Handle, "BEGIN IMMEDIATE")) == raw.SQLITE_BUSY
            && waiting.Elapsed.TotalSeconds < TimeoutSeconds
        )
        {
            cancellationToken.ThrowIfCancellationRequested();
            Thread.Sleep((int)Pause(waiting.Elapsed.TotalMilliseconds));
        }

        Check(connection, outcome);

        // From here on only readers are in the way, and they are quick.
        Check(connection, raw.sqlite3_busy_timeout(connection.Handle, TimeoutSeconds * 1000));
    }

    /// <summary>Commits what <see cref="Take"/> began.</summary>
    public static void Commit(SqliteConnection connection) => Execute(connection, "COMMIT");

    /// <summary>
    /// Half a second of waiting gives a look about as often as a commit takes on a slow disk; after two there is one each millisecond.
    /// </summary>
    private static double Pause(double waitedMs) => Math.Clamp(2000 / Math.Max(1, waitedMs), 1, LongestPauseMs);

    private static void Execute(SqliteConnection connection, string sql) => Check(connection, raw.sqlite3_exec(connection.Handle, sql));

    private static void Check(SqliteConnection connection, int outcome) => SqliteException.ThrowExceptionForRC(outcome, connection.Handle);
}
