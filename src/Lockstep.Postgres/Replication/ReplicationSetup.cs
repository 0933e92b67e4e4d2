using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;
using Npgsql;

namespace Lockstep.Postgres.Replication;

/// <summary>A replication slot as the server shows it.</summary>
/// <param name="IsUsable">
/// Whether it is a logical slot of this database with the right plugin, and the server still has the WAL it needs.
/// </param>
/// <param name="ActivePid">The server process that streams from it; null if none does.</param>
/// <param name="Confirmed">Everything before it was confirmed.</param>
internal sealed record ServerSlot(bool IsUsable, int? ActivePid, long Confirmed);

/// <summary>The state of a server when a stream is about to start.</summary>
/// <param name="Slot">The slot; null when there is none.</param>
/// <param name="End">The end of its log.</param>
internal sealed record ServerState(ServerSlot? Slot, long End);

/// <summary>
/// Checks whether a server and a table are suitable for logical replication, and prepares the server: creates the publication, and makes
/// room for a new slot.
/// </summary>
internal static class ReplicationSetup
{
    // On Amazon RDS, a role takes the place of the attribute.
    private const string Server = """
        SELECT pg_is_in_recovery(), current_setting('wal_level'), current_database()::text,
            (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user)
                OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_replication' AND pg_has_role(oid, 'USAGE')), current_user::text
        """;

    // Partitions under their own names: otherwise the stream does not report a TRUNCATE of one. For a partitioned table the publication
    // must name the table itself, or it would miss future partitions.
    private const string Publication = """
        SELECT p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate
            AND (c.relkind <> 'p' OR NOT p.pubviaroot
                AND (p.puballtables OR EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = c.oid)))
            AND NOT EXISTS (SELECT FROM (SELECT c.oid WHERE c.relkind <> 'p' UNION SELECT relid FROM pg_partition_tree(c.oid)
                WHERE isleaf) AS has(oid)
                JOIN pg_class l ON l.oid = has.oid JOIN pg_namespace n ON n.oid = l.relnamespace
                WHERE NOT EXISTS (SELECT FROM pg_publication_tables t WHERE t.pubname = p.pubname AND t.schemaname = n.nspname
                    AND t.tablename = l.relname
                    AND coalesce(to_jsonb(t) ->> 'rowfilter', '') = ''
                    AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = l.oid AND attnum > 0 AND NOT attisdropped
                        AND attgenerated = ''
                        AND NOT jsonb_exists(nullif(to_jsonb(t) -> 'attnames', 'null'), attname))))
        FROM pg_publication p, pg_class c WHERE p.pubname = $1 AND c.oid = to_regclass($2)
        """;

    private const string Published =
        "SELECT EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = $1)";

    private const string Slot = """
        SELECT coalesce(plugin = 'pgoutput' AND database = current_database() AND NOT temporary AND wal_status <> 'lost', false),
            active_pid,
            coalesce(confirmed_flush_lsn - '0/0'::pg_lsn, 0)::bigint
        FROM pg_replication_slots WHERE slot_name = $1
        """;

    /// <summary>Checks the server, and returns the feed's names on it.</summary>
    /// <exception cref="PostgresReplicationException">It is not set up for logical replication.</exception>
    /// <exception cref="PostgresAccessException">The user lacks the right to replicate.</exception>
    public static async Task<ReplicationNames> CheckAsync(
        NpgsqlConnection connection,
        PostgresFeedOptions options,
        CancellationToken cancellationToken
    )
    {
        var found = await connection
            .QueryAsync(
                Server,
                [],
                r =>
                    (
                        Recovery: r.GetBoolean(0),
                        Level: r.GetString(1),
                        Database: r.GetString(2),
                        MayReplicate: r.GetBoolean(3),
                        User: r.GetString(4)
                    ),
                cancellationToken
            )
            .ConfigureAwait(false);
        var server = found[0];
        PostgresVersion.Check(connection);

        if (server.Recovery)
            throw new PostgresReplicationException("The server is a replica.", "Connect to its primary, or serve the table by polling.");
        if (server.Level != "logical")
        {
            throw new PostgresReplicationException(
                $"The server's wal_level is {server.Level}, and logical replication needs logical.",
                "Run ALTER SYSTEM SET wal_level = logical as a superuser and restart the server, or serve the table by polling."
            );
        }

        if (!server.MayReplicate)
        {
            throw new PostgresAccessException(
                $"The user {server.User} may not replicate.",
                $"Run as a superuser: ALTER ROLE {Sql.Quote(server.User)} REPLICATION"
            );
        }

        return ReplicationNames.For(options.Replication!, server.Database);
    }

