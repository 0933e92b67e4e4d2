using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;
using Npgsql;
using Npgsql.Replication;
using Npgsql.Replication.PgOutput;

namespace Lockstep.Postgres.Replication;

/// <summary>A stream's slot over its lifetime: waits while another process uses it, creates it and drops it.</summary>
internal sealed class StreamSlot(ReplicationNames names, StreamMembers members, Signal moved, TimeProvider time)
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(20);

    /// <summary>Waits until the slot is free, and returns the server's state.</summary>
    public async Task<ServerState> WaitAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        for (var since = time.GetTimestamp(); ; )
        {
            var server = await ReplicationSetup.StateAsync(connection, names.Slot, cancellationToken).ConfigureAwait(false);
            if (server.Slot?.ActivePid is null)
                return server;

            // A process that was cut off keeps the slot until the server notices.
            if (time.GetElapsedTime(since) > members.Tables.Select(t => t.Options.Patience).DefaultIfEmpty().Max())
                throw ReplicationSetup.InUse(names.Slot);
            await Task.Delay(Moment * 5, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Creates the slot, replacing one from which no table can continue; returns the position at which its stream starts.
    /// </summary>
    public async Task<long> MakeAsync(
        NpgsqlConnection connection,
        LogicalReplicationConnection stream,
        ServerSlot? former,
        List<TableLook> tables,
        CancellationToken cancellationToken
    )
    {
        if (former is not null)
        {
            if (!names.OwnsSlot && !tables.Exists(t => t.Table.Log.Slot == names.Slot))
            {
                throw new PostgresReplicationException(
                    $"There is a replication slot {names.Slot}, which is not that of the log "
                        + $"{tables[0].Table.Options.Replication!.LogPath}.",
                    $"Name another slot, or drop that one if no one needs it: SELECT pg_drop_replication_slot('{names.Slot}')"
                );
            }

            await ReplicationSetup.DropSlotAsync(connection, names.Slot, cancellationToken).ConfigureAwait(false);
        }

        await members
            .InTurnAsync(
                () =>
                {
                    Forget(tables.ConvertAll(t => t.Table));
                    foreach (var (table, _, _) in tables)
                    {
                        table.Waits(
                            $"The replication slot for {table.Options.Table} is being created: PostgreSQL waits for "
                                + $"all open transactions to end."
                        );
                    }
                },
                cancellationToken
            )
            .ConfigureAwait(false);

        // However long that takes: it ends with the oldest transaction, or when the watcher finds that the server keeps too much meanwhile.
        if (connection.PostgreSqlVersion.Major >= ReplicationSetup.FailoverVersion)
            return await ReplicationSetup.MakeFailoverSlotAsync(connection, names.Slot, cancellationToken).ConfigureAwait(false);
        var slot = await stream
            .CreatePgOutputReplicationSlot(
                names.Slot,
                slotSnapshotInitMode: LogicalSlotSnapshotInitMode.NoExport,
                cancellationToken: cancellationToken
            )
            .ConfigureAwait(false);
        return (long)(ulong)slot.ConsistentPoint;
    }

    /// <summary>Drops the slot; all tables start over.</summary>
    /// <param name="source">The database.</param>
    /// <param name="lag">How many bytes too many the server keeps for it.</param>
    /// <param name="why">Another reason; null if it is that.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task GiveUpAsync(NpgsqlDataSource source, long lag, string? why, CancellationToken cancellationToken)
    {
        var connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            while (true)
            {
                try
                {
                    await ReplicationSetup.DropSlotAsync(connection, names.Slot, cancellationToken).ConfigureAwait(false);
                    break;
                }
                catch (FeedUnavailableException)
                {
                    // The server process of the stream has not ended yet.
                    await Task.Delay(Moment, time, cancellationToken).ConfigureAwait(false);
                }
            }
        }

        var tables = members.Tables;
        await members.InTurnAsync(() => Forget(tables), cancellationToken).ConfigureAwait(false);
        var bound = tables.Select(t => t.Options.Replication!.MaxSlotLagBytes).DefaultIfEmpty().Min();
        foreach (var table in tables)
        {
            table.Metrics.SlotDropped();
            if (why is null)
                PostgresLog.SlotDropped(table.Options.Logger, table.Options.Table, names.Slot, lag >> 20, bound >> 20);
            else
                PostgresLog.Resync(table.Options.Logger, table.Options.Table, why);
        }
    }

    private void Forget(List<StreamedTable> tables)
    {
        var present = members.Tables;
        foreach (var table in tables.FindAll(present.Contains))
        {
            table.Log.Forget(names.Slot);
            table.Live.Restart("none", new CommitPosition(0));
        }

        moved.Raise();
    }
}
