using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>Reads a table's description from the catalog.</summary>
internal static class TableCatalog
{
    private const string Relation = """
        SELECT c.oid::bigint, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text,
            to_regclass('lockstep.tracked') IS NOT NULL, row_security_active(c.oid)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)
        """;

    // A domain is resolved to its base type.
    private const string Columns = """
        WITH RECURSIVE types(attnum, oid) AS (
            SELECT attnum, atttypid FROM pg_attribute WHERE attrelid = $1::bigint::oid AND attnum > 0 AND NOT attisdropped
            UNION ALL
            SELECT attnum, typbasetype FROM types JOIN pg_type USING (oid) WHERE typtype = 'd'
        )
        SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), t.typname::text, a.atttypid::bigint, a.atttypmod,
            a.attgenerated <> '',
            quote_ident(n.nspname) || '.' || quote_ident(l.collname),
            NOT (coalesce(l.collisdeterministic, true) AND (t.typtype = 'e' OR t.typname = ANY($2)
                OR (t.typname = 'bpchar' AND a.atttypmod > 0)
                OR EXISTS (SELECT FROM pg_range r JOIN pg_type s ON s.oid = r.rngsubtype WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
                    AND s.typname = ANY($3)))),
            CASE WHEN t.typname IN ('float4', 'float8', 'numeric') THEN 'f'
                WHEN t.typname IN ('bool', 'json', 'jsonb', 'hstore') OR t.typcategory = 'A' OR t.typtype = 'c' THEN '-' ELSE 'v' END
        FROM pg_attribute a JOIN types USING (attnum) JOIN pg_type t ON t.oid = types.oid AND t.typtype <> 'd'
            LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace n ON n.oid = l.collnamespace
        WHERE a.attrelid = $1::bigint::oid ORDER BY a.attnum
        """;

    // Built-in types of which two values are equal only if clients consider their JSON equal. For every other type (citext, interval, a
    // range over numeric, an extension's types) that is unknown, and values are told apart by their text.
    private static readonly string[] StrictTypes =
    [
        "int2",
        "int4",
        "int8",
        "oid",
        "float4",
        "float8",
        "numeric",
        "money",
        "text",
        "varchar",
        "char",
        "name",
        "uuid",
        "bytea",
        "bit",
        "varbit",
        "date",
        "time",
        "timetz",
        "timestamp",
        "timestamptz",
        "inet",
        "cidr",
        "macaddr",
        "macaddr8",
        "pg_lsn",
        "xid",
        "xid8",
    ];

    private static readonly string[] StrictBounds = ["int4", "int8", "date", "timestamp", "timestamptz"];

    // The types that the columns' types consist of: base types of domains, elements of arrays, attributes of composites, bounds of ranges.
    private const string Types = """
        WITH RECURSIVE types(oid) AS (
            SELECT atttypid FROM pg_attribute WHERE attrelid = $1::bigint::oid AND attnum > 0 AND NOT attisdropped
            UNION
            SELECT next.oid FROM types JOIN pg_type t USING (oid), LATERAL (
                SELECT t.typbasetype WHERE t.typtype = 'd'
                UNION ALL
                SELECT t.typelem WHERE t.typcategory = 'A'
                UNION ALL
                SELECT atttypid FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped
                UNION ALL
                SELECT rngsubtype FROM pg_range WHERE rngtypid = t.oid
            ) AS next(oid)
        )
        SELECT t.typtype = 'e', CASE WHEN t.typtype = 'e' THEN t.oid ELSE t.typrelid END::bigint
        FROM types JOIN pg_type t USING (oid) WHERE t.typtype IN ('e', 'c') ORDER BY 2
        """;

    // The primary key, else the first unique index over columns that cannot be null.
    private const string Key = """
        SELECT ARRAY(SELECT a.attname::text FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, at)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.at <= i.indnkeyatts ORDER BY k.at)
        FROM pg_index i
        WHERE i.indrelid = $1::bigint::oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
            AND NOT EXISTS (SELECT FROM unnest(i.indkey::smallint[]) AS k(attnum) JOIN pg_attribute a ON a.attrelid = i.indrelid
                AND a.attnum = k.attnum
                WHERE NOT a.attnotnull)
        ORDER BY i.indisprimary DESC, i.indexrelid
        """;

