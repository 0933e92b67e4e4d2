using Lockstep.Testing;

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
            { Plain, AddColumn + Later + "VACUUM FULL items", "INSERT INTO items VALUES (9, 'ok')" },
            { Plain, AddColumn + Later + "CLUSTER items USING items_pkey", "INSERT INTO items VALUES (9, 'ok')" },
            { Plain, "VACUUM FULL items" + Later + AddColumn, "INSERT INTO items VALUES (9, 'ok')" },
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
            { Plain, AddColumn + Later + "ALTER TABLE items ALTER COLUMN more TYPE int USING id * 3" },
            { Plain, AddColumn + Later + "VACUUM FULL items" + Later + "ALTER TABLE items ALTER COLUMN more TYPE int USING id * 3" },
            { Plain, AddColumn + " DEFAULT 5; ALTER TABLE items ALTER COLUMN more DROP DEFAULT" + Then + "VACUUM FULL items" },
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
            { Parts, "BEGIN; " + DetachFirst + "; DELETE FROM p0 WHERE id = 2; " + AttachFirst + "; COMMIT" },
            { Parts, DetachFirst + "; UPDATE p0 SET id = 3 WHERE id = 2" + Then + AttachFirst },
        };

    /// <summary>The table, something that is added to it and brings values, and what takes it away again.</summary>
    public static TheoryData<string, string, string> Undone =>
        new()
        {
            { Plain, "ALTER TABLE items ADD COLUMN more int", "ALTER TABLE items DROP COLUMN more" },
            { Parts, AddPartition, "DROP TABLE p1" },
            { Parts, AddPartition, "ALTER TABLE items DETACH PARTITION p1" },
        };

    /// <summary>The table, and what happens to it unseen: by the end a name or a partition is not what it was in between.</summary>
    public static TheoryData<string, string> Unseen =>
        new()
        {
            { Plain, More + Then + "ALTER TABLE items DROP COLUMN more" + Then + AddColumn },
            { Plain, More + Then + "ALTER TABLE items RENAME COLUMN more TO most" + Then + AddColumn },
            {
                Plain,
                AddColumn
                    + ", ADD COLUMN most int"
                    + Then
                    + "INSERT INTO items VALUES (9, 'ok', 5, 6)"
                    + Then
                    + "ALTER TABLE items RENAME COLUMN more TO x; ALTER TABLE items RENAME COLUMN most TO more; "
                    + "ALTER TABLE items RENAME COLUMN x TO most"
            },
            { Parts, AddPartition + Then + "INSERT INTO items VALUES (101)" + Then + DetachSecond + "; DELETE FROM p1" + Then + Attach },
            { Parts, AddPartition + Then + "INSERT INTO items VALUES (101)" + Then + DetachSecond + "; TRUNCATE p1" + Then + Attach },
        };

    /// <summary>What is written while it is there.</summary>
    public static string WriteOf(string addition) =>
        addition == AddPartition ? "INSERT INTO items VALUES (101)" : "UPDATE items SET more = 5 WHERE id = 1";

    private const string More = AddColumn + Then + "INSERT INTO items VALUES (9, 'ok', 5)";
    private const string DetachSecond = "ALTER TABLE items DETACH PARTITION p1";
    private const string DetachFirst = "ALTER TABLE items DETACH PARTITION p0";
    private const string AttachFirst = "ALTER TABLE items ATTACH PARTITION p0 FOR VALUES FROM (0) TO (100)";
    private const string AddColumn = "ALTER TABLE items ADD COLUMN more int";
    private const string AddPartition = "CREATE TABLE p1 PARTITION OF items FOR VALUES FROM (100) TO (200)";

    /// <summary>
    /// A partition that one transaction creates, fills and attaches; its rows then have that transaction's id as their stamp.
    /// </summary>
    public const string FilledPartition =
        "BEGIN; CREATE TABLE p1 (LIKE items INCLUDING ALL); INSERT INTO p1 VALUES (150); "
        + "ALTER TABLE items ATTACH PARTITION p1 FOR VALUES FROM (100) TO (200); COMMIT";

    // Between changes that the feed sees one after the other, and between those that are transactions of their own.
    private const string Later = "; -- later ";
    private const string Then = "; -- then ";

    /// <summary>Runs a change, and what the feed sees of it in between.</summary>
    internal static async Task RunAsync(TestDatabase db, string change, Func<Task> catchUp)
    {
        foreach (var part in change.Split(Later))
        {
            foreach (var sql in part.Split(Then))
                await db.RunAsync(sql);
            await catchUp();
        }
    }

    /// <summary>The same, but the rows are written in a savepoint: in the table they have its id.</summary>
    public const string FilledInSavepoint =
        "BEGIN; CREATE TABLE p1 (LIKE items INCLUDING ALL); SAVEPOINT s; INSERT INTO p1 VALUES (150); RELEASE s; " + Attach + "; COMMIT";

    /// <summary>A partition that is filled and then attached, before the feed sees either.</summary>
    public const string FilledBefore = "CREATE TABLE p1 (LIKE items INCLUDING ALL); INSERT INTO p1 VALUES (150)" + Then + Attach;

    private const string Attach = "ALTER TABLE items ATTACH PARTITION p1 FOR VALUES FROM (100) TO (200)";

    /// <summary>Detaches p0 concurrently, and is interrupted halfway: the table no longer shows its rows.</summary>
    internal static async Task DetachHalfwayAsync(TestDatabase db)
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var reader = await db.ConnectAsync();
        await reader.ExecuteAsync("BEGIN; SELECT count(*) FROM items", cancel);
        await using var dba = await db.ConnectAsync();
        var detaching = dba.ExecuteAsync(DetachFirst + " CONCURRENTLY", cancel);
        await Eventually.TrueAsync(async () => await db.ScalarAsync("SELECT count(*) FROM pg_inherits WHERE inhdetachpending") == "1");
        await db.RunAsync($"SELECT pg_cancel_backend({dba.ProcessID})");
        await Assert.ThrowsAsync<Npgsql.PostgresException>(() => detaching);
    }

    /// <summary>Two rows for the table.</summary>
    public static string RowsOf(string sql) =>
        sql.StartsWith(Plain, StringComparison.Ordinal)
            ? "INSERT INTO items VALUES (1, 'ok'), (2, 'sad')"
            : "INSERT INTO items VALUES (1), (2)";
}
