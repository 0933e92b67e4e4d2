using System.Text;

namespace Lockstep.Postgres.Feed;

/// <summary>The SQL of a feed. Names come from the catalog and are quoted; everything else is a parameter.</summary>
internal static class FeedSql
{
    private const string Triggers = """
        SELECT format('trigger %s %s %s', tgname, tgfoid, tgenabled) FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgname LIKE 'zz\_lockstep\_%'
        """;

    /// <summary>
    /// Which rows a policy shows may change without a write. Only where one is in force: where none is, nothing is said, as before.
    /// </summary>
    private const string RowSecurity = "SELECT 'row security' WHERE row_security_active(to_regclass($1))";

    private const string ReplicaIdentity = """
        SELECT format('identity %s %s', c.relreplident, (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident))
            FROM related JOIN pg_class c USING (oid)
        """;

    /// <summary>Every read is one snapshot (the contract's first rule).</summary>
    public const string Begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

    public const string Commit = "COMMIT";

    /// <summary>
    /// What the snapshot is a snapshot of. The timeline of a primary is that of the log it writes; the control file only learns it
    /// at the next checkpoint. $1 is the table's quoted name.
    /// </summary>
    /// <remarks>
    /// The fingerprint goes over the table, its partitions and children, and for a view over everything it reads: a relation's file is
    /// replaced by TRUNCATE and by every DDL that rewrites rows without firing triggers (and by VACUUM FULL and CLUSTER, which cost a
    /// needless resync).
    /// </remarks>
    public static string State(TableDescription table) =>
        $"""
            WITH RECURSIVE related(oid) AS (
                SELECT to_regclass($1)::oid
                UNION
                SELECT next.oid FROM related, LATERAL (
                    SELECT inhrelid FROM pg_inherits WHERE inhparent = related.oid
                    UNION ALL
                    SELECT d.refobjid FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class WHERE r.ev_class = related.oid
                ) AS next(oid)
            ), facts(fact) AS (
                SELECT format('relation %s %s %s %s', c.oid, c.relfilenode, c.relkind, md5(CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END))
                    FROM related JOIN pg_class c USING (oid)
                UNION ALL
                SELECT format('column %s %s %s %s', attnum, attname, atttypid, atttypmod)
                    FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
                UNION ALL
                SELECT format('key %s', indkey) FROM pg_index WHERE indrelid = to_regclass($1) AND indisprimary
                UNION ALL
                {(table.Changes == ChangeSource.Stream ? ReplicaIdentity : Triggers)}
                UNION ALL
                {RowSecurity}
                {Types(table)}
            )
            SELECT pg_current_snapshot()::text,
                pg_is_in_recovery(),
                (SELECT system_identifier FROM pg_control_system()),
                CASE WHEN pg_is_in_recovery()
                    THEN (SELECT greatest(c.timeline_id, r.min_recovery_end_timeline) FROM pg_control_checkpoint() c, pg_control_recovery() r)
                    ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
                (SELECT oid::bigint FROM pg_database WHERE datname = current_database()),
                to_regclass($1) IS NOT NULL,
                (SELECT left(md5(string_agg(fact, E'\n' ORDER BY fact COLLATE "C")), 16) FROM facts),
                {(
                table.Registry
                    ? "(SELECT coalesce(sum(epoch), 0)::bigint FROM lockstep.tracked JOIN related ON relation = oid)"
                    : "0::bigint"
            )}
            """;

    /// <summary>What the names in enums and composite types are: renaming one changes the JSON of rows that nobody writes.</summary>
    private static string Types(TableDescription table)
    {
        var sql = new StringBuilder();
        if (table.Enums.Count > 0)
        {
            sql.Append(
                Invariant(
                    $"UNION ALL\nSELECT format('label %s %s %s', enumtypid, oid, enumlabel) FROM pg_enum WHERE enumtypid IN ({string.Join(", ", table.Enums)})\n"
                )
            );
        }

        if (table.Composites.Count > 0)
        {
            sql.Append("UNION ALL\nSELECT format('attribute %s %s %s %s %s', attrelid, attnum, attname, atttypid, atttypmod)\n")
                .Append(
                    Invariant(
                        $"FROM pg_attribute WHERE attrelid IN ({string.Join(", ", table.Composites)}) AND attnum > 0 AND NOT attisdropped\n"
                    )
                );
        }

        return sql.ToString();
    }

