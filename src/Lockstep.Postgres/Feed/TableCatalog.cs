using Lockstep.Engine;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>Reads a table's description from the catalog.</summary>
internal static class TableCatalog
{
    private const string Deleted = "deleted";

    private const string Relation = """
        SELECT c.oid::bigint, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text, to_regclass('lockstep.tracked') IS NOT NULL, row_security_active(c.oid)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)
        """;

    // A domain is followed to the type under it.
    private const string Columns = """
        WITH RECURSIVE types(attnum, oid) AS (
            SELECT attnum, atttypid FROM pg_attribute WHERE attrelid = $1::bigint::oid AND attnum > 0 AND NOT attisdropped
            UNION ALL
            SELECT attnum, typbasetype FROM types JOIN pg_type USING (oid) WHERE typtype = 'd'
        )
        SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), t.typname::text, a.atttypid::bigint, a.atttypmod, a.attgenerated <> '',
            quote_ident(n.nspname) || '.' || quote_ident(l.collname), t.typname IN ('citext', 'interval') OR NOT coalesce(l.collisdeterministic, true)
        FROM pg_attribute a JOIN types USING (attnum) JOIN pg_type t ON t.oid = types.oid AND t.typtype <> 'd'
            LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace n ON n.oid = l.collnamespace
        WHERE a.attrelid = $1::bigint::oid ORDER BY a.attnum
        """;

    // What the columns' types are made of: domains of what is under them, arrays of elements, composites of attributes, ranges of bounds.
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
            AND NOT EXISTS (SELECT FROM unnest(i.indkey::smallint[]) AS k(attnum) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                WHERE NOT a.attnotnull)
        ORDER BY i.indisprimary DESC, i.indexrelid
        """;

    private const string Tracking = "SELECT name, tombstones::text, key_columns FROM lockstep.tracked WHERE relation = $1::bigint::oid";

    /// <summary>Describes a table, in the transaction of the connection.</summary>
    /// <param name="connection">Open.</param>
    /// <param name="table">Its name.</param>
    /// <param name="namedKey">The key that the user names; empty to take the catalog's.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="PostgresTableException">It is not there, or lacks what a feed needs.</exception>
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
        var tracking = registry
            ? await connection
                .QueryAsync(
                    Tracking,
                    [oid],
                    r => (Id: r.GetString(0), Tombstones: r.GetString(1), Key: r.GetFieldValue<string[]>(2)),
                    cancellationToken
                )
                .ConfigureAwait(false)
            : [];
        var keys = await connection.QueryAsync(Key, [oid], r => r.GetFieldValue<string[]>(0), cancellationToken).ConfigureAwait(false);
        var (id, tombstones, trackedKey) = tracking is [var row] ? row : default;
        var key = KeyOf(table, columns, trackedKey ?? (namedKey.Count > 0 ? namedKey : keys.FirstOrDefault() ?? []));
        return Check(table, kind, columns, hasTombstones: tombstones is not null) with
        {
            Enums = enums,
            Composites = composites,
            Oid = oid,
            SqlName = name,
            Registry = registry,
            Key = key,
            Pages = key.Count > 0 && keys.Any(k => k.ToHashSet().SetEquals(key.Select(c => c.Name))),
            Tombstones = tombstones,
            TrackingId = id,
            Changes = tombstones is null && !columns.Any(c => c.Name == Deleted) ? ChangeSource.SnapshotsOnly : ChangeSource.Tracked,
        };
    }

    /// <summary>The columns of a relation, in their order.</summary>
    public static Task<List<TableColumn>> ColumnsAsync(NpgsqlConnection connection, long oid, CancellationToken cancellationToken) =>
        connection.QueryAsync(
            Columns,
            [oid],
            r => new TableColumn(r.GetString(0), r.GetString(1), ShapeOf(r.GetString(2)))
            {
                TypeId = r.GetInt64(3),
                TypeModifier = r.GetInt32(4),
                IsGenerated = r.GetBoolean(5),
                Collation = r.IsDBNull(6) ? null : r.GetString(6),
                IsLoose = r.GetBoolean(7),
            },
            cancellationToken
        );

    /// <summary>
    /// The enums and the composite types (as relations) among the types of a relation's columns, and among what those are made of.
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
    /// A policy hides rows from the user: one that is hidden later would stay with the clients for ever, since nobody deletes it.
    /// </summary>
    public static PostgresAccessException HidesRows(TableName table) =>
        new(
            $"Row level security is in force on {table} for this user, and a row that a policy comes to hide would not be told as deleted.",
            "Connect as the table's owner or as a role with BYPASSRLS. To serve some of the rows, let clients ask for them with ?where=, or serve a view that has tombstones."
        );

    private static TableDescription Check(TableName table, char kind, List<TableColumn> columns, bool hasTombstones)
    {
        var isTable = kind is 'r' or 'p';
        var txid =
            columns.Find(c => c.Name == "txid")
            ?? throw new PostgresTableException(
                $"{table} has no column txid, by which changes are told.",
                isTable
                    ? (Remedy)
                        $"Let Lockstep track the table: {Term.EnableTracking.For(table.ToString())} adds what it lacks, and {Term.PlanTracking} shows how."
                    : "Add to the view the txid bigint of the tables it reads (the greatest one), and deleted boolean for what is gone."
            );
        if (txid.Type is not ("bigint" or "integer"))
        {
            throw new PostgresTableException(
                $"The column txid of {table} is of type {txid.Type}; a feed needs bigint.",
                "Serve a view that renames it."
            );
        }

        var deleted = columns.Find(c => c.Name == Deleted);
        var isData = deleted is not null && deleted.Type != "boolean";
        if (deleted is not null && isData && !hasTombstones)
        {
            throw new PostgresTableException(
                $"The column deleted of {table} is of type {deleted.Type}; a feed needs boolean.",
                "Serve a view that renames it; or track the table, and it is a column like any other."
            );
        }

        return new TableDescription
        {
            Oid = 0,
            SqlName = "",
            Registry = false,
            Lockable = kind is 'r' or 'p' or 'v',
            Columns = [.. columns.Where(c => c.Name is not ("txid" or "current_xmin") && (c.Name != Deleted || isData))],
            Key = [],
            Pages = false,
            HasDeleted = deleted is not null && !isData,
            Enums = [],
            Composites = [],
            Tombstones = null,
            TrackingId = null,
            Changes = ChangeSource.SnapshotsOnly,
            Fingerprint = "",
        };
    }

    private static List<TableColumn> KeyOf(TableName table, List<TableColumn> columns, IReadOnlyList<string> names) =>
        [
            .. names.Select(name =>
                columns.Find(c => c.Name == name)
                ?? throw new PostgresTableException(
                    $"{table} has no column {name}, which is to be its key.",
                    "Name one of its columns. If a tracked table's key was renamed, enable tracking again."
                )
            ),
        ];

    private static ColumnShape ShapeOf(string type) =>
        type switch
        {
            "bytea" => ColumnShape.Bytes,
            "_bytea" => ColumnShape.ByteArray,
            _ => ColumnShape.Natural,
        };
}
