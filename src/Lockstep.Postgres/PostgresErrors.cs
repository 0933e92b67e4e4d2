using System.Net.Sockets;
using Lockstep.Engine;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Npgsql;

namespace Lockstep.Postgres;

/// <summary>The table, the view or one of its columns is missing, or is not what a feed needs.</summary>
public sealed class PostgresTableException : LockstepException
{
    /// <summary>Says what is missing and what to do.</summary>
    public PostgresTableException(string message, Remedy remedy, Exception? inner = null)
        : base(ErrorKind.NotFound, message, remedy, inner) { }
}

/// <summary>The database refuses this user: the password is wrong, or a privilege is missing.</summary>
public sealed class PostgresAccessException : LockstepException
{
    /// <summary>Says what was refused and what to do; holds no password (I9).</summary>
    public PostgresAccessException(string message, Remedy remedy, Exception? inner = null)
        : base(ErrorKind.AccessDenied, message, remedy, inner) { }
}

/// <summary>The server is not set up for logical replication, or the replication slot or publication does not belong to the feed.</summary>
public sealed class PostgresReplicationException : LockstepException
{
    /// <summary>Says what is wrong and what to do.</summary>
    public PostgresReplicationException(string message, Remedy remedy, Exception? inner = null)
        : base(ErrorKind.DatabaseSetup, message, remedy, inner) { }
}

/// <summary>Classifies the driver's errors by what a caller can do about them.</summary>
internal static class PostgresErrors
{
    /// <summary>Whether the same request may succeed later without anybody intervening.</summary>
    public static bool IsPassing(Exception error) =>
        error switch
        {
            // Class 57P: shut down, starting up, crashed; class 08: connection; 53: resources; 40: serialisation and conflicts with
            // recovery; 55P03: a lock not acquired in time; 57014 (cancelled): the statement timeout.
            PostgresException e => e.SqlState.StartsWith("57P", StringComparison.Ordinal)
                || e.SqlState.StartsWith("08", StringComparison.Ordinal)
                || e.SqlState.StartsWith("53", StringComparison.Ordinal)
                || e.SqlState.StartsWith("40", StringComparison.Ordinal)
                || e.SqlState is "55P03" or "57014",
            NpgsqlException or SocketException or TimeoutException or IOException => true,
            FeedUnavailableException => true,
            _ => false,
        };

    /// <summary>Whether followers must be cut off, because they get nothing more until somebody acts.</summary>
    public static bool EndsService(Exception translated) => translated is PostgresAccessException;

    /// <summary>
    /// Class 22: a value that its type cannot represent, that is out of range, or whose text is invalid in the database's encoding.
    /// </summary>
    public static bool IsOfData(Exception error) => error is PostgresException e && e.SqlState.StartsWith("22", StringComparison.Ordinal);

    /// <summary>Text that is not UTF-8 or has no equivalent in it. A SQL_ASCII database accepts any bytes.</summary>
    public static bool IsOfEncoding(Exception error) => error is PostgresException { SqlState: "22021" or "22P05" };

    /// <summary>A column or table has gone since its description was read.</summary>
    public static bool IsStaleDescription(Exception error) =>
        error is PostgresException { SqlState: "42703" or "42P01" or "42883" or "42804" or "3F000" or "0A000" or "XX000" };

    /// <summary>
    /// Whether the error comes from the driver or a layer below it: a peer that is no database can make the driver throw anything.
    /// </summary>
    public static bool IsOfDriver(Exception error) =>
        error is NpgsqlException or SocketException or TimeoutException
        || (
            error is not (LockstepException or OperationCanceledException or ObjectDisposedException)
            && error.StackTrace?.Contains(" Npgsql.", StringComparison.Ordinal) == true
        );

    /// <summary>What the server or the driver said, shortened.</summary>
    public static string Shown(Exception error) => ForeignText.Shorten(error.GetBaseException().Message);

    private static string Said(PostgresException error) => ForeignText.Shorten(error.MessageText);

    /// <summary>
    /// Translates one of the driver's errors into the one to show to a caller. The inner exception is kept for debuggers only.
    /// </summary>
    /// <param name="error">The driver's.</param>
    /// <param name="target">What was being read or changed.</param>
    /// <param name="source">The connections, which know where the server is.</param>
    public static Exception Translate(Exception error, string target, NpgsqlDataSource? source = null) =>
        error switch
        {
            PostgresException { SqlState: "28P01" or "28000" } e => new PostgresAccessException(
                $"PostgreSQL refuses the login for {target} ({e.SqlState}).",
                "Check the user name, the password and pg_hba.conf.",
                e
            ),
            PostgresException { SqlState: "42501" } e => new PostgresAccessException(
                $"{target}: {Said(e)} ({e.SqlState}).",
                "Grant this user SELECT on the table (and on its tombstones in the schema lockstep, if it is tracked) and "
                    + "USAGE on the schemas.",
                e
            ),
            PostgresException { SqlState: "3D000" } e => new PostgresAccessException(
                $"{Said(e)} ({e.SqlState}).",
                "Check the connection string.",
                e
            ),
            PostgresException { SqlState: "42P01" or "3F000" } e => new PostgresTableException(
                $"{target}: {Said(e)} ({e.SqlState}).",
                "Check the name, its case and the schema.",
                e
            ),
            // A SQL_ASCII database accepts any bytes; a feed's JSON is UTF-8.
            PostgresException e when IsOfEncoding(e) => new PostgresTableException(
                $"{target} holds text that is not UTF-8: {Said(e)} ({e.SqlState}).",
                "Repair those values, or serve a view that leaves the column out or converts it (convert_from).",
                e
            ),
            PostgresException { SqlState: "53300" } e => new FeedUnavailableException(
                $"PostgreSQL has no connection left for {target}: {Said(e)} ({e.SqlState}). Raise the role's "
                    + $"CONNECTION LIMIT or max_connections, or let the feed use fewer connections (MaxReaders).",
                TimeSpan.FromSeconds(1),
                e
            ),
            PostgresException { SqlState: "53400" } e => new PostgresReplicationException(
                $"PostgreSQL has no room for another replication slot or sender: {Said(e)} ({e.SqlState}).",
                "Raise max_replication_slots and max_wal_senders and restart the server, or drop a slot that no one needs.",
                e
            ),
            PostgresException e when !IsPassing(e) => new PostgresTableException(
                $"{target}: {Said(e)} ({e.SqlState}).",
                "See PostgreSQL's list of error codes for the one in parentheses.",
                e
            ),
            PostgresException e => new FeedUnavailableException(
                $"PostgreSQL cannot serve {target} at the moment: {Said(e)} ({e.SqlState}).",
                TimeSpan.FromSeconds(1),
                e
            ),
            _ when (IsPassing(error) || IsOfDriver(error)) && error is not FeedUnavailableException => new FeedUnavailableException(
                $"PostgreSQL{PostgresConnection.Place(source)} cannot be reached for {target}: {Shown(error)}",
                "Check the host and port of the connection string, and that the server runs and accepts connections from here.",
                TimeSpan.FromSeconds(1),
                error
            ),
            _ => error,
        };
}
