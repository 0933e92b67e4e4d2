using Lockstep.Postgres.Feed;

namespace Lockstep.Postgres.Tracking;

/// <summary>What a change to a table's tracking depends on.</summary>
/// <param name="SqlName">Quoted, with its schema.</param>
/// <param name="Name">Its name in the registry, and of its tombstone table.</param>
/// <param name="Key">The key columns, in order.</param>
/// <param name="HasTxid">Whether it has a column txid already.</param>
/// <param name="Readers">Quoted roles that may read it, and so may read the tombstones too.</param>
/// <param name="OperatorSchemas">Quoted schemas outside pg_catalog in which the key's types live.</param>
/// <param name="ByStatement">
/// Whether a statement-level INSERT trigger sees every new row; it misses rows written directly to a partition, or by a logical replication
/// subscription.
/// </param>
internal sealed record TrackedTable(
    string SqlName,
    string Name,
    IReadOnlyList<TableColumn> Key,
    bool HasTxid,
    IReadOnlyList<string> Readers,
    IReadOnlyList<string> OperatorSchemas,
    bool ByStatement
);

/// <summary>A table's entry in the registry.</summary>
/// <param name="Name">Its name there.</param>
/// <param name="AddedTxid">Whether its column txid is ours.</param>
/// <param name="Key">The key by which it is tracked.</param>
/// <param name="SoftDelete">Whether a boolean column deleted marks deleted rows; null if an earlier version did not ask.</param>
/// <param name="HasWake">Whether changes notify the feeds.</param>
/// <param name="LaxTriggers">Our triggers that are not ENABLE ALWAYS.</param>
/// <param name="ByStatement">Whether a trigger fires once per INSERT, rather than once per row as in earlier versions.</param>
/// <param name="HasTime">Whether its tombstones record when they were written.</param>
/// <param name="TextColumns">The columns of its tombstone table that hold text.</param>
internal sealed record Registration(
    string Name,
    bool AddedTxid,
    string[] Key,
    bool? SoftDelete,
    bool HasWake,
    string[] LaxTriggers,
    bool ByStatement,
    bool HasTime,
    string[] TextColumns
)
{
    /// <summary>
    /// Whether the tombstones can hold keys as this version writes them; an earlier version may have treated fewer types as loose.
    /// </summary>
    public bool Fits(IEnumerable<TableColumn> key) => key.All(k => !k.IsLoose || TextColumns.Contains(k.Name));
}

/// <summary>The registry of a database.</summary>
/// <param name="Exists">Whether there is one.</param>
/// <param name="IsCurrent">Whether it has the columns of this version.</param>
internal sealed record TrackingRegistry(bool Exists, bool IsCurrent);

/// <summary>The SQL that makes a table report its changes, and that undoes it.</summary>
internal static class TrackingSql
{
    /// <summary>The channel of wake-ups; the payload is the table's name in the registry.</summary>
    public const string Channel = "lockstep";

    // The value that the trigger stamps rows with. As the column's default it spares most INSERTs the call of the trigger function, which
    // costs more than the rest of the stamping; the trigger then runs only for rows that bring another value. The default alone would not
    // do: COPY of all columns, a logical replication subscription or a restored dump sets the column itself.
    private const string CurrentTransaction = "pg_catalog.txid_current()";

    // The names sort last among the table's BEFORE triggers, so that what those write is stamped too.
    private static readonly string[] Triggers = ["zz_lockstep_stamp", "zz_lockstep_key", "zz_lockstep_truncate"];
    private const string RowsTrigger = "zz_lockstep_rows";
    private const string InsertTrigger = "zz_lockstep_insert";
    private const string WakeTrigger = "zz_lockstep_wake";
    private static readonly string[] AllTriggers = [.. Triggers, RowsTrigger, InsertTrigger, WakeTrigger];

