using Lockstep.Postgres.Feed;
using Npgsql;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// Describes a table for logical replication: every column is data, and the key is what the stream reports of a deleted row.
/// </summary>
internal static class ReplicatedTable
{
    private const string Relation = """
        SELECT c.oid::bigint, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text, c.relpersistence::text,
            c.relreplident::text,
            c.relkind <> 'p' AND EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid),
            (SELECT min(p.oid::regclass::text) FROM pg_partition_tree(c.oid) t JOIN pg_class p ON p.oid = t.relid WHERE t.isleaf
                AND p.oid <> c.oid AND p.relreplident NOT IN ('d', 'f')),
            row_security_active(c.oid), to_regclass('lockstep.tracked') IS NOT NULL
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)
        """;

    // A deferrable key cannot be a replica identity: a row could take another row's key before that one has given it up.
    private const string Key = """
        SELECT ARRAY(SELECT a.attname::text FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, at)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.at <= i.indnkeyatts ORDER BY k.at)
        FROM pg_index i
        WHERE i.indrelid = $1::bigint::oid AND i.indimmediate AND i.indisvalid
            AND CASE $2 WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END
        """;

    /// <summary>The version from which on a publication can have whole schemas.</summary>
    private const int SchemaPublicationsVersion = 15;

    private const string Partitions = "SELECT relid::oid::bigint FROM pg_partition_tree($1::bigint::oid)";

    /// <summary>Describes a table, in the connection's transaction.</summary>
    /// <exception cref="PostgresTableException">It does not exist, or cannot be replicated in its current form.</exception>
    public static async Task<TableDescription> DescribeAsync(
        NpgsqlConnection connection,
        PostgresFeedOptions options,
        CancellationToken cancellationToken
    )
    {
        var table = options.Table;
        var found = await connection
            .QueryAsync(
                Relation,
                [table.ToSql()],
                r =>
                    (
                        Oid: r.GetInt64(0),
                        Name: r.GetString(1),
                        Kind: r.GetString(2),
                        Persistence: r.GetString(3),
                        Identity: r.GetString(4),
                        Inherited: r.GetBoolean(5),
                        Odd: r.IsDBNull(6) ? null : r.GetString(6),
                        Hides: r.GetBoolean(7),
                        Registry: r.GetBoolean(8)
                    ),
                cancellationToken
            )
            .ConfigureAwait(false);
        if (found is not [var t])
        {
            throw new PostgresTableException(
                $"There is no table {table} (names are taken as written, capitals included).",
                "Check the name and the schema."
            );
        }

        if (t.Kind == "f")
        {
            throw new PostgresTableException(
                $"{table} is a foreign table, whose changes are not in this server's log.",
                "Serve it by polling, which compares its rows; or serve the table on its own server."
            );
        }

        if (t.Kind is not ("r" or "p"))
            throw new PostgresTableException($"{table} is not a table, and only tables can be replicated.", "Serve a view by polling.");
        if (t.Hides)
            throw TableCatalog.HidesRows(table);
        if (t.Persistence != "p")
        {
            throw new PostgresTableException(
                $"{table} is unlogged or temporary, so its changes are not in the server's log.",
                "Run: ALTER TABLE ... SET LOGGED"
            );
        }

        if (t.Inherited)
        {
            throw new PostgresTableException(
                $"Other tables inherit from {table}, and are replicated under their own names.",
                "Serve each of them, or a partitioned table."
            );
        }

        if (t.Identity == "n" || t.Odd is not null || (t.Kind == "p" && t.Identity == "i"))
        {
            throw new PostgresTableException(
                $"The replica identity of {t.Odd ?? t.Name} does not tell which row was changed.",
                $"Run: ALTER TABLE {t.Odd ?? t.Name} REPLICA IDENTITY DEFAULT"
            );
        }

        await TableCatalog.CheckLoggedAsync(connection, table, t.Name, cancellationToken).ConfigureAwait(false);
        var keys = await connection
            .QueryAsync(Key, [t.Oid, t.Identity], r => r.GetFieldValue<string[]>(0), cancellationToken)
            .ConfigureAwait(false);
        if (keys is not [{ Length: > 0 } key])
        {
            throw new PostgresTableException(
                $"{table} has no primary key, or only a deferrable one, so its rows cannot be told apart.",
                "Give it a primary key that is not deferrable, or a replica identity by a unique index."
            );
        }

        var columns = await TableCatalog.ColumnsAsync(connection, t.Oid, cancellationToken).ConfigureAwait(false);
        var tracked = t.Registry ? await TableCatalog.TrackingOfAsync(connection, t.Oid, cancellationToken).ConfigureAwait(false) : null;
        if (tracked?.SoftDelete == true)
        {
            throw new PostgresTableException(
                $"{table} is tracked with its column deleted as a deletion mark, which replication does not support.",
                "Serve it by polling, or track it with deleted as data."
            );
        }

        // Polling leaves out a tracked table's txid too.
        if (tracked is not null)
            columns = [.. columns.Select(c => c.Name == "txid" ? c with { IsHidden = true } : c)];
        TableColumn[] keyColumns = [.. key.Select(name => columns.Find(c => c.Name == name)!)];
        KeyFit.Check(table, keyColumns);
        if (Array.Find(keyColumns, k => k.IsGenerated) is { } generated)
        {
            throw new PostgresTableException(
                $"The key column {generated.Name} of {table} is generated, and the stream does not contain its value.",
                "Serve the table by polling, or give it a replica identity by a unique index over other columns."
            );
        }

        var (enums, composites) = await TableCatalog.TypesAsync(connection, t.Oid, cancellationToken).ConfigureAwait(false);
        var partitions = await connection
            .QueryAsync(Partitions, [t.Oid], r => (uint)r.GetInt64(0), cancellationToken)
            .ConfigureAwait(false);
        return new TableDescription
        {
            Enums = enums,
            Composites = composites,
            Oid = t.Oid,
            SqlName = t.Name,
            Lockable = true,
            Columns = columns,
            Key = keyColumns,
            Pages = true,
            HasDeleted = false,
            Tombstones = null,
            TrackingId = null,
            Registry = false,
            Changes = ChangeSource.Stream,
            IsPartitioned = t.Kind == "p",
            Publication = ReplicationNames.For(options.Replication!, connection.Database).Publication,
            HasSchemaPublications = connection.PostgreSqlVersion.Major >= SchemaPublicationsVersion,
            Relations = new HashSet<uint>(partitions) { (uint)t.Oid },
        };
    }
}
