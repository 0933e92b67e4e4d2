using System.Globalization;
using Lockstep.Postgres.Feed;
using Npgsql;

namespace Lockstep.Postgres.Tracking;

/// <summary>Reads from the catalog what a change to a table's tracking depends on, in the connection's transaction.</summary>
internal static class TrackingCatalog
{
    private const string Describe = """
        SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), n.nspname || '.' || c.relname, c.relkind::text,
            EXISTS (SELECT FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhparent = c.oid AND p.relkind = 'r'),
            c.relispartition,
            coalesce((SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = c.oid AND attname = 'txid'
                AND NOT attisdropped), ''),
            ARRAY(SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
                FROM aclexplode(c.relacl) WHERE privilege_type = 'SELECT' AND grantee <> c.relowner),
            coalesce((SELECT ARRAY(SELECT a.attname::text FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, at)
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.at <= i.indnkeyatts ORDER BY k.at)
                FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary), '{}'),
            to_regclass('lockstep.tracked') IS NOT NULL, c.oid::bigint,
            c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid = c.oid)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)
        """;

    private const string OperatorSchemas = """
        SELECT DISTINCT quote_ident(n.nspname) FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
            JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE a.attrelid = $1::bigint::oid AND a.attname = ANY($2) AND n.nspname <> 'pg_catalog' ORDER BY 1
        """;

    private const string Registered = """
        SELECT name, added_txid, key_columns, (to_jsonb(t) ->> 'soft_delete')::boolean,
            EXISTS (SELECT FROM pg_trigger WHERE tgrelid = t.relation AND tgname = 'zz_lockstep_wake'),
            ARRAY(SELECT tgname::text FROM pg_trigger WHERE tgrelid = t.relation AND tgname LIKE 'zz\_lockstep\_%'
                AND tgenabled <> 'A' ORDER BY 1),
            EXISTS (SELECT FROM pg_trigger WHERE tgrelid = t.relation AND tgname = 'zz_lockstep_insert'),
            EXISTS (SELECT FROM pg_attribute WHERE attrelid = tombstones AND attname = 'lockstep_at' AND NOT attisdropped),
            ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = tombstones AND atttypid = 'text'::regtype)
        FROM lockstep.tracked t WHERE relation = $1::bigint::oid
        """;

    private const string Registry = """
        SELECT to_regclass('lockstep.tracked') IS NOT NULL,
            EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('lockstep.tracked') AND attname = 'tombstone_floor')
        """;

    // Including tables whose tombstone table was dropped too.
    private const string Left = """
        SELECT t.name FROM lockstep.tracked t LEFT JOIN pg_class own ON own.oid = t.tombstones
        WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.relation) AND NOT pg_is_in_recovery()
            AND has_table_privilege('lockstep.tracked', 'DELETE') AND (own.oid IS NULL OR pg_has_role(own.relowner, 'USAGE'))
        ORDER BY 1
        """;

