using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>Reads a table's description from the catalog.</summary>
internal static class TableCatalog
{
    private const string Relation = """
        SELECT c.oid::bigint, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text, to_regclass('lockstep.tracked') IS NOT NULL
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)
        """;

    // A domain is followed to the type under it.
    private const string Columns = """
        WITH RECURSIVE types(attnum, oid) AS (
            SELECT attnum, atttypid FROM pg_attribute WHERE attrelid = $1::bigint::oid AND attnum > 0 AND NOT attisdropped
            UNION ALL
            SELECT attnum, typbasetype FROM types JOIN pg_type USING (oid) WHERE typtype = 'd'
        )
        SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), t.typname::text, a.atttypid::bigint, a.atttypmod, a.attgenerated <> ''
        FROM pg_attribute a JOIN types USING (attnum) JOIN pg_type t ON t.oid = types.oid AND t.typtype <> 'd'
        WHERE a.attrelid = $1::bigint::oid ORDER BY a.attnum
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
        NpgsqlConnection connection, TableName table, IReadOnlyList<string> namedKey, CancellationToken cancellationToken)
    {
        var relation = await connection.QueryAsync(
            Relation, [table.ToSql()], r => (Oid: r.GetInt64(0), Name: r.GetString(1), Kind: r.GetString(2)[0], Registry: r.GetBoolean(3)), cancellationToken)
            .ConfigureAwait(false);
        if (relation is not [var (oid, name, kind, registry)])
            throw new PostgresTableException($"There is no table or view {table} (names are taken as written, capitals included).", "Check the name and the schema.");
        if (!"rpvmf".Contains(kind, StringComparison.Ordinal)) throw new PostgresTableException($"{table} is neither a table nor a view.", "Name a table or a view.");
        var columns = await ColumnsAsync(connection, oid, cancellationToken).ConfigureAwait(false);
        var tracking = registry
            ? await connection.QueryAsync(
                Tracking, [oid], r => (Id: r.GetString(0), Tombstones: r.GetString(1), Key: r.GetFieldValue<string[]>(2)), cancellationToken).ConfigureAwait(false)
            : [];
        var keys = await connection.QueryAsync(Key, [oid], r => r.GetFieldValue<string[]>(0), cancellationToken).ConfigureAwait(false);
        var (id, tombstones, trackedKey) = tracking is [var row] ? row : default;
        var key = KeyOf(table, columns, trackedKey ?? (namedKey.Count > 0 ? namedKey : keys.FirstOrDefault() ?? []));
        return Check(table, kind, columns) with
        {
            Oid = oid,
            SqlName = name,
            Registry = registry,
            Key = key,
            Pages = key.Count > 0 && keys.Any(k => k.ToHashSet().SetEquals(key.Select(c => c.Name))),
            Tombstones = tombstones,
            TrackingId = id,
            Changes = tombstones is null && !columns.Any(c => c.Name == "deleted") ? ChangeSource.SnapshotsOnly : ChangeSource.Tracked,
        };
    }

    /// <summary>The columns of a relation, in their order.</summary>
    public static Task<List<TableColumn>> ColumnsAsync(NpgsqlConnection connection, long oid, CancellationToken cancellationToken) => connection.QueryAsync(
        Columns,
        [oid],
        r => new TableColumn(r.GetString(0), r.GetString(1), ShapeOf(r.GetString(2))) { TypeId = r.GetInt64(3), TypeModifier = r.GetInt32(4), IsGenerated = r.GetBoolean(5) },
        cancellationToken);

    private static TableDescription Check(TableName table, char kind, List<TableColumn> columns)
    {
        var isTable = kind is 'r' or 'p';
        var txid = columns.Find(c => c.Name == "txid") ?? throw new PostgresTableException(
            $"{table} has no column txid, by which changes are told.",
            isTable
                ? $"Let Lockstep track the table: Enable-LockstepPostgresTracking -Table {table} adds what it lacks, and -WhatIf shows how."
                : "Add to the view the txid bigint of the tables it reads (the greatest one), and deleted boolean for what is gone.");
        if (txid.Type is not ("bigint" or "integer")) throw new PostgresTableException($"The column txid of {table} is of type {txid.Type}; a feed needs bigint.", "Serve a view that renames it.");
        var deleted = columns.Find(c => c.Name == "deleted");
        if (deleted is not null && deleted.Type != "boolean")
            throw new PostgresTableException($"The column deleted of {table} is of type {deleted.Type}; a feed needs boolean.", "Serve a view that renames it.");
        return new TableDescription
        {
            Oid = 0,
            SqlName = "",
            Registry = false,
            Lockable = kind is 'r' or 'p' or 'v',
            Columns = [.. columns.Where(c => c.Name is not ("txid" or "deleted" or "current_xmin"))],
            Key = [],
            Pages = false,
            HasDeleted = deleted is not null,
            Tombstones = null,
            TrackingId = null,
            Changes = ChangeSource.SnapshotsOnly,
            Fingerprint = "",
        };
    }

    private static List<TableColumn> KeyOf(TableName table, List<TableColumn> columns, IReadOnlyList<string> names) =>
        [.. names.Select(name => columns.Find(c => c.Name == name)
            ?? throw new PostgresTableException($"{table} has no column {name}, which is to be its key.", "Name one of its columns. If a tracked table's key was renamed, enable tracking again."))];

    private static ColumnShape ShapeOf(string type) => type switch
    {
        "bytea" => ColumnShape.Bytes,
        "_bytea" => ColumnShape.ByteArray,
        _ => ColumnShape.Natural,
    };
}
