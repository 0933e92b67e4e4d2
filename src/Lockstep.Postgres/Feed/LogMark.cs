using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// A mark in the server's log, after everything committed before it: this forces that to disk, and gives a stream something to send.
/// </summary>
internal static class LogMark
{
    /// <summary>Writes a mark, and returns when it is on the server's disk; does not wait for a standby.</summary>
    public static Task WriteAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        connection.ExecuteAsync(
            "SELECT set_config('synchronous_commit', 'local', true), pg_logical_emit_message(true, 'lockstep', '')",
            cancellationToken
        );
}