    /// <summary>The statements that begin tracking, to be run in one transaction.</summary>
    public static IReadOnlyList<string> Enable(TrackedTable table, TrackingRegistry registry, bool wake, bool softDelete)
    {
        var tombstones = TombstonesName(table);
        var function = FunctionName(table);
        var keys = string.Join(", ", table.Key.Select(k => Sql.Quote(k.Name)));
        var statements = new List<string>(Common);
        if (registry.Exists && !registry.IsCurrent)
            statements.Add(AddColumns);
        statements.Add($"LOCK TABLE {table.SqlName} IN ACCESS EXCLUSIVE MODE");

        // A constant default rewrites no rows: existing ones count as written by transaction 0, before every cursor.
        if (!table.HasTxid)
        {
            statements.Add($"ALTER TABLE {table.SqlName} ADD COLUMN txid bigint NOT NULL DEFAULT 0");
            statements.Add($"ALTER TABLE {table.SqlName} ALTER COLUMN txid SET DEFAULT {CurrentTransaction}");
        }

        statements.AddRange([
            // One may be left of tracking whose schema was dropped.
            $"DROP INDEX IF EXISTS {IndexSchema(table)}.{Sql.Quote(IndexName(table))}",
            $"CREATE INDEX {Sql.Quote(IndexName(table))} ON {table.SqlName} (txid, {keys}) WHERE txid > 0",
            $"CREATE TABLE {tombstones} AS SELECT {string.Join(", ", table.Key.Select(KeyColumn))}"
                + $" FROM {table.SqlName} AS t WITH NO DATA",
            $"ALTER TABLE {tombstones} ADD COLUMN txid bigint NOT NULL, ADD PRIMARY KEY ({keys})",
            AddTime(tombstones),
            $"CREATE INDEX ON {tombstones} (txid, {keys})",
            TombstoneFunction.Create(table, function, tombstones),
            $"CREATE TRIGGER {Triggers[0]} BEFORE INSERT OR UPDATE ON {table.SqlName} FOR EACH ROW WHEN (NEW.txid IS "
                + $"DISTINCT FROM {CurrentTransaction}) EXECUTE FUNCTION lockstep.stamp()",
            .. RowTriggers(table),
            $"CREATE TRIGGER {Triggers[1]} AFTER UPDATE ON {table.SqlName} FOR EACH ROW WHEN ("
                + string.Join(" OR ", table.Key.Select(k => $"{KeySql.Value(k, "OLD")} IS DISTINCT FROM {KeySql.Value(k, "NEW")}"))
                + $") EXECUTE FUNCTION {function}()",
            $"CREATE TRIGGER {Triggers[2]} AFTER TRUNCATE ON {table.SqlName} FOR EACH STATEMENT EXECUTE FUNCTION lockstep.truncated()",
        ]);
        // ENABLE ALWAYS, so that they fire for rows applied by a logical replication subscription too.
        statements.AddRange(Triggers.Select(t => EnableAlways(table, t)));
        if (wake)
            statements.AddRange(Wake(table));
        statements.AddRange(table.Readers.Select(role => $"GRANT SELECT ON {tombstones} TO {role}"));
        statements.Add(
            "INSERT INTO lockstep.tracked (name, relation, tombstones, key_columns, epoch, added_txid, soft_delete) VALUES ("
                + $"{Sql.Literal(table.Name)}, {Sql.Literal(table.SqlName)}, {Sql.Literal(tombstones)}, "
                + $"ARRAY[{string.Join(", ", table.Key.Select(k => Sql.Literal(k.Name)))}], (extract(epoch FROM "
                + $"clock_timestamp()) * 1000)::bigint, {(table.HasTxid ? "false" : "true")}, "
                + $"{(softDelete ? "true" : "false")})"
        );
        return statements;
    }

    /// <summary>The statements that repair a table's tracking; none if there is nothing to repair.</summary>
    public static IReadOnlyList<string> Repair(
        TrackedTable table,
        TrackingRegistry registry,
        Registration now,
        bool? wake,
        bool? softDelete
    )
    {
        var statements = new List<string>();
        var isMark = softDelete ?? now.SoftDelete == true;
        if (now.SoftDelete != isMark)
        {
            if (!registry.IsCurrent)
                statements.Add(AddColumns);
            statements.Add($"UPDATE lockstep.tracked SET soft_delete = {(isMark ? "true" : "false")} WHERE name = {Sql.Literal(now.Name)}");
        }

        statements.AddRange(now.LaxTriggers.Select(t => EnableAlways(table, t)));
        if (now.ByStatement != table.ByStatement)
        {
            if (now.ByStatement)
                statements.Add($"DROP TRIGGER {InsertTrigger} ON {table.SqlName}");
            statements.Add(TombstoneFunction.Create(table, FunctionName(table), TombstonesName(table)));
            statements.AddRange(RowTriggers(table));
            if (!now.HasTime)
                statements.Add(AddTime(TombstonesName(table)));
        }

        if (wake == true && !now.HasWake)
            statements.AddRange(Wake(table));
        if (wake == false && now.HasWake)
            statements.Add($"DROP TRIGGER {WakeTrigger} ON {table.SqlName}");
        return statements;
    }

    /// <summary>The columns that this version adds to an earlier version's registry.</summary>
    public const string AddColumns =
        "ALTER TABLE lockstep.tracked ADD COLUMN IF NOT EXISTS soft_delete boolean, ADD COLUMN IF NOT EXISTS "
        + "tombstone_floor bigint NOT NULL DEFAULT 0";

    /// <summary>Records when each tombstone was written, for retention; existing ones count from now.</summary>
    public static string AddTime(string tombstones) =>
        $"ALTER TABLE {tombstones} ADD COLUMN lockstep_at timestamptz NOT NULL DEFAULT now()";