    /// <summary>Whether the publication publishes every change of the table; null if there is no such publication.</summary>
    public static async Task<bool?> IsPublishedAsync(
        NpgsqlConnection connection,
        ReplicationNames names,
        TableDescription table,
        CancellationToken cancellationToken
    )
    {
        var found = await connection
            .QueryAsync(Publication, [names.Publication, table.SqlName], r => r.GetBoolean(0), cancellationToken)
            .ConfigureAwait(false);
        return found is [var isPublished] ? isPublished : null;
    }

    /// <summary>Makes the publication publish every change of the table.</summary>
    /// <returns>Whether it already did: if not, an existing slot covers changes from before the table was published.</returns>
    public static async Task<bool> EnsurePublicationAsync(
        NpgsqlConnection connection,
        ReplicationNames names,
        TableDescription table,
        CancellationToken cancellationToken
    )
    {
        var found = await IsPublishedAsync(connection, names, table, cancellationToken).ConfigureAwait(false);
        if (found == true)
            return true;
        var name = Sql.Quote(names.Publication);
        var create = $"CREATE PUBLICATION {name} FOR TABLE {table.SqlName}";
        if (!names.OwnsPublication)
            throw NotPublished();

        try
        {
            // Does not wait behind, say, a VACUUM of the table: the next attempt may find it free.
            await connection
                .ExecuteAsync(
                    found is null
                        ? $"BEGIN; SET LOCAL lock_timeout = '2s'; {create}; COMMIT"
                        : $"BEGIN; SET LOCAL lock_timeout = '2s'; {Take(names, table.SqlName)};{PublishAll(names)};"
                            + $"ALTER PUBLICATION {name} ADD TABLE {table.SqlName}; COMMIT",
                    cancellationToken
                )
                .ConfigureAwait(false);
        }
        catch (PostgresException e)
        {
            await connection.ExecuteAsync("ROLLBACK", CancellationToken.None).ConfigureAwait(false);
            if (e.SqlState != "42501")
                throw;
            throw new PostgresAccessException(
                $"This user may not publish {table.SqlName}: {ForeignText.Shorten(e.MessageText)} ({e.SqlState}).",
                $"Let the owner of the table run: {create}, and name that publication in the options.",
                e
            );
        }

        return await IsPublishedAsync(connection, names, table, cancellationToken).ConfigureAwait(false) == true
            ? false
            : throw NotPublished();

        PostgresReplicationException NotPublished() =>
            new(
                found is null
                    ? $"There is no publication {names.Publication}."
                    : $"The publication {names.Publication} does not publish every change of {table.SqlName} whole: it leaves "
                        + $"out the table, rows, columns or kinds of changes, or publishes partitions otherwise than by their own "
                        + $"names as those of a table that it has.",
                $"Let the owner of the table run: {create}"
            );
    }

    /// <summary>Has the publication publish all kinds of changes; if it does, it stays as it is, for the other tables' sake.</summary>
    private static string PublishAll(ReplicationNames names) =>
        $"""
            DO $do$ BEGIN
                IF EXISTS (SELECT FROM pg_publication WHERE pubname = {Sql.Literal(names.Publication)}
                    AND NOT (pubinsert AND pubupdate AND pubdelete AND pubtruncate AND NOT pubviaroot)) THEN
                    ALTER PUBLICATION {Sql.Quote(names.Publication)}
                        SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = false);
                END IF;
            END $do$
            """;

    /// <summary>Removes a table from the publication, if it is there.</summary>
    private static string Take(ReplicationNames names, string table) =>
        $"""
            DO $do$ BEGIN
                IF EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
                    WHERE p.pubname = {Sql.Literal(names.Publication)} AND r.prrelid = to_regclass({Sql.Literal(table)})) THEN
                    ALTER PUBLICATION {Sql.Quote(names.Publication)} DROP TABLE {table};
                END IF;
            END $do$
            """;

    /// <summary>The tables of which a relation is a partition, including itself, and a snapshot that shows them.</summary>
    public static async Task<(PgSnapshot Snapshot, List<uint> Ancestors)> AncestorsAsync(
        NpgsqlConnection connection,
        uint relation,
        CancellationToken cancellationToken
    )
    {
        var found = await connection
            .QueryAsync(
                "SELECT pg_current_snapshot()::text, ARRAY(SELECT relid::oid::bigint FROM pg_partition_ancestors($1::bigint::oid))",
                [(long)relation],
                r => (PgSnapshot.Parse(r.GetString(0)), r.GetFieldValue<long[]>(1).Select(oid => (uint)oid).ToList()),
                cancellationToken
            )
            .ConfigureAwait(false);
        return found[0];
    }

