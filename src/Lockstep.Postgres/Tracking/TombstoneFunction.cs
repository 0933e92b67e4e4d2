using Lockstep.Postgres.Feed;

namespace Lockstep.Postgres.Tracking;

/// <summary>
/// The trigger function that keeps one tombstone at most for each key that is gone. Runs as its owner, so that who may write the table
/// needs no right on the tombstones.
/// </summary>
internal static class TombstoneFunction
{
    /// <summary>The rows that a statement has inserted, for the trigger that fires once for them all.</summary>
    public const string Added = "added";

    /// <summary>
    /// Up to how many rows a plan that is kept looks for their tombstones. More are worth a plan of their own, and must not make the one
    /// that is kept: it would read all tombstones for a single row.
    /// </summary>
    private const string Few = "20";

    /// <summary>The statement that makes the function, or replaces an earlier version's.</summary>
    public static string Create(TrackedTable table, string name, string tombstones)
    {
        var keys = string.Join(", ", table.Key.Select(k => Sql.Quote(k.Name)));
        var old = string.Join(", ", table.Key.Select(k => KeySql.Value(k, "OLD")));

        // The text of an interval is to be that which feeds send.
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
    /// A tombstone goes only where a row lives: by the end of the statement another trigger may have deleted it again. The table is named
    /// by its oid, for it may be renamed. An owner who may no longer read it leaves tombstones be rather than fail whoever writes; feeds
    /// pass over one whose row lives.
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

    // Names may hold whatever would end the quotation.
    private static string Body(string text) => text.Contains("$$", StringComparison.Ordinal) ? Sql.Literal(text) : $"$${text}$$";
}
