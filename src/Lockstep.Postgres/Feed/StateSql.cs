using System.Text;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// The query that tells what a snapshot belongs to: the server, the database, and the facts that make up a feed's identity.
/// </summary>
internal static class StateSql
{
    /// <summary>
    /// The table, its partitions and children, and for a view everything it reads. $1 is the table's quoted name. A partition that is
    /// being detached concurrently, or whose detaching was interrupted, no longer counts: the table does not show its rows.
    /// </summary>
    public const string Related = """
        WITH RECURSIVE related(oid) AS (
            SELECT to_regclass($1)::oid
            UNION
            SELECT next.oid FROM related, LATERAL (
                SELECT inhrelid FROM pg_inherits WHERE inhparent = related.oid AND NOT inhdetachpending
                UNION ALL
                SELECT d.refobjid FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class WHERE r.ev_class = related.oid
            ) AS next(oid)
        )
        """;

    /// <summary>
    /// Settings that determine the text of values, so that every server of a feed writes the same; and no JIT, which costs more than it
    /// gains in short reads. Set per transaction, because a connection pooler preserves nothing else.
    /// </summary>
    public const string Formats = """
        concat(set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true), set_config('IntervalStyle', 'iso_8601', true),
            set_config('extra_float_digits', '1', true), set_config('bytea_output', 'hex', true), set_config('lc_monetary', 'C', true),
            set_config('jit', 'off', true))
        """;

    /// <summary>The timeline of the log that a primary is writing.</summary>
    public const string Timeline = "('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int";

    // A new column that existing rows lack appears as null in their JSON, so it costs no resync. Recognised by the column's row in the
    // catalog, which every other ALTER rewrites, even USING with the same type.
    private const string IsPlain =
        "NOT a.atthasdef AND NOT a.atthasmissing AND a.attgenerated = '' AND a.attidentity = '' AND t.typtype <> 'd'";

    // What every ALTER that may have changed a column's values replaces: its default, which is created again when its type changes, or its
    // row. VACUUM FULL and CLUSTER rewrite that row too if the column was added, with a default, to existing rows.
    private const string Version = """
        coalesce((SELECT format('default %s', oid) FROM pg_attrdef WHERE adrelid = a.attrelid AND adnum = a.attnum), a.xmin::text)
        """;

    // Partitions for which it can be told whether they brought older rows: a trigger of the table stamps rows written since, or the stream
    // carries them.
    private static string IsPartition(TableDescription table) =>
        table.TrackingId is null && table.Changes != ChangeSource.Stream ? "false" : "c.relispartition AND c.oid <> to_regclass($1)";

    /// <summary>
    /// The rows that a policy shows may change without a write. Added only while a policy is in force, so that other identities stay as
    /// they were.
    /// </summary>
    private const string RowSecurity = "SELECT 'row security' WHERE row_security_active(to_regclass($1))";

    private const string SoftDelete = """
        UNION ALL
        SELECT format('soft delete %s', to_jsonb(t) ->> 'soft_delete') FROM lockstep.tracked t
            JOIN pg_attribute a ON a.attrelid = t.relation
            WHERE relation = to_regclass($1) AND attname = 'deleted' AND atttypid = 'bool'::regtype AND NOT attisdropped
        """;

    /// <summary>
    /// The file of the tombstones, once it is no longer the one with which they were created: they were truncated, or were unlogged for a
    /// while, when a crash may have emptied them. And whether a policy hides some.
    /// </summary>
    private const string Tombstones = """

        UNION ALL
        SELECT format('tombstones %s %s', c.relfilenode, row_security_active(c.oid))
            FROM lockstep.tracked t JOIN pg_class c ON c.oid = t.tombstones
            WHERE relation = to_regclass($1) AND (c.relfilenode <> c.oid OR row_security_active(c.oid))
        """;

    private const string ReplicaIdentity =
        "SELECT format('identity %s %s', c.relreplident, (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = c.oid AND "
        + "i.indisreplident))";

    // While a partition is detached, the stream does not carry its changes.
    private const string Attachment = " || (SELECT format(' attached %s', i.xmin) FROM pg_inherits i WHERE i.inhrelid = c.oid)";

    // The stream identifies columns by name, which does not tell apart two that had the name in turn.
    private const string Dropped = """
        UNION ALL
        SELECT format('dropped %s', attnum) FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND attisdropped
        """;

