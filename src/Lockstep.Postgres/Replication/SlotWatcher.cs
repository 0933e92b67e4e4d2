using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;
using Npgsql;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// Monitors a slot apart from the stream, so that a stalled stream is noticed too: how much of its log the server keeps for the slot, and
/// whether that is too much.
/// </summary>
internal sealed class SlotWatcher(NpgsqlDataSource source, string slot, StreamMembers members, TimeProvider time)
{
    /// <summary>
    /// How far the stream's position may fall behind on a server that is busy with other tables, about which the stream reports nothing,
    /// before a mark gives it something to report.
    /// </summary>
    private const long QuietBytes = 1 << 20;

    // A slot without a restart position is lost. The server's own limit is in megabytes, -1 for none.
    private const string Look = """
        SELECT coalesce(pg_current_wal_lsn() - restart_lsn, 0)::bigint, coalesce(pg_current_wal_lsn() - confirmed_flush_lsn, 0)::bigint,
            (SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size')
        FROM pg_replication_slots WHERE slot_name = $1
        """;

    private volatile PostgresSlotState? _state;

    /// <summary>The last state seen; null if there is no slot.</summary>
    public PostgresSlotState? State => _state;

    /// <summary>Monitors until the slot's lag exceeds the limit, or until cancelled.</summary>
    /// <param name="looked">Called after each check, even a failed one.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The excessive lag; null if cancelled.</returns>
    public async Task<long?> RunAsync(Action looked, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                if (
                    await LookAsync(cancellationToken).ConfigureAwait(false) is { } lag
                    && members.Tables.Exists(t => lag > t.Options.Replication!.MaxSlotLagBytes)
                )
                {
                    return lag;
                }

                looked();
            }
            catch (Exception e) when (e is NpgsqlException or System.Net.Sockets.SocketException or TimeoutException or IOException)
            {
                // The stream has to find out whether the server is gone: a server that is shutting down waits for the stream to end.
                looked();
            }
            catch (OperationCanceledException)
            {
                return null;
            }

            try
            {
                var interval = members.Tables.Select(t => t.Options.PollInterval).DefaultIfEmpty(TimeSpan.FromSeconds(1)).Min();
                await Task.Delay(interval, time, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return null;
            }
        }
    }

    private async Task<long?> LookAsync(CancellationToken cancellationToken)
    {
        var connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var found = await connection
                .QueryAsync(Look, [slot], r => (Kept: r.GetInt64(0), Unconfirmed: r.GetInt64(1), Bound: r.GetInt64(2)), cancellationToken)
                .ConfigureAwait(false);
            if (found is not [var seen])
            {
                _state = null;
                return null;
            }

            _state = new PostgresSlotState(slot, seen.Kept, seen.Bound < 0 ? null : seen.Bound << 20);
            members.Tables.ForEach(t => t.Metrics.SlotSeen(seen.Kept));
            if (seen.Unconfirmed > QuietBytes)
                await LogMark.WriteAsync(connection, cancellationToken).ConfigureAwait(false);
            return seen.Kept;
        }
    }
}
