using Npgsql;
using Npgsql.Replication;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// One attempt at streaming: a connection, what the logs can continue from, the slot's watcher, and a session until it breaks.
/// </summary>
internal sealed class StreamTry(ReplicationStream owner, NpgsqlDataSource source, string connectionString, TimeProvider time)
{
    /// <summary>Streams until the connection breaks, or until the slot must be dropped; it drops the slot before it returns.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            if (owner.Members.Tables is not [var any, ..])
                return;
            var names = await ReplicationSetup.CheckAsync(connection, any.Options, cancellationToken).ConfigureAwait(false);
            using var session = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var slot = new StreamSlot(names, owner.Members, owner.Moved, time);
            var watcher = new SlotWatcher(source, names.Slot, owner.Members, time);
            owner.WatchedBy(watcher);
            long? excess = null;
            string? why = null;
            var watching = WatchAsync();
            try
            {
                await StreamAsync(connection, names, slot, session.Token).ConfigureAwait(false);
                return;
            }
            catch (Exception) when (session.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                // Cancelled by the watcher; handled below.
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedObject)
            {
                // The publication is there, but was not at the point in the log where the slot is: it would never get past that.
                why = $"the publication {names.Publication} was made again";
            }
            catch (PostgresException e) when (PostgresErrors.IsOfEncoding(e))
            {
                // That of a change stays in the log even after it is repaired in the table: the slot would never get past that either.
                why = "a change holds text that is not UTF-8, which the stream cannot carry";
            }
            finally
            {
                await session.CancelAsync().ConfigureAwait(false);
                await watching.ConfigureAwait(false);
            }

            await slot.GiveUpAsync(source, excess ?? 0, why, cancellationToken).ConfigureAwait(false);

            async Task WatchAsync()
            {
                excess = await watcher.RunAsync(owner.Tick, session.Token).ConfigureAwait(false);
                if (excess is not null)
                    await session.CancelAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>Streams from where the logs end, or from a new slot.</summary>
    private async Task StreamAsync(
        NpgsqlConnection connection,
        ReplicationNames names,
        StreamSlot slot,
        CancellationToken cancellationToken
    )
    {
        var stream = new LogicalReplicationConnection(PostgresConnection.ForStream(connectionString, connection));
        await using (stream.ConfigureAwait(false))
        {
            await stream.Open(cancellationToken).ConfigureAwait(false);
            var server = await slot.WaitAsync(connection, cancellationToken).ConfigureAwait(false);
            var found = await FindAsync(connection, names, server, cancellationToken).ConfigureAwait(false);
            if (found.Count == 0)
                return;
            var going = found.FindAll(f => f.GoesOn);
            var start =
                going.Count > 0
                    ? going.Min(f => f.Table.Log.Position)
                    : await slot.MakeAsync(connection, stream, server.Slot, found, cancellationToken).ConfigureAwait(false);
            var session = new StreamSession(owner, connection, stream, names, start, time);
            try
            {
                await owner
                    .Members.InTurnAsync(
                        () =>
                        {
                            owner.Members.BroughtBy(session);
                            var tables = owner.Members.Tables;
                            found.FindAll(f => tables.Contains(f.Table)).ForEach(f => session.Add(f, cancellationToken));
                        },
                        cancellationToken
                    )
                    .ConfigureAwait(false);
                await session.RunAsync(cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                await owner
                    .Members.InTurnAsync(
                        () =>
                        {
                            owner.Members.BroughtBy(null);
                            session.Dispose();
                        },
                        CancellationToken.None
                    )
                    .ConfigureAwait(false);
            }
        }
    }

    /// <summary>Examines all tables; those with an error have dropped out.</summary>
    private async Task<List<TableLook>> FindAsync(
        NpgsqlConnection connection,
        ReplicationNames names,
        ServerState server,
        CancellationToken cancellationToken
    )
    {
        var found = new List<TableLook>();
        await owner
            .Members.InTurnAsync(
                async () =>
                {
                    owner.Members.TakeJoined();
                    foreach (var table in owner.Members.Tables)
                    {
                        if (
                            await TableLook
                                .LookAsync(owner.Members, connection, names, server, 0, table, cancellationToken)
                                .ConfigureAwait(false) is
                            { } one
                        )
                        {
                            found.Add(one);
                        }
                    }

                    TableLook.Report(found);
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        return found;
    }
}