    /// <summary>The server's state of a slot, and the end of its log.</summary>
    public static async Task<ServerState> StateAsync(NpgsqlConnection connection, string slot, CancellationToken cancellationToken)
    {
        var found = await FindSlotAsync(connection, slot, cancellationToken).ConfigureAwait(false);
        var end = await connection
            .QueryAsync("SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint", [], r => r.GetInt64(0), cancellationToken)
            .ConfigureAwait(false);
        return new ServerState(found, end[0]);
    }

    /// <summary>Removes the slot and the publication that an earlier version created for a single table.</summary>
    public static async Task RemoveFormerAsync(NpgsqlConnection connection, string slot, CancellationToken cancellationToken)
    {
        try
        {
            await DropSlotAsync(connection, slot, cancellationToken).ConfigureAwait(false);
            await connection.ExecuteAsync($"DROP PUBLICATION IF EXISTS {Sql.Quote(slot)}", cancellationToken).ConfigureAwait(false);
        }
        catch (FeedUnavailableException)
        {
            // It is still in use.
        }
    }

    private static async Task<ServerSlot?> FindSlotAsync(NpgsqlConnection connection, string name, CancellationToken cancellationToken)
    {
        var found = await connection
            .QueryAsync(
                Slot,
                [name],
                r => new ServerSlot(r.GetBoolean(0), r.IsDBNull(1) ? null : r.GetInt32(1), r.GetInt64(2)),
                cancellationToken
            )
            .ConfigureAwait(false);
        return found.FirstOrDefault();
    }

    /// <summary>The first version in which a standby can keep a copy of a slot and use it after a failover.</summary>
    public const int FailoverVersion = 17;

    /// <summary>
    /// Creates a slot that standbys may copy (<c>sync_replication_slots</c>), however long that takes; returns where its stream begins.
    /// </summary>
    public static async Task<long> MakeFailoverSlotAsync(NpgsqlConnection connection, string name, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "SELECT (lsn - '0/0'::pg_lsn)::bigint FROM pg_create_logical_replication_slot($1, 'pgoutput', false, false, true)",
            connection
        )
        {
            CommandTimeout = 0,
            Parameters = { new NpgsqlParameter { Value = name } },
        };
        return (long)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
    }

    /// <summary>Drops a slot from which nobody streams; does nothing if it does not exist.</summary>
    /// <exception cref="FeedUnavailableException">It is in use.</exception>
    public static async Task DropSlotAsync(NpgsqlConnection connection, string name, CancellationToken cancellationToken)
    {
        try
        {
            await connection
                .QueryAsync(
                    "SELECT pg_drop_replication_slot(slot_name)::text FROM pg_replication_slots WHERE slot_name = $1",
                    [name],
                    _ => 0,
                    cancellationToken
                )
                .ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState == "55006")
        {
            throw InUse(name, e);
        }
    }

    /// <summary>The error for a slot from which another process streams.</summary>
    public static FeedUnavailableException InUse(string name, Exception? inner = null) =>
        new(
            $"The replication slot {name} is in use: another process serves tables of this database from it, or one that "
                + $"was cut off still holds it. A second process needs its own slot.",
            TimeSpan.FromSeconds(1),
            inner
        );

    /// <inheritdoc cref="Serving.PostgresFeed.RemoveReplicationAsync"/>
    public static async Task RemoveAsync(string connectionString, PostgresFeedOptions options, CancellationToken cancellationToken)
    {
        if (options.Mode != PostgresFeedMode.Replication)
            throw new ArgumentException("The options are not those of a feed by replication.", nameof(options));
        var source = PostgresConnection.CreateSource(connectionString, 1);
        await using (source.ConfigureAwait(false))
        {
            try
            {
                var connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
                await using (connection.ConfigureAwait(false))
                {
                    var names = ReplicationNames.For(options.Replication!, connection.Database);
                    if (names.OwnsPublication)
                    {
                        await connection.ExecuteAsync(Take(names, options.Table.ToSql()), cancellationToken).ConfigureAwait(false);
                        var others = await connection
                            .QueryAsync(Published, [names.Publication], r => r.GetBoolean(0), cancellationToken)
                            .ConfigureAwait(false);
                        if (others[0])
                            return;
                    }

                    await DropSlotAsync(connection, names.Slot, cancellationToken).ConfigureAwait(false);
                    if (names.OwnsPublication)
                    {
                        await connection
                            .ExecuteAsync($"DROP PUBLICATION IF EXISTS {Sql.Quote(names.Publication)}", cancellationToken)
                            .ConfigureAwait(false);
                    }
                }
            }
            catch (Exception e) when (PostgresErrors.IsOfDriver(e))
            {
                throw PostgresErrors.Translate(e, options.Table.ToString(), source);
            }
        }
    }
}
