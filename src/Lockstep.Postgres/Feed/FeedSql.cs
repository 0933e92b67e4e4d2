using System.Text;

namespace Lockstep.Postgres.Feed;

/// <summary>The SQL of a feed. Names come from the catalog and are quoted; everything else is a parameter.</summary>
internal static class FeedSql
{
    /// <summary>Each read is a single snapshot (the contract's first rule).</summary>
    public const string Begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

    public const string Commit = "COMMIT";

    private const string Alive = "r.deleted IS NOT TRUE";

    /// <summary>A short lock timeout: waiting for a locked table would hold up others waiting for the connection.</summary>
    public const string LockPatience = "SET LOCAL lock_timeout = '250ms'";

    /// <summary>
    /// Waits for DDL in progress, and holds off further DDL before the snapshot is taken: a rewritten table looks empty to an older
    /// snapshot.
    /// </summary>
    public static string Lock(TableDescription table) => $"LOCK TABLE {table.SqlName} IN ACCESS SHARE MODE";

    /// <summary>
    /// The changes that a previous snapshot does not show, in txid order, and in key order within a transaction where there is a key: $1
    /// the snapshot's xmax, $2 what was in progress in it, $3 the most rows, and for a later page $4... the last position of the one
    /// before. A row stamped above the current snapshot (restored from another cluster's dump) is not a change. Columns: txid, deleted,
    /// data, then the key as text.
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
            // A live row wins: a transaction that inserts a key under an older snapshot does not see the tombstone it should remove.
            var same = string.Join(" AND ", table.Key.Select(k => KeySql.Same(k, "live", "r")));
            var where = $"{Where(table, range)} AND NOT EXISTS (SELECT FROM {table.SqlName} AS live WHERE {same})";
            tombstones = "\nUNION ALL\n" + Branch(table, table.Tombstones, table.Key, "true", where);
        }

        return $"SELECT c.txid, c.deleted, c.data{texts}\nFROM (\n{live}{tombstones}\n) AS c(txid, deleted, data{keys})\nORDER BY "
            + $"c.txid{order}\nLIMIT $3";
    }

    /// <summary>
    /// A page of at most $1 rows in key order, above the key $2, $3... if <paramref name="after"/>. Columns: txid (null for rows without
    /// one), deleted, data, then the key as text.
    /// </summary>
    /// <param name="table">The table.</param>
    /// <param name="after">Whether to continue from a key.</param>
    /// <param name="filter">Conditions on the row <c>r</c>; their parameters follow those of the key.</param>
    public static string Page(TableDescription table, bool after, IReadOnlyList<string> filter)
    {
        var order = string.Join(", ", table.Key.Select(k => $"r.{Sql.Quote(k.Name)}"));
        var txid = table.Changes == ChangeSource.Stream ? "NULL::bigint" : "r.txid::bigint";
        var sql = new StringBuilder($"SELECT {txid}, false, ").Append(Json("d"));
        foreach (var key in table.Key)
            sql.Append(Invariant($", r.{Sql.Quote(key.Name)}::text"));
        sql.Append(Invariant($"\nFROM (SELECT * FROM {table.SqlName} AS r"));
        var conditions = new List<string>(filter);
        if (table.HasDeleted)
            conditions.Add(Alive);
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
    /// <param name="table">The table.</param>
    /// <param name="filter">Conditions on the row <c>r</c>.</param>
    public static string Whole(TableDescription table, IReadOnlyList<string> filter) =>
        $"SELECT r.txid::bigint, false, {Json("d")}\nFROM {table.SqlName} AS r, {Data(table.Columns, "r")}"
        + string.Concat(filter.Prepend(table.HasDeleted ? Alive : "true").Select((c, i) => i == 0 ? $"\nWHERE {c}" : $" AND {c}"));

    /// <summary>Every row of a view, in no order. Columns: data, and its share of the <see cref="Digest"/>.</summary>
    public static string Shown(TableDescription table) =>
        $"SELECT j.data, hashtextextended(j.data, 0)\nFROM {table.SqlName} AS r, {Data(table.Columns, "r")}, LATERAL "
        + $"(SELECT {Json("d")} AS data OFFSET 0) AS j"
        + Living(table);

    /// <summary>A digest of a view's contents, by which a change is noticed. Columns: the number of rows, and a sum over them.</summary>
    public static string Digest(TableDescription table) =>
        $"SELECT count(*), coalesce(sum(hashtextextended({Json("d")}, 0)), 0)::text\nFROM {table.SqlName} AS r, {Data(table.Columns, "r")}"
        + Living(table);

    private static string Living(TableDescription table) => table.HasDeleted ? $"\nWHERE {Alive}" : "";

    /// <summary>The changed rows of one relation; their JSON is built after the limit has been applied.</summary>
    private static string Branch(TableDescription table, string relation, IReadOnlyList<TableColumn> columns, string deleted, string where)
    {
        var keys = string.Concat(table.Key.Select(k => ", " + KeySql.Value(k, "r")));
        return $"(SELECT r.txid::bigint, {deleted}, {Json("d")}{keys}\n"
            + $"FROM (SELECT * FROM {relation} AS r WHERE {where} ORDER BY r.txid{keys} LIMIT $3) AS r, {Data(columns, "r")})";
    }

    private static string Where(TableDescription table, ChangeRange range)
    {
        // txid > 0 is the condition of the partial index, which leaves out rows from before tracking began.
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

    /// <summary>PostgreSQL builds the JSON, because only it knows every type, domain, composite and extension.</summary>
    /// <remarks>With the star, because a column may share the row's name.</remarks>
    internal static string Json(string data) => $"row_to_json({data}.*)::text";

    internal static string Data(IReadOnlyList<TableColumn> columns, string row) =>
        $"LATERAL (SELECT "
        + $"{string.Join(", ", columns.Where(c => !c.IsHidden).Select(c => $"{Value(c, row)} AS {Sql.Quote(c.Name)}"))}) AS d";

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

    /// <summary>A multidimensional array of bytea: its JSON, with each text converted from hexadecimal to base64.</summary>
    private static string Matrix(string array) =>
        $"""
            (SELECT string_agg(coalesce('"' || translate(encode(decode(part[1], 'hex'), 'base64'), E'\n', '') || '"', part[2]),
                '' ORDER BY at)::json
                FROM regexp_matches(to_json({array})::text, E'"\\\\\\\\x([0-9a-f]*)"|([^"]+)', 'g') WITH ORDINALITY AS parts(part, at))
            """;

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}

/// <summary>Which of the changes since a snapshot a query asks for.</summary>
/// <param name="InProgress">Whether transactions that were in progress in the previous snapshot can still be among them.</param>
/// <param name="After">Whether to continue from a position.</param>
internal readonly record struct ChangeRange(bool InProgress, bool After);