    // A registry created by an earlier version has no soft_delete column.
    private const string TrackingSql = """
        SELECT name, tombstones::text, key_columns, (to_jsonb(t) ->> 'soft_delete')::boolean,
            EXISTS (SELECT FROM pg_trigger WHERE tgrelid = t.relation AND tgname LIKE 'zz\_lockstep\_%' AND tgenabled <> 'A'),
            EXISTS (SELECT FROM pg_trigger WHERE tgname LIKE 'zz\_lockstep\_%' AND tgname <> 'zz_lockstep_wake' AND tgenabled IN ('D', 'R')
                AND tgrelid IN (SELECT t.relation UNION SELECT relid FROM pg_partition_tree(t.relation)))
            OR (SELECT count(*) FROM pg_trigger WHERE tgrelid = t.relation
                AND tgname IN ('zz_lockstep_stamp', 'zz_lockstep_key', 'zz_lockstep_truncate', 'zz_lockstep_rows')) < 4,
            EXISTS (SELECT FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhparent = t.relation AND p.relkind = 'r'),
            EXISTS (SELECT FROM pg_class WHERE oid = t.tombstones), row_security_active(t.tombstones),
            (SELECT min(oid::regclass::text) FROM pg_class WHERE oid IN (t.tombstones, t.tableoid) AND relpersistence = 'u')
        FROM lockstep.tracked t WHERE relation = $1::bigint::oid
        """;

    // A partition's trigger is that of the partitioned table.
    private const string Stamps =
        "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = $1::bigint::oid AND tgname = 'zz_lockstep_stamp' AND tgparentid = 0)";

    private const string Unlogged =
        StateSql.Related + "SELECT min(c.oid::regclass::text) FROM related JOIN pg_class c USING (oid) WHERE c.relpersistence = 'u'";

    private const string Unstamped =
        StateSql.Related + "SELECT min(c.oid::regclass::text) FROM related JOIN pg_class c USING (oid) WHERE c.relkind IN ('f', 'm')";

    /// <summary>Describes a table, in the connection's transaction.</summary>
    /// <param name="connection">Open.</param>
    /// <param name="table">Its name.</param>
    /// <param name="namedKey">The key named by the user; empty to take the catalog's.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="PostgresTableException">It does not exist, or lacks what a feed needs.</exception>
    public static async Task<TableDescription> DescribeAsync(
        NpgsqlConnection connection,
        TableName table,
        IReadOnlyList<string> namedKey,
        CancellationToken cancellationToken
    )
    {
        var relation = await connection
            .QueryAsync(
                Relation,
                [table.ToSql()],
                r => (Oid: r.GetInt64(0), Name: r.GetString(1), Kind: r.GetString(2)[0], Registry: r.GetBoolean(3), Hides: r.GetBoolean(4)),
                cancellationToken
            )
            .ConfigureAwait(false);
        if (relation is not [var (oid, name, kind, registry, hides)])
        {
            throw new PostgresTableException(
                $"There is no table or view {table} (names are taken as written, capitals included).",
                "Check the name and the schema."
            );
        }

        if (!"rpvmf".Contains(kind, StringComparison.Ordinal))
            throw new PostgresTableException($"{table} is neither a table nor a view.", "Name a table or a view.");
        if (hides)
            throw HidesRows(table);
        var columns = await ColumnsAsync(connection, oid, cancellationToken).ConfigureAwait(false);
        var (enums, composites) = await TypesAsync(connection, oid, cancellationToken).ConfigureAwait(false);
        await CheckLoggedAsync(connection, table, name, cancellationToken).ConfigureAwait(false);
        var tracked = registry ? await TrackingOfAsync(connection, oid, cancellationToken).ConfigureAwait(false) : null;
        var keys = await connection.QueryAsync(Key, [oid], r => r.GetFieldValue<string[]>(0), cancellationToken).ConfigureAwait(false);
        if (tracked is not null)
            CheckTracking(table, tracked, keys);
        else
            await CheckRegisteredAsync(connection, table, oid, cancellationToken).ConfigureAwait(false);
        var key = FeedColumns.KeyOf(table, columns, tracked?.Key ?? (namedKey.Count > 0 ? namedKey : keys.FirstOrDefault() ?? []));
        KeyFit.Check(table, key);
        var unstamped = await FirstAsync(connection, Unstamped, name, cancellationToken).ConfigureAwait(false);
        var description = tracked is null
            ? FeedColumns.Untracked(table, kind, columns, unstamped)
            : FeedColumns.Tracked(table, columns, tracked);
        return description with
        {
            Enums = enums,
            Composites = composites,
            Oid = oid,
            SqlName = name,
            Registry = registry,
            Key = key,
            Pages =
                description.Changes != ChangeSource.SnapshotsOnly
                && key.Count > 0
                && keys.Any(k => k.ToHashSet().SetEquals(key.Select(c => c.Name))),
        };
    }