    /// <summary>
    /// Waits for DDL in progress and holds off further DDL before the snapshot is taken: a rewritten table looks empty to an older one.
    /// </summary>
    public static string Lock(TableDescription table) => $"LOCK TABLE {table.SqlName} IN ACCESS SHARE MODE";

    /// <summary>
    /// The changes that a previous snapshot does not show, in txid order, and in key order within a transaction where there is a key: $1
    /// the snapshot's xmax, $2 what was in progress in it, $3 the most rows, and for a page after another $4... that one's last position. A
    /// row stamped above the present snapshot (restored from another cluster's dump) is no change. Columns: txid, deleted, data, then the
    /// key as text.
    /// </summary>
    public static string Changes(TableDescription table, ChangeRange range)
    {
        var keys = string.Concat(table.Key.Select((_, i) => $", key{i}"));
        var texts = string.Concat(table.Key.Select((_, i) => $", c.key{i}::text"));
        var order = string.Concat(table.Key.Select((_, i) => $", c.key{i}"));
        var live = Branch(table, table.SqlName, table.Columns, table.HasDeleted ? "r.deleted IS TRUE" : "false", Where(table, range));
        var tombstones = "";
        if (table.Tombstones is not null)
        {
            // A row that lives wins: a transaction that inserts a key under an older snapshot does not see the tombstone that it should
            // remove.
            var same = string.Join(" AND ", table.Key.Select(k => KeySql.Same(k, "live", "r")));
            var where = $"{Where(table, range)} AND NOT EXISTS (SELECT FROM {table.SqlName} AS live WHERE {same})";
            tombstones = "\nUNION ALL\n" + Branch(table, table.Tombstones, table.Key, "true", where);
        }

        return $"SELECT c.txid, c.deleted, c.data{texts}\nFROM (\n{live}{tombstones}\n) AS c(txid, deleted, data{keys})\nORDER BY c.txid{order}\nLIMIT $3";
    }

    /// <summary>
    /// A page of the rows in key order, $1 rows at most, above the key $2, $3... when <paramref name="after"/>. Columns: txid (null where
    /// rows have none), deleted, data, then the key as text.
    /// </summary>
    public static string Page(TableDescription table, bool after)
    {
        var order = string.Join(", ", table.Key.Select(k => $"r.{Sql.Quote(k.Name)}"));
        var txid = table.Changes == ChangeSource.Stream ? "NULL::bigint" : "r.txid::bigint";
        var sql = new StringBuilder($"SELECT {txid}, false, ").Append(Json("d"));
        foreach (var key in table.Key)
            sql.Append(Invariant($", r.{Sql.Quote(key.Name)}::text"));
        sql.Append(Invariant($"\nFROM (SELECT * FROM {table.SqlName} AS r"));
        var conditions = new List<string>();
        if (table.HasDeleted)
            conditions.Add("r.deleted IS NOT TRUE");
        if (after)
        {
            var values = table.Key.Select((k, i) => $"${i + 2}::text::{k.Type}");
            conditions.Add($"({order}) > ({string.Join(", ", values)})");
        }

        if (conditions.Count > 0)
            sql.Append(" WHERE ").AppendJoin(" AND ", conditions);
        sql.Append(Invariant($" ORDER BY {order} LIMIT $1) AS r, {Data(table.Columns, "r")}"));
        return sql.ToString();
    }

