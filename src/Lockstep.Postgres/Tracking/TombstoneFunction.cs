using Lockstep.Postgres.Feed;

namespace Lockstep.Postgres.Tracking;

/// <summary>
/// The trigger function that keeps at most one tombstone for each key that is gone. It runs as its owner, so that a user who may write the
/// table needs no rights on the tombstones.
/// </summary>
internal static class TombstoneFunction
{
    /// <summary>The transition table of inserted rows, for the trigger that fires once per statement.</summary>
    public const string Added = "added";

    /// <summary>
    /// The number of rows up to which a cached plan looks up their tombstones. For more rows a custom plan pays, and it must not become the
    /// cached one: that would read all tombstones for a single row.
    /// </summary>
    private const string Few = "20";

    /// <summary>The statement that creates the function, or replaces an earlier version's.</summary>
    public static string Create(TrackedTable table, string name, string tombstones)
    {
        var keys = string.Join(", ", table.Key.Select(k => Sql.Quote(k.Name)));
        var old = string.Join(", ", table.Key.Select(k => KeySql.Value(k, "OLD")));

        // Intervals must have the same text here as in what feeds send.
        var style = table.Key.Any(k => k.IsLoose) ? " SET IntervalStyle = iso_8601" : "";
        var path = string.Join(", ", table.OperatorSchemas.Prepend("pg_catalog").Append("pg_temp"));
        var body = $"""

            BEGIN
                IF TG_LEVEL = 'STATEMENT' THEN
            {OfStatement(table, tombstones)}
                    RETURN NULL;
                END IF;
                IF TG_OP <> 'INSERT' THEN
                    INSERT INTO {tombstones} ({keys}, txid) VALUES ({old}, txid_current())
                        ON CONFLICT ({keys}) DO UPDATE SET (txid, lockstep_at) = (EXCLUDED.txid, EXCLUDED.lockstep_at);
                END IF;
                IF TG_OP <> 'DELETE' THEN
                    DELETE FROM {tombstones} AS gone WHERE {Same(table, "NEW")};
                END IF;
                RETURN NULL;
            END

            """;
        return $"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = "
            + $"{path}{style} AS {Body(body)}";
    }

    /// <remarks>
    /// A tombstone is removed only where a live row exists: by the end of the statement another trigger may have deleted the row again. The
    /// table is referenced by oid, because it may be renamed. If the owner may no longer read it, the function leaves tombstones in place
    /// rather than fail the write; feeds skip a tombstone whose row is live.
    /// </remarks>
    private static string OfStatement(TrackedTable table, string tombstones)
    {
        var same = Same(table, Added);
        var live = string.Join(" AND ", table.Key.Select(k => KeySql.Same(k, "live", "gone")));
        return $"""
                    IF NOT EXISTS (SELECT FROM {Added} OFFSET {Few}) THEN
                        IF NOT EXISTS (SELECT FROM {Added} JOIN {tombstones} AS gone ON {same}) THEN
                            RETURN NULL;
                        END IF;
                    END IF;
                    IF has_schema_privilege(TG_TABLE_SCHEMA::text, 'USAGE') AND has_table_privilege(TG_RELID, 'SELECT')
                        AND NOT row_security_active(TG_RELID) THEN
                        EXECUTE concat({Sql.Literal($"DELETE FROM {tombstones} AS gone USING {Added}, ")}, TG_RELID::regclass,
                            {Sql.Literal($" AS live WHERE {same} AND {live}")});
                    END IF;
            """;
    }

    private static string Same(TrackedTable table, string row) =>
        string.Join(" AND ", table.Key.Select(k => $"gone.{Sql.Quote(k.Name)} = {KeySql.Value(k, row)}"));

    // Names may contain the text that ends the quotation.
    private static string Body(string text) => text.Contains("$$", StringComparison.Ordinal) ? Sql.Literal(text) : $"$${text}$$";
}