    /// <summary>The query for <see cref="SnapshotState"/>; its first column is not used.</summary>
    /// <remarks>
    /// A primary's timeline is that of the log it writes; the control file learns of it only at the next checkpoint. A trigger's catalog
    /// row is rewritten when it is disabled and enabled again, however briefly.
    /// </remarks>
    /// <param name="table">The table.</param>
    /// <param name="countsTombstones">Whether to ask about how many tombstones it has.</param>
    public static string Query(TableDescription table, bool countsTombstones = false) =>
        $"""
            {Related}, facts(fact) AS (
                SELECT format('relation %s %s %s %s %s', c.oid, {Storage(table)}, c.relkind, c.relpersistence,
                    md5(CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END))
                    FROM related JOIN pg_class c USING (oid) WHERE NOT ({IsPartition(table)})
                UNION ALL
                SELECT format('column %s %s %s %s %s', attnum, attname, atttypid, atttypmod, {Version})
                    FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid
                    WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND NOT ({IsPlain})
                UNION ALL
                SELECT format('key %s', indkey) FROM pg_index WHERE indrelid = to_regclass($1) AND indisprimary
                UNION ALL
                {(
                table.Changes == ChangeSource.Stream
                    ? ReplicaIdentity + " FROM pg_class c WHERE c.oid = to_regclass($1)"
                    : Triggers("tgrelid = to_regclass($1)")
            )}
                UNION ALL
                {RowSecurity}
                {(table.Changes == ChangeSource.Stream ? Dropped + Publication(table) : "")}
                {Composites(table)}
                {(table.Columns.Any(c => c.IsHidden) ? "UNION ALL SELECT 'hidden'" : "")}
                {(table.Registry ? SoftDelete : "")}{(table.TrackingId is null ? "" : Tombstones)}
            )
            SELECT {Formats}, pg_current_snapshot()::text,
                pg_is_in_recovery(),
                (SELECT system_identifier FROM pg_control_system()),
                CASE WHEN pg_is_in_recovery()
                    THEN (SELECT greatest(c.timeline_id, r.min_recovery_end_timeline) FROM pg_control_checkpoint() c,
                        pg_control_recovery() r)
                    ELSE {Timeline} END,
                (SELECT oid::bigint FROM pg_database WHERE datname = current_database()),
                to_regclass($1) IS NOT NULL,
                (SELECT left(md5(string_agg(fact, E'\n' ORDER BY fact COLLATE "C")), 16) FROM facts),
                {(
                table.Registry
                    ? "(SELECT coalesce(sum(epoch), 0)::bigint FROM lockstep.tracked JOIN related ON relation = oid)"
                    : "0::bigint"
            )},
                (SELECT {Digests("format('%s %s %s %s %s', attnum, attname, atttypid, atttypmod, a.xmin)", "attnum")}
                    FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid
                    WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND {IsPlain}),
                (SELECT {Digests("format('%s %s %s', enumtypid, oid, enumlabel)", "oid")} FROM pg_enum WHERE enumtypid IN ({Enums(table)})),
                (SELECT {Digests($"format('%s %s %s %s', c.oid, {Storage(table)}, c.relpersistence, ({OwnTriggers(table)}))", "c.oid")}
                    FROM related JOIN pg_class c USING (oid) WHERE {IsPartition(table)}),
                CASE WHEN NOT pg_is_in_recovery() THEN (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint END,
                CASE WHEN NOT pg_is_in_recovery() THEN (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint END,
                {(
                table.Registry
                    ? "(SELECT coalesce(max((to_jsonb(t) ->> 'tombstone_floor')::bigint), 0) FROM lockstep.tracked t "
                        + "JOIN related ON relation = oid)"
                    : "0::bigint"
            )},
                EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgname = 'zz_lockstep_wake'),
                coalesce(({Files(table)}), 0)::bigint,
                CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint END,
                {(countsTombstones ? TombstoneCount(table.Tombstones!) : "NULL::bigint")}
            """;

