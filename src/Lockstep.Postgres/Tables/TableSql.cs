using System.Globalization;
using Npgsql;

namespace Lockstep.Postgres.Tables;

/// <summary>
/// The SQL of tables in PostgreSQL. One schema holds a directory and, for each table, a table of its records. Its name contains the table's
/// number, so a table's name is only ever a value, never part of a statement.
/// </summary>
internal static class TableSql
{
    public const string Directory = "lockstep_tables.lockstep_directory";

    public const string Quarantine = "lockstep_tables.lockstep_quarantine";

    /// <summary>Holds a batch until it is merged.</summary>
    public const string Stage = "pg_temp.lockstep_stage";

    /// <summary>Holds a snapshot while it is being built; nobody else sees it (I6).</summary>
    public const string Snapshot = "pg_temp.lockstep_snapshot";

    /// <summary>The class of the advisory locks by which a sync leads; the object is the table's number.</summary>
    public const int LockClass = 0x4C6B5374;

    /// <summary>Tries to take the lead: $1 is the class, $2 the table's number.</summary>
    public const string TryLead = "SELECT pg_try_advisory_lock($1, $2)";

    /// <summary>Waits for the lead as long as <see cref="Wait"/> says; the same parameters.</summary>
    public const string Lead = "SELECT pg_advisory_lock($1, $2)";

    /// <summary>Gives up the lead.</summary>
    public const string GiveUp = "SELECT pg_advisory_unlock_all()";

    /// <summary>From here on locks are waited for so long.</summary>
    public static string Wait(TimeSpan patience) =>
        FormattableString.Invariant($"SET lock_timeout = {Math.Max(1, (long)patience.TotalMilliseconds)}");

    /// <summary>From here on locks are waited for as they were.</summary>
    public const string EndWait = "RESET lock_timeout";

    /// <summary>Keeps two sessions from creating the same objects at once, until the end of the transaction.</summary>
    public const string LockCreation = "SELECT pg_advisory_xact_lock(1282102132, -1)";

    public const string Create = $$"""
        {{LockCreation}};
        CREATE SCHEMA IF NOT EXISTS lockstep_tables;
        CREATE TABLE IF NOT EXISTS lockstep_tables.lockstep_directory (
            id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, epoch bigint NOT NULL DEFAULT 0,
                state text NOT NULL DEFAULT '{}');
        CREATE TABLE IF NOT EXISTS {{Quarantine}} (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, table_id int NOT NULL REFERENCES lockstep_tables.lockstep_directory,
                at timestamptz NOT NULL,
            byte_offset bigint NOT NULL, reason text NOT NULL, bytes bytea NOT NULL);
        CREATE INDEX IF NOT EXISTS lockstep_quarantine_place ON {{Quarantine}} (table_id, byte_offset);
        """;

    public const string Exists = "SELECT to_regclass('lockstep_tables.lockstep_quarantine') IS NOT NULL";

    public const string CreateStage = $"CREATE TEMP TABLE lockstep_stage ({StageColumns})";

    public const string CreateSnapshot = $"CREATE TEMP TABLE lockstep_snapshot ({RowColumns})";

    public const string CopyToStage = $"COPY {Stage} (key, seq, ord, txid, gone, body) FROM STDIN (FORMAT binary)";

    private const string StageColumns =
        "key bytea NOT NULL, seq bigint NOT NULL, ord text, txid bigint, gone smallint NOT NULL, body text NOT NULL";

    private const string RowColumns =
        "key bytea PRIMARY KEY, seq bigint NOT NULL, born bigint NOT NULL, ord numeric, txid bigint, gone smallint NOT "
        + "NULL, body text NOT NULL";

    /// <summary>Who leads a table, as text; null if nobody does.</summary>
    public static string? HolderOf(NpgsqlConnection connection, int table)
    {
        using var command = new NpgsqlCommand(
            $"""
            SELECT format('%s from %s', application_name, coalesce(host(client_addr), 'this machine')) FROM pg_stat_activity WHERE pid = (
                SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = $1::bigint::oid AND objid = $2::bigint::oid
                    AND objsubid = 2 AND granted
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1)
            """,
            connection
        );
        command.Parameters.Add(new NpgsqlParameter { Value = (long)LockClass });
        command.Parameters.Add(new NpgsqlParameter { Value = (long)table });
        return command.ExecuteScalar() as string;
    }

    public static string Rows(int table) => string.Create(CultureInfo.InvariantCulture, $"lockstep_tables.lockstep_rows_{table}");