    /// <summary>How a table is tracked; null if it is not. Call only if there is a registry.</summary>
    public static async Task<TableTracking?> TrackingOfAsync(NpgsqlConnection connection, long oid, CancellationToken cancellationToken)
    {
        var found = await connection
            .QueryAsync(
                TrackingSql,
                [oid],
                r => new TableTracking(
                    r.GetString(0),
                    r.GetString(1),
                    r.GetFieldValue<string[]>(2),
                    r.IsDBNull(3) ? null : r.GetBoolean(3),
                    r.GetBoolean(4),
                    r.GetBoolean(5),
                    r.GetBoolean(6)
                )
                {
                    HasTombstones = r.GetBoolean(7),
                    HidesTombstones = r.GetBoolean(8),
                    Unlogged = r.IsDBNull(9) ? null : r.GetString(9),
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        return found.FirstOrDefault();
    }

    /// <summary>Refuses a tracked table while changes to it would be missed.</summary>
    private static void CheckTracking(TableName table, TableTracking tracked, List<string[]> keys)
    {
        if (tracked.IsOff)
        {
            throw new PostgresTableException(
                $"The triggers that track {table} are disabled or missing, so its changes are missed.",
                "Track the table again, which enables them; if one is missing, end its tracking first."
            );
        }

        if (!tracked.HasTombstones || tracked.HidesTombstones)
        {
            throw new PostgresTableException(
                tracked.HasTombstones
                    ? $"Row level security is in force on {tracked.Tombstones} for this user, which hides what was deleted from {table}."
                    : $"The tombstones of {table} are gone, and with them what was deleted.",
                tracked.HasTombstones
                    ? $"Run: ALTER TABLE {tracked.Tombstones} DISABLE ROW LEVEL SECURITY"
                    : "End the table's tracking, and track it again."
            );
        }

        if (tracked.Unlogged is { } unlogged)
        {
            throw new PostgresTableException(
                $"{unlogged}, by which {table} is tracked, is unlogged: a crash of the server empties it silently.",
                $"Run: ALTER TABLE {unlogged} SET LOGGED"
            );
        }

        if (tracked.HasHeirs)
        {
            throw new PostgresTableException(
                $"Other tables inherit from {table}; triggers are not inherited, so changes to their rows are missed.",
                "Track and serve each of them, and end their inheritance."
            );
        }

        if (!keys.Exists(k => Array.TrueForAll(k, tracked.Key.Contains)))
        {
            throw new PostgresTableException(
                $"{table} is tracked by {string.Join(", ", tracked.Key)}, which is no longer unique, so its rows cannot be told apart.",
                "Stop tracking it, and track it again by its new key."
            );
        }
    }

    /// <summary>A table that has the triggers but is not in the registry would be served as one that nobody tracks.</summary>
    private static async Task CheckRegisteredAsync(
        NpgsqlConnection connection,
        TableName table,
        long oid,
        CancellationToken cancellationToken
    )
    {
        var stamps = await connection.QueryAsync(Stamps, [oid], r => r.GetBoolean(0), cancellationToken).ConfigureAwait(false);
        if (stamps[0])
        {
            throw new PostgresTableException(
                $"{table} has the triggers of a tracked table, but its entry in lockstep.tracked is gone or hidden from this user.",
                "Restore the entry. If it is lost, run DROP SCHEMA lockstep CASCADE, which ends the tracking of all tables of the "
                    + "database, and track them again."
            );
        }
    }

    /// <summary>An unlogged table is empty after a crash, and nobody learns which rows have gone.</summary>
    public static async Task CheckLoggedAsync(
        NpgsqlConnection connection,
        TableName table,
        string sqlName,
        CancellationToken cancellationToken
    )
    {
        if (await FirstAsync(connection, Unlogged, sqlName, cancellationToken).ConfigureAwait(false) is not { } name)
            return;
        throw new PostgresTableException(
            $"{table} holds rows of {name}, which is unlogged: a crash of the server empties it silently.",
            $"Run: ALTER TABLE {name} SET LOGGED"
        );
    }

    /// <summary>The name that a query over what a table is made of finds; null if it finds none.</summary>
    private static async Task<string?> FirstAsync(
        NpgsqlConnection connection,
        string query,
        string sqlName,
        CancellationToken cancellationToken
    )
    {
        var found = await connection
            .QueryAsync(query, [sqlName], r => r.IsDBNull(0) ? null : r.GetString(0), cancellationToken)
            .ConfigureAwait(false);
        return found[0];
    }

    /// <summary>The columns of a relation, in their order.</summary>
    public static Task<List<TableColumn>> ColumnsAsync(NpgsqlConnection connection, long oid, CancellationToken cancellationToken) =>
        connection.QueryAsync(
            Columns,
            [oid, StrictTypes, StrictBounds],
            r => new TableColumn(r.GetString(0), r.GetString(1), ShapeOf(r.GetString(2)))
            {
                TypeId = r.GetInt64(3),
                TypeModifier = r.GetInt32(4),
                IsGenerated = r.GetBoolean(5),
                Collation = r.IsDBNull(6) ? null : r.GetString(6),
                IsLoose = r.GetBoolean(7),
                KeyFitness = r.GetString(8) switch
                {
                    "-" => KeyFitness.Never,
                    "f" => KeyFitness.Finite,
                    _ => KeyFitness.Always,
                },
            },
            cancellationToken
        );

    /// <summary>
    /// The enums and the composite types (as relations) among the types of a relation's columns, and among the types those consist of.
    /// </summary>
    public static async Task<(IReadOnlyList<long> Enums, IReadOnlyList<long> Composites)> TypesAsync(
        NpgsqlConnection connection,
        long oid,
        CancellationToken cancellationToken
    )
    {
        var types = await connection
            .QueryAsync(Types, [oid], r => (IsEnum: r.GetBoolean(0), Id: r.GetInt64(1)), cancellationToken)
            .ConfigureAwait(false);
        return ([.. types.Where(t => t.IsEnum).Select(t => t.Id)], [.. types.Where(t => !t.IsEnum).Select(t => t.Id)]);
    }

    /// <summary>
    /// A policy hides rows from the user. A row that becomes hidden would stay with the clients forever, because it is never deleted.
    /// </summary>
    public static PostgresAccessException HidesRows(TableName table) =>
        new(
            $"Row level security is in force on {table} for this user, and a row that a policy starts to hide would not be reported "
                + "as deleted.",
            "Connect as the table's owner or as a role with BYPASSRLS. To serve some of the rows, let clients ask for them "
                + "with ?where=, or serve a view that has tombstones."
        );

    private static ColumnShape ShapeOf(string type) =>
        type switch
        {
            "bytea" => ColumnShape.Bytes,
            "_bytea" => ColumnShape.ByteArray,
            _ => ColumnShape.Natural,
        };
}

/// <summary>A table's entry in the registry.</summary>
/// <param name="Name">Its name there.</param>
/// <param name="Tombstones">The tombstone table, quoted with its schema.</param>
/// <param name="Key">The key's columns.</param>
/// <param name="SoftDelete">Whether a boolean column <c>deleted</c> marks deleted rows; null if an earlier version did not ask.</param>
/// <param name="IsLax">Whether a trigger is no longer ENABLE ALWAYS.</param>
/// <param name="IsOff">Whether a required trigger does not fire at all.</param>
/// <param name="HasHeirs">Whether tables other than partitions inherit from it.</param>
internal sealed record TableTracking(string Name, string Tombstones, string[] Key, bool? SoftDelete, bool IsLax, bool IsOff, bool HasHeirs)
{
    /// <summary>Whether its tombstone table exists.</summary>
    public required bool HasTombstones { get; init; }

    /// <summary>Whether a policy hides tombstones from the user.</summary>
    public required bool HidesTombstones { get; init; }

    /// <summary>Its tombstone table, or the registry, if a crash empties it; else null.</summary>
    public required string? Unlogged { get; init; }
}