    /// <summary>
    /// From the server's statistics, because counting reads the whole table. A replica has those of the last VACUUM or ANALYZE.
    /// </summary>
    private static string TombstoneCount(string tombstones) =>
        $"""
            (SELECT CASE WHEN pg_is_in_recovery() THEN greatest(reltuples, 0)::bigint ELSE pg_stat_get_live_tuples(oid) END
                FROM pg_class WHERE oid = to_regclass({Sql.Literal(tombstones)}))
            """;

    /// <summary>How many digits each digest of an addable fact has.</summary>
    public const int DigestLength = 8;

    private static string Digests(string fact, string order) =>
        FormattableString.Invariant($"coalesce(string_agg(left(md5({fact}), {DigestLength}), '' ORDER BY {order}), '')");

    // With replication the partitions' files too: if one was rewritten together with an added column, the column may have been filled.
    private static string Files(TableDescription table) =>
        table.Changes == ChangeSource.Stream
            ? "SELECT sum(c.relfilenode::bigint) FROM related JOIN pg_class c USING (oid)"
            : "SELECT relfilenode::bigint FROM pg_class WHERE oid = to_regclass($1)";

    /// <summary>
    /// The file of a relation's rows, which TRUNCATE and every DDL that rewrites rows replace. Where a trigger or the stream reports the
    /// former, and the columns the latter, nothing is added.
    /// </summary>
    /// <remarks>
    /// What is in a publication by its own name cannot become unlogged while it is. A partition can, and what is published with everything
    /// or with its schema; its changes are not in the stream then. It is rewritten for that, and so gets another table for its long values,
    /// if it has one: VACUUM FULL and CLUSTER keep that.
    /// </remarks>
    private static string Storage(TableDescription table) =>
        table.Changes == ChangeSource.Stream
            ? $"""
                coalesce((SELECT format('published %s', m.oid) FROM pg_publication_rel m JOIN pg_publication p ON p.oid = m.prpubid
                    WHERE m.prrelid = c.oid AND p.pubname = {Sql.Literal(table.Publication!)}),
                    coalesce(nullif(c.reltoastrelid, 0), c.relfilenode)::text)
                """
            : """
                CASE WHEN NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname = 'zz_lockstep_truncate' AND tgenabled = 'A'
                    AND c.oid = to_regclass($1)) THEN c.relfilenode END
                """;

    /// <summary>The triggers that maintain txid and tombstones; those that notify may come and go.</summary>
    private static string Triggers(string of) =>
        $"""
            SELECT format('trigger %s %s %s %s', tgname, tgfoid, tgenabled, xmin) FROM pg_trigger
                WHERE {of} AND tgname LIKE 'zz\_lockstep\_%' AND tgname <> 'zz_lockstep_wake'
            """;

    private static string OwnTriggers(TableDescription table) =>
        table.Changes == ChangeSource.Stream
            ? ReplicaIdentity + Attachment
            : $"SELECT string_agg(f, ' ' ORDER BY f COLLATE \"C\") FROM ({Triggers("tgrelid = c.oid")}) AS own(f)";

    // What is published otherwise for a while is missing in the stream; so is what is not published at all (see the storage).
    private static string Publication(TableDescription table) =>
        $"""

            UNION ALL
            SELECT format('publication %s %s', oid, xmin) FROM pg_publication WHERE pubname = {Sql.Literal(table.Publication!)}
            """
        + (
            table.HasSchemaPublications
                ? $"""

                    UNION ALL
                    SELECT format('schema %s', n.oid) FROM pg_publication_namespace n JOIN pg_publication p ON p.oid = n.pnpubid
                        JOIN pg_class c ON c.relnamespace = n.pnnspid
                        WHERE c.oid = to_regclass($1) AND p.pubname = {Sql.Literal(table.Publication!)}
                    """
                : ""
        );

    // Renaming an attribute of a composite type changes the JSON of rows that nobody writes.
    private static string Composites(TableDescription table) =>
        table.Composites.Count == 0
            ? ""
            : FormattableString.Invariant(
                $"""
                UNION ALL
                SELECT format('attribute %s %s %s %s %s', attrelid, attnum, attname, atttypid, atttypmod)
                    FROM pg_attribute WHERE attrelid IN ({string.Join(", ", table.Composites)}) AND attnum > 0 AND NOT attisdropped
                """
            );

    // With no enums, use 0, which is no type's oid.
    private static string Enums(TableDescription table) => string.Join(", ", table.Enums.DefaultIfEmpty(0));
}