    private static string EnableAlways(TrackedTable table, string trigger) =>
        $"ALTER TABLE {table.SqlName} ENABLE ALWAYS TRIGGER {trigger}";

    /// <summary>The triggers that write and remove tombstones; they replace any existing ones.</summary>
    private static string[] RowTriggers(TrackedTable table)
    {
        var (name, function) = (table.SqlName, FunctionName(table));
        string[] insert =
        [
            $"CREATE TRIGGER {InsertTrigger} AFTER INSERT ON {name} REFERENCING NEW TABLE AS {TombstoneFunction.Added}"
                + $" FOR EACH STATEMENT EXECUTE FUNCTION {function}()",
            EnableAlways(table, InsertTrigger),
        ];
        return
        [
            $"CREATE OR REPLACE TRIGGER {RowsTrigger} AFTER {(table.ByStatement ? "" : "INSERT OR ")}DELETE ON {name}"
                + $" FOR EACH ROW EXECUTE FUNCTION {function}()",
            EnableAlways(table, RowsTrigger),
            .. table.ByStatement ? insert : [],
        ];
    }

    private static string[] Wake(TrackedTable table) =>
        [
            $"CREATE TRIGGER {WakeTrigger} AFTER INSERT OR UPDATE OR DELETE ON {table.SqlName} FOR EACH STATEMENT EXECUTE "
                + $"FUNCTION lockstep.wake({Sql.Literal(table.Name)})",
            EnableAlways(table, WakeTrigger),
        ];

    /// <summary>The statements that end tracking, to be run in one transaction.</summary>
    public static IReadOnlyList<string> Disable(TrackedTable table, bool dropTxid) =>
        [
            .. AllTriggers.Select(t => $"DROP TRIGGER IF EXISTS {t} ON {table.SqlName}"),
            $"DROP FUNCTION IF EXISTS {FunctionName(table)}()",
            $"DROP TABLE IF EXISTS {TombstonesName(table)}",
            $"DROP INDEX IF EXISTS {IndexSchema(table)}.{Sql.Quote(IndexName(table))}",
            .. dropTxid ? [$"ALTER TABLE {table.SqlName} DROP COLUMN IF EXISTS txid"] : Array.Empty<string>(),
            $"DELETE FROM lockstep.tracked WHERE name = {Sql.Literal(table.Name)}",
        ];

    /// <summary>The statements that remove what a dropped table has left behind.</summary>
    public static IReadOnlyList<string> Prune(string name) =>
        [
            $"DROP FUNCTION IF EXISTS lockstep.{Sql.Quote(name)}()",
            $"DROP TABLE IF EXISTS lockstep.{Sql.Quote(name)}",
            $"DELETE FROM lockstep.tracked WHERE name = {Sql.Literal(name)}",
        ];

    private static readonly string[] Common =
    [
        "CREATE SCHEMA IF NOT EXISTS lockstep",
        "GRANT USAGE ON SCHEMA lockstep TO PUBLIC",
        """
            CREATE TABLE IF NOT EXISTS lockstep.tracked (
                name text PRIMARY KEY,
                relation regclass NOT NULL UNIQUE,
                tombstones regclass NOT NULL,
                key_columns text[] NOT NULL,
                epoch bigint NOT NULL,
                added_txid boolean NOT NULL,
                soft_delete boolean,
                tombstone_floor bigint NOT NULL DEFAULT 0
            )
            """,
        "GRANT SELECT ON lockstep.tracked TO PUBLIC",
        """
            CREATE OR REPLACE FUNCTION lockstep.stamp() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                NEW.txid := pg_catalog.txid_current();
                RETURN NEW;
            END
            $$
            """,
        """
            CREATE OR REPLACE FUNCTION lockstep.truncated() RETURNS trigger LANGUAGE plpgsql
                SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
            DECLARE
                entry record;
            BEGIN
                UPDATE lockstep.tracked SET epoch = epoch + 1 WHERE relation = TG_RELID RETURNING tombstones INTO entry;
                EXECUTE format('DELETE FROM %s', entry.tombstones);
                RETURN NULL;
            END
            $$
            """,
        """
            CREATE OR REPLACE FUNCTION lockstep.wake() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pg_catalog.pg_notify('lockstep', TG_ARGV[0]);
                RETURN NULL;
            END
            $$
            """,
    ];

    private static string KeyColumn(TableColumn key) =>
        key.IsLoose ? $"{KeySql.Value(key, "t")} AS {Sql.Quote(key.Name)}" : Sql.Quote(key.Name);

    private static string TombstonesName(TrackedTable table) => $"lockstep.{Sql.Quote(table.Name)}";

    private static string FunctionName(TrackedTable table) => TombstonesName(table);

    private static string IndexName(TrackedTable table) => PostgresNames.Shorten(table.Name, "_lockstep_txid");

    private static string IndexSchema(TrackedTable table) => PostgresNames.SchemaOf(table.SqlName);
}
