namespace Lockstep.Postgres.Tests.Feed;

/// <summary>Changes of a table <c>items</c>, by what they mean for its followers.</summary>
public static class SchemaChanges
{
    public const string Plain = "CREATE TYPE mood AS ENUM ('ok', 'sad'); CREATE TABLE items (id int PRIMARY KEY, v mood)";
    public const string Filled = Plain + "; " + Fill;
    public const string Parts =
        "CREATE TABLE items (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p0 PARTITION OF items FOR VALUES FROM (0) TO (100)";

    // The value that rows of before have is in the catalog, until they are rewritten.
    private const string Fill =
        "INSERT INTO items VALUES (5, 'ok'); ALTER TABLE items ADD COLUMN more int NOT NULL DEFAULT 7, ADD COLUMN sum "
        + "int GENERATED ALWAYS AS (id * 2) STORED; ALTER TABLE items ADD COLUMN name text DEFAULT 'n'";

    /// <summary>The table, a change that costs no resync, and a write to row 9 after it.</summary>
    public static TheoryData<string, string, string> Harmless =>
        new()
        {
            { Plain, "ALTER TYPE mood ADD VALUE 'fine'", "INSERT INTO items VALUES (9, 'fine')" },
            { Plain, "ALTER TYPE mood ADD VALUE 'best' BEFORE 'ok'", "INSERT INTO items VALUES (9, 'best')" },
            { Plain, "VACUUM FULL items", "INSERT INTO items VALUES (9, 'ok')" },
            { Plain, "CLUSTER items USING items_pkey", "INSERT INTO items VALUES (9, 'ok')" },
            { Filled, "VACUUM FULL items", "INSERT INTO items VALUES (9, 'ok')" },
            { Filled, "CLUSTER items USING items_pkey", "INSERT INTO items VALUES (9, 'ok')" },
            { Plain, "ALTER TABLE items ADD COLUMN more text", "INSERT INTO items (id, v, more) VALUES (9, 'ok', 'x')" },
            { Plain, "ANALYZE items; REINDEX TABLE items; CREATE INDEX ON items (v)", "INSERT INTO items VALUES (9, 'ok')" },
            { Parts, "CREATE TABLE p1 PARTITION OF items FOR VALUES FROM (100) TO (200)", "INSERT INTO items VALUES (9), (101)" },
            {
                Parts,
                "CREATE TABLE p1 (LIKE items INCLUDING ALL); ALTER TABLE items ATTACH PARTITION p1 FOR VALUES FROM (100) TO (200)",
                "INSERT INTO items VALUES (9), (101)"
            },
            {
                Parts,
                "BEGIN; CREATE TABLE p1 PARTITION OF items FOR VALUES FROM (100) TO (200); INSERT INTO items VALUES (101), (7); COMMIT",
                "INSERT INTO items VALUES (9), (102)"
            },
            {
                Parts,
                "CREATE TABLE p1 PARTITION OF items FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id); CREATE TABLE "
                    + "p2 PARTITION OF p1 DEFAULT",
                "INSERT INTO items VALUES (9), (102)"
            },
        };

    /// <summary>The table, and a change that makes clients start over.</summary>
    public static TheoryData<string, string> Harmful =>
        new()
        {
            { Plain, "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'" },
            { Plain, "ALTER TYPE mood ADD VALUE 'x'; ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'" },
            { Plain, "ALTER TABLE items ADD COLUMN more int DEFAULT 5" },
            { Plain, "ALTER TABLE items ADD COLUMN more text DEFAULT clock_timestamp()::text" },
            { Plain, "ALTER TABLE items ADD COLUMN more int GENERATED ALWAYS AS (id * 2) STORED" },
            { Plain, "ALTER TABLE items ADD COLUMN more int; ALTER TABLE items ALTER COLUMN more TYPE int USING id * 3" },
            { Parts, "ALTER TABLE items ADD COLUMN more int; ALTER TABLE items ALTER COLUMN more TYPE int USING id * 3" },
            { Plain, "ALTER TABLE items ALTER COLUMN v TYPE mood USING 'sad'" },
            { Filled, "ALTER TABLE items ALTER COLUMN more TYPE int USING id * 3" },
            { Filled, "VACUUM FULL items; ALTER TABLE items ALTER COLUMN more TYPE int USING id * 3" },
            { Filled, "ALTER TABLE items ALTER COLUMN more DROP DEFAULT, ALTER COLUMN more TYPE int USING id * 3" },
            { Plain, "ALTER TABLE items RENAME COLUMN v TO w" },
            { Plain, "ALTER TABLE items DROP COLUMN v" },
            { Plain, "TRUNCATE items" },
            { Parts, "DROP TABLE p0" },
            { Parts, "TRUNCATE p0" },
            { Parts, "ALTER TABLE items DETACH PARTITION p0" },
            {
                Parts,
                "BEGIN; CREATE TABLE p1 (LIKE items INCLUDING ALL); INSERT INTO p1 VALUES (150); COMMIT; "
                    + "ALTER TABLE items ATTACH PARTITION p1 FOR VALUES FROM (100) TO (200)"
            },
        };

    /// <summary>
    /// A partition that one transaction creates, fills and attaches; its rows then have that transaction's id as their stamp.
    /// </summary>
    public const string FilledPartition =
        "BEGIN; CREATE TABLE p1 (LIKE items INCLUDING ALL); INSERT INTO p1 VALUES (150); "
        + "ALTER TABLE items ATTACH PARTITION p1 FOR VALUES FROM (100) TO (200); COMMIT";

    /// <summary>Two rows for the table.</summary>
    public static string RowsOf(string sql) =>
        sql.StartsWith(Plain, StringComparison.Ordinal)
            ? "INSERT INTO items VALUES (1, 'ok'), (2, 'sad')"
            : "INSERT INTO items VALUES (1), (2)";
}