    /// <summary>Every row, in no order. Columns: txid, deleted, data.</summary>
    public static string Whole(TableDescription table) =>
        $"SELECT r.txid::bigint, false, {Json("d")}\nFROM {table.SqlName} AS r, {Data(table.Columns, "r")}"
        + (table.HasDeleted ? "\nWHERE r.deleted IS NOT TRUE" : "");

    /// <summary>Stands for the content of a view, so that a change of it is seen.</summary>
    public static string Digest(TableDescription table) =>
        $"SELECT count(*) || '.' || coalesce(sum(hashtextextended({Json("d")}, 0)), 0)\nFROM {table.SqlName} AS r, {Data(table.Columns, "r")}"
        + (table.HasDeleted ? "\nWHERE r.deleted IS NOT TRUE" : "");

    /// <summary>The rows of one relation that changed; their JSON is made after the limit has been applied.</summary>
    private static string Branch(TableDescription table, string relation, IReadOnlyList<TableColumn> columns, string deleted, string where)
    {
        var keys = string.Concat(table.Key.Select(k => ", " + KeySql.Value(k, "r")));
        return $"(SELECT r.txid::bigint, {deleted}, {Json("d")}{keys}\n"
            + $"FROM (SELECT * FROM {relation} AS r WHERE {where} ORDER BY r.txid{keys} LIMIT $3) AS r, {Data(columns, "r")})";
    }

    private static string Where(TableDescription table, ChangeRange range)
    {
        // The condition above 0 is that of the partial index, which leaves out what was there before tracking began.
        const string Ended = "r.txid >= $1 AND r.txid < (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint)";
        var where = range.InProgress
            ? $"r.txid > 0 AND ({Ended} OR r.txid = ANY($2))"
            : $"r.txid > 0 AND {Ended} AND $2::bigint[] IS NOT NULL";
        if (!range.After)
            return where;
        var names = string.Concat(table.Key.Select(k => ", " + KeySql.Value(k, "r")));
        var values = string.Concat(table.Key.Select((k, i) => ", " + KeySql.Value(k, i + 5)));
        return $"{where} AND (r.txid{names}) > ($4::bigint{values})";
    }

    /// <summary>PostgreSQL makes the JSON: it alone knows every type, domain, composite and extension.</summary>
    /// <remarks>With the star, for a column may have the name of the row.</remarks>
    internal static string Json(string data) => $"row_to_json({data}.*)::text";

    internal static string Data(IReadOnlyList<TableColumn> columns, string row) =>
        $"LATERAL (SELECT {string.Join(", ", columns.Select(c => $"{Value(c, row)} AS {Sql.Quote(c.Name)}"))}) AS d";

    private static string Value(TableColumn column, string row)
    {
        var name = $"{row}.{Sql.Quote(column.Name)}";
        return column.Shape switch
        {
            ColumnShape.Bytes => $"translate(encode({name}, 'base64'), E'\\n', '')",
            ColumnShape.ByteArray => $"CASE WHEN array_ndims({name}) > 1 THEN {Matrix(name)} WHEN {name} IS NOT NULL THEN "
                + $"to_json(ARRAY(SELECT translate(encode(e, 'base64'), E'\\n', '') FROM unnest({name}) AS e)) END",
            _ => name,
        };
    }

    /// <summary>An array of arrays of binaries: its JSON, each text in it, which is hexadecimal, made base64.</summary>
    private static string Matrix(string array) =>
        $"""
            (SELECT string_agg(coalesce('"' || translate(encode(decode(part[1], 'hex'), 'base64'), E'\n', '') || '"', part[2]), '' ORDER BY at)::json
                FROM regexp_matches(to_json({array})::text, E'"\\\\\\\\x([0-9a-f]*)"|([^"]+)', 'g') WITH ORDINALITY AS parts(part, at))
            """;

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}

/// <summary>Which of a snapshot's changes a query asks for.</summary>
/// <param name="InProgress">Whether transactions that were in progress in the previous snapshot can still be among them.</param>
/// <param name="After">Whether it goes on from a position.</param>
internal readonly record struct ChangeRange(bool InProgress, bool After);
