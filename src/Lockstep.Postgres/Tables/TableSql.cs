using System.Globalization;

namespace Lockstep.Postgres.Tables;

/// <summary>
/// The SQL of tables kept in PostgreSQL. One schema holds a directory and, for each table, its records; the table's number stands in their
/// name, so that a table's name is a value and never part of a statement.
/// </summary>
internal static class TableSql
{
    public const string Directory = "lockstep_tables.lockstep_directory";

    /// <summary>Where a batch waits to be merged.</summary>
    public const string Stage = "pg_temp.lockstep_stage";

    /// <summary>Where a snapshot is built; nobody else sees it (I6).</summary>
    public const string Snapshot = "pg_temp.lockstep_snapshot";

    /// <summary>The class of advisory locks by which one sync leads; the object is the table's number.</summary>
    public const int LockClass = 0x4C6B5374;

    /// <summary>Keeps two from making the same things at once, until the transaction ends.</summary>
    public const string LockCreation = "SELECT pg_advisory_xact_lock(1282102132, -1)";

    public const string Create = $$"""
        {{LockCreation}};
        CREATE SCHEMA IF NOT EXISTS lockstep_tables;
        CREATE TABLE IF NOT EXISTS lockstep_tables.lockstep_directory (
            id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, epoch bigint NOT NULL DEFAULT 0, state text NOT NULL DEFAULT '{}');
        CREATE TABLE IF NOT EXISTS lockstep_tables.lockstep_quarantine (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, table_id int NOT NULL REFERENCES lockstep_tables.lockstep_directory, at timestamptz NOT NULL,
            byte_offset bigint NOT NULL, reason text NOT NULL, bytes bytea NOT NULL);
        """;

    public const string Exists = "SELECT to_regclass('lockstep_tables.lockstep_quarantine') IS NOT NULL";

    public const string CreateStage = $"CREATE TEMP TABLE lockstep_stage ({StageColumns})";

    public const string CreateSnapshot = $"CREATE TEMP TABLE lockstep_snapshot ({StageColumns}, PRIMARY KEY (key))";

    public const string CopyToStage = $"COPY {Stage} (key, seq, ord, txid, gone, body) FROM STDIN (FORMAT binary)";

    /// <summary>Adds the stage to the snapshot, by the rule of I3; the count is of what was new or different.</summary>
    public const string StageToSnapshot = $"""
        INSERT INTO {Snapshot} AS kept SELECT * FROM {Stage}
        ON CONFLICT (key) DO UPDATE SET seq = excluded.seq, ord = excluded.ord, txid = excluded.txid, gone = excluded.gone, body = excluded.body
        WHERE (kept.ord IS NULL OR excluded.ord IS NULL OR excluded.ord::numeric >= kept.ord::numeric)
            AND (kept.gone, kept.txid, kept.body) IS DISTINCT FROM (excluded.gone, excluded.txid, excluded.body)
        """;

    private const string StageColumns = "key bytea NOT NULL, seq bigint NOT NULL, ord text, txid bigint, gone smallint NOT NULL, body text NOT NULL";

    public static string Rows(int table) => string.Create(CultureInfo.InvariantCulture, $"lockstep_tables.lockstep_rows_{table}");

    public static string CreateRows(int table) =>
        $"CREATE TABLE IF NOT EXISTS {Rows(table)} (key bytea PRIMARY KEY, seq bigint NOT NULL, born bigint NOT NULL, ord numeric, txid bigint, gone smallint NOT NULL, body text NOT NULL)";

    /// <summary>
    /// Merges records into a table: an order value below the stored one loses, a tie against what a snapshot swept too, what comes again unchanged is no change (I3, I4). Kinds are
    /// those of <see cref="Engine.Tables.ChangeKind"/>, 0 for nothing and 4 where only the order value rises.
    /// </summary>
    /// <param name="table">The table's number.</param>
    /// <param name="source">The stage or the snapshot, one record per key.</param>
    /// <param name="wantsChanges">Whether each change is returned (kind, what was there, sequence, key, record), or counts of the first two.</param>
    public static string Merge(int table, string source, bool wantsChanges) => $"""
        WITH judged AS MATERIALIZED (
            SELECT s.key, s.seq, s.ord::numeric AS ord, s.txid, s.gone, s.body, r.gone AS was,
                CASE
                    WHEN r.key IS NULL THEN CASE s.gone WHEN 0 THEN 1 ELSE 3 END
                    WHEN r.ord > s.ord::numeric OR (r.ord = s.ord::numeric AND r.gone = 2) THEN 0
                    WHEN r.gone = s.gone AND r.txid IS NOT DISTINCT FROM s.txid AND r.body = s.body THEN CASE WHEN r.ord IS DISTINCT FROM s.ord::numeric THEN 4 ELSE 0 END
                    WHEN s.gone <> 0 THEN 3
                    WHEN r.gone <> 0 THEN 1
                    ELSE 2
                END AS kind
            FROM {source} s LEFT JOIN {Rows(table)} r ON r.key = s.key),
        written AS (
            INSERT INTO {Rows(table)} AS kept (key, seq, born, ord, txid, gone, body) SELECT key, seq, seq, ord, txid, gone, body FROM judged WHERE kind BETWEEN 1 AND 3
            ON CONFLICT (key) DO UPDATE SET born = CASE kept.gone WHEN 0 THEN kept.born ELSE excluded.seq END,
                seq = excluded.seq, ord = excluded.ord, txid = excluded.txid, gone = excluded.gone, body = excluded.body),
        raised AS (UPDATE {Rows(table)} r SET ord = j.ord FROM judged j WHERE j.kind = 4 AND j.key = r.key)
        SELECT kind, coalesce(was, -1), {(wantsChanges ? "seq, key, body FROM judged WHERE kind BETWEEN 1 AND 3 ORDER BY seq" : "count(*) FROM judged WHERE kind BETWEEN 1 AND 3 GROUP BY 1, 2")}
        """;

    /// <summary>Marks what the snapshot does not hold as swept (2), with sequence numbers after $1; returns the changes.</summary>
    public static string Sweep(int table) => $"""
        WITH swept AS (
            UPDATE {Rows(table)} r SET gone = 2, seq = lost.seq
            FROM (SELECT key, $1::bigint + row_number() OVER (ORDER BY key) AS seq FROM {Rows(table)} t
                WHERE gone = 0 AND NOT EXISTS (SELECT FROM {Snapshot} s WHERE s.key = t.key)) lost
            WHERE lost.key = r.key RETURNING r.seq, r.key, r.body)
        SELECT seq, key, body FROM swept ORDER BY seq
        """;

    /// <summary>With another feed stored order values and tombstones mean nothing any more (I6).</summary>
    public static string ForgetOrder(int table) => $"DELETE FROM {Rows(table)} WHERE gone <> 0; UPDATE {Rows(table)} SET ord = NULL";
}