    /// <summary>
    /// A table as it is now, its entry in the registry if it has one, and the type of its txid column, empty if it has none.
    /// </summary>
    /// <exception cref="PostgresTableException">It is missing, or cannot be tracked.</exception>
    public static async Task<(TrackedTable Table, Registration? Registered, string TxidType)> FindAsync(
        NpgsqlConnection connection,
        TableName name,
        CancellationToken cancellationToken
    )
    {
        var found = await connection
            .QueryAsync(
                Describe,
                [name.ToSql()],
                r =>
                    (
                        SqlName: r.GetString(0),
                        Plain: r.GetString(1),
                        Kind: r.GetString(2),
                        Inherited: r.GetBoolean(3),
                        Partition: r.GetBoolean(4),
                        Txid: r.GetString(5),
                        Readers: r.GetFieldValue<string[]>(6),
                        Key: r.GetFieldValue<string[]>(7),
                        Registry: r.GetBoolean(8),
                        Oid: r.GetInt64(9),
                        ByStatement: r.GetBoolean(10)
                    ),
                cancellationToken
            )
            .ConfigureAwait(false);
        if (found is not [var t])
            throw Missing(name);

        if (t.Kind == "f")
        {
            throw new PostgresTableException(
                $"{name} is a foreign table, whose rows another server changes.",
                "Serve it as it is: its rows are compared. Or track and serve the table on its own server."
            );
        }

        if (t.Kind is not ("r" or "p"))
        {
            throw new PostgresTableException(
                $"{name} is not a table.",
                "A view takes txid and deleted from the tables it reads: track those."
            );
        }

        if (t.Partition)
            throw new PostgresTableException($"{name} is a partition.", "Track the partitioned table, which covers all of them.");
        if (t.Inherited)
        {
            throw new PostgresTableException(
                $"Other tables inherit from {name}; triggers are not inherited, so changes to their rows would be missed.",
                "Track and serve each of them."
            );
        }

        var registered = t.Registry
            ? await connection
                .QueryAsync(
                    Registered,
                    [t.Oid],
                    r => new Registration(
                        r.GetString(0),
                        r.GetBoolean(1),
                        r.GetFieldValue<string[]>(2),
                        r.IsDBNull(3) ? null : r.GetBoolean(3),
                        r.GetBoolean(4),
                        r.GetFieldValue<string[]>(5),
                        r.GetBoolean(6),
                        r.GetBoolean(7),
                        r.GetFieldValue<string[]>(8)
                    ),
                    cancellationToken
                )
                .ConfigureAwait(false)
            : [];
        var columns = await TableCatalog.ColumnsAsync(connection, t.Oid, cancellationToken).ConfigureAwait(false);
        var schemas = await connection
            .QueryAsync(OperatorSchemas, [t.Oid, t.Key], r => r.GetString(0), cancellationToken)
            .ConfigureAwait(false);
        var own = registered.FirstOrDefault();
        var registryName = own?.Name ?? await FreeNameAsync(connection, t.Plain, cancellationToken).ConfigureAwait(false);
        return (
            new TrackedTable(
                t.SqlName,
                registryName,
                [.. t.Key.Select(k => columns.Find(c => c.Name == k)!)],
                t.Txid.Length > 0,
                t.Readers,
                schemas,
                t.ByStatement
            ),
            own,
            t.Txid
        );
    }

    /// <summary>A free name for the tombstone table: another tracked table may have had this one's name before being renamed.</summary>
    private static async Task<string> FreeNameAsync(NpgsqlConnection connection, string plain, CancellationToken cancellationToken)
    {
        for (var i = 1; ; i++)
        {
            var name = PostgresNames.Shorten(plain, i == 1 ? "" : $"_{i}");
            var taken = await connection
                .QueryAsync("SELECT to_regclass($1) IS NOT NULL", [$"lockstep.{Sql.Quote(name)}"], r => r.GetBoolean(0), cancellationToken)
                .ConfigureAwait(false);
            if (!taken[0])
                return name;
        }
    }

    /// <summary>The registry names of dropped tables whose tombstones or functions remain and which this user may remove.</summary>
    public static async Task<List<string>> LeftAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        await connection.QueryAsync(Left, [], r => r.GetString(0), cancellationToken).ConfigureAwait(false);

    /// <summary>The registry of the database.</summary>
    public static async Task<TrackingRegistry> RegistryAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var found = await connection
            .QueryAsync(Registry, [], r => new TrackingRegistry(r.GetBoolean(0), r.GetBoolean(1)), cancellationToken)
            .ConfigureAwait(false);
        return found[0];
    }

    /// <summary>A column txid may have had another meaning all along.</summary>
    /// <exception cref="PostgresTableException">It holds values that no transaction of this server can have written.</exception>
    public static async Task CheckTxidAsync(NpgsqlConnection connection, TrackedTable table, CancellationToken cancellationToken)
    {
        var odd = await connection
            .QueryAsync(
                $"SELECT txid FROM {table.SqlName} WHERE txid < 0 OR txid >= (SELECT "
                    + $"pg_snapshot_xmax(pg_current_snapshot())::text::bigint) LIMIT 1",
                [],
                r => r.GetInt64(0),
                cancellationToken
            )
            .ConfigureAwait(false);
        if (odd is not [var value])
            return;
        throw new PostgresTableException(
            string.Create(
                CultureInfo.InvariantCulture,
                $"The column txid of {table.SqlName} holds {value}, which is not a transaction of this server, and tracking "
                    + $"would overwrite it."
            ),
            "If the column is data of your own, rename it. If it came with a dump of another server, drop it."
        );
    }

    /// <summary>The error for a table that does not exist.</summary>
    public static PostgresTableException Missing(TableName table) =>
        new($"There is no table {table} (names are taken as written, capitals included).", "Check the name and the schema.");
}