    /// <summary>Creates the table of the records; its index is for followers of the changes.</summary>
    public static string CreateRows(int table) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"""
            CREATE TABLE {Rows(table)} ({RowColumns});
            CREATE INDEX lockstep_rows_{table}_seq ON {Rows(table)} (seq)
            """
        );

    /// <summary>
    /// Merges records into a table or a snapshot by <see cref="Engine.Tables.RecordRule"/> (I3, I4); kinds are those of
    /// <see cref="Engine.Tables.Verdict"/>.
    /// </summary>
    /// <param name="target">The table of the records, or the snapshot.</param>
    /// <param name="source">The stage or the snapshot, one record per key.</param>
    /// <param name="wantsChanges">
    /// Whether to return each change (kind, what was there, sequence, key, record), or counts by the first two.
    /// </param>
    /// <param name="isArrival">Whether arrival is the order: then deleting a record that does not exist is no change.</param>
    public static string Merge(string target, string source, bool wantsChanges, bool isArrival) =>
        $"""
            WITH judged AS MATERIALIZED (
                SELECT s.key, s.seq, s.ord::numeric AS ord, s.txid, s.gone, s.body, r.gone AS was,
                    CASE{(isArrival ? " WHEN s.gone <> 0 AND coalesce(r.gone, 1) <> 0 THEN 0" : "")}
                        WHEN r.key IS NULL THEN CASE s.gone WHEN 0 THEN 1 ELSE 3 END
                        WHEN r.ord > s.ord::numeric THEN 0{(
                source == Snapshot ? " WHEN r.ord = s.ord::numeric AND r.gone = 1 AND s.gone = 0 THEN 0" : ""
            )}
                        WHEN r.gone = s.gone AND r.body = s.body THEN CASE WHEN r.ord IS DISTINCT FROM s.ord::numeric THEN 4 ELSE 0 END
                        WHEN s.gone <> 0 THEN 3
                        WHEN r.gone <> 0 THEN 1
                        ELSE 2
                    END AS kind
                FROM {source} s LEFT JOIN {target} r ON r.key = s.key),
            written AS (
                INSERT INTO {target} AS kept (key, seq, born, ord, txid, gone, body) SELECT key, seq, seq, ord, txid, gone, body
                    FROM judged WHERE kind BETWEEN 1 AND 3
                ON CONFLICT (key) DO UPDATE SET born = CASE kept.gone WHEN 0 THEN kept.born ELSE excluded.seq END,
                    seq = excluded.seq, ord = excluded.ord, txid = excluded.txid, gone = excluded.gone, body = excluded.body),
            raised AS (UPDATE {target} r SET ord = j.ord, txid = j.txid FROM judged j WHERE j.kind = 4 AND j.key = r.key)
            SELECT kind, coalesce(was, -1), {(
                wantsChanges
                    ? "seq, key, body FROM judged WHERE kind BETWEEN 1 AND 3 ORDER BY seq"
                    : "count(*) FROM judged WHERE kind BETWEEN 1 AND 3 GROUP BY 1, 2"
            )}
            """;

    /// <summary>
    /// Up to $2 records after the key $1 that exist on both sides and differ in their text: the key, the existing text and the new one.
    /// Lockstep itself compares and merges their contents as JSON, because the database's JSON cannot hold half a surrogate pair.
    /// </summary>
    public static string Differing(string target, string source) =>
        $"""
            SELECT s.key, r.body, s.body FROM {source} s JOIN {target} r ON r.key = s.key
            WHERE s.gone = 0 AND r.gone = 0 AND r.body <> s.body AND s.key > $1 ORDER BY s.key LIMIT $2
            """;

    /// <summary>Replaces the new records with the keys $1 by the texts $2.</summary>
    public static string Rewrite(string source) =>
        $"UPDATE {source} s SET body = v.body FROM unnest($1::bytea[], $2::text[]) v(key, body) WHERE s.key = v.key";

    /// <summary>Counts the records missing from the snapshot, except the keys $1.</summary>
    public static string CountAbsent(int table) => $"SELECT count(*) {Absent(table)}";

    /// <summary>The first $2 keys of records missing from the snapshot, except the keys $1.</summary>
    public static string ShowAbsent(int table) => $"SELECT t.key {Absent(table)} ORDER BY t.key LIMIT $2";

    /// <summary>Whether the snapshot has no live record.</summary>
    public static string SnapshotIsEmpty => $"SELECT NOT EXISTS (SELECT FROM {Snapshot} WHERE gone = 0)";

    private static string Absent(int table) =>
        $"FROM {Rows(table)} t WHERE gone = 0 AND key <> ALL ($1::bytea[]) AND NOT EXISTS (SELECT FROM {Snapshot} s WHERE s.key = t.key)";

    /// <summary>
    /// Marks the records missing from the snapshot, except the keys $2, as swept (2), with sequence numbers after $1; returns the changes.
    /// </summary>
    public static string Sweep(int table) =>
        $"""
            WITH swept AS (
                UPDATE {Rows(table)} r SET gone = 2, seq = lost.seq
                FROM (SELECT key, $1::bigint + row_number() OVER (ORDER BY key) AS seq FROM {Rows(table)} t
                    WHERE gone = 0 AND key <> ALL ($2::bytea[]) AND NOT EXISTS (SELECT FROM {Snapshot} s WHERE s.key = t.key)) lost
                WHERE lost.key = r.key RETURNING r.seq, r.key, r.body)
            SELECT seq, key, body FROM swept ORDER BY seq
            """;

    /// <summary>
    /// Deletes the live records between the keys $1 and $2, with sequence numbers after $3; returns the changes, or how many they are.
    /// </summary>
    public static string DeleteBelow(string target, bool wantsChanges) =>
        $"""
            WITH deleted AS (
                UPDATE {target} r SET gone = 1, seq = d.seq
                FROM (SELECT key, $3::bigint + row_number() OVER (ORDER BY key) AS seq FROM {target}
                    WHERE gone = 0 AND key > $1 AND key < $2) d
                WHERE d.key = r.key RETURNING r.seq, r.key, r.body)
            SELECT {(wantsChanges ? "seq, key, body FROM deleted ORDER BY seq" : "count(*) FROM deleted")}
            """;

    /// <summary>Copies to the snapshot what the table has between the keys $1 and $2 and the snapshot lacks.</summary>
    public static string CopyBelow(int table) =>
        $"""
            INSERT INTO {Snapshot} (key, seq, born, ord, txid, gone, body) SELECT key, seq, born, ord, txid, gone, body FROM {Rows(table)}
            WHERE gone = 0 AND key > $1 AND key < $2 ON CONFLICT (key) DO NOTHING
            """;

    /// <summary>Empties a table; not with TRUNCATE, which would wait for all readers and keep new ones out.</summary>
    public static string Empty(int table) =>
        string.Create(CultureInfo.InvariantCulture, $"DELETE FROM {Rows(table)}; DELETE FROM {Quarantine} WHERE table_id = {table}");

    /// <summary>
    /// Quarantines a malformed record, unless the same bytes from the same position are already there: table, time, position, reason,
    /// bytes.
    /// </summary>
    public const string SetAside = $"""
        INSERT INTO {Quarantine} (table_id, at, byte_offset, reason, bytes) SELECT $1, $2, $3, $4, $5
            WHERE NOT EXISTS (SELECT FROM {Quarantine} WHERE table_id = $1 AND byte_offset = $3 AND bytes = $5)
        """;

    /// <summary>Removes the oldest records in quarantine, all but the newest $2.</summary>
    public const string DropOldest =
        $"DELETE FROM {Quarantine} WHERE table_id = $1 AND id <= (SELECT id FROM {Quarantine} WHERE table_id = $1 ORDER BY "
        + $"id DESC LIMIT 1 OFFSET $2)";

    public const string CountQuarantined = $"SELECT count(*) FROM {Quarantine} WHERE table_id = $1";

    public const string ClearQuarantined = $"DELETE FROM {Quarantine} WHERE table_id = $1";

    /// <summary>Removes tombstones below the order value $1; an unknown order value is below all others.</summary>
    public static string ForgetTombstones(int table) => $"DELETE FROM {Rows(table)} WHERE gone <> 0 AND (ord IS NULL OR ord < $1::numeric)";

    /// <summary>Removes a table from the directory, if the appended condition also holds.</summary>
    public static string Forget(int table) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"WITH aside AS (DELETE FROM {Quarantine} WHERE table_id = {table}) DELETE FROM {Directory} WHERE id = {table}"
        );

    /// <summary>Under another feed, stored order values and tombstones no longer mean anything (I6).</summary>
    public static string ForgetOrder(int table) => $"DELETE FROM {Rows(table)} WHERE gone <> 0; UPDATE {Rows(table)} SET ord = NULL";
}
