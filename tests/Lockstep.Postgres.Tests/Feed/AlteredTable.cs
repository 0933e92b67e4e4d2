using Npgsql;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>
/// A table <c>items</c> that is written and altered at random, by one connection and by one whose transaction began before. What happens
/// follows from the seed.
/// </summary>
/// <param name="db">Its database.</param>
/// <param name="random">What happens.</param>
/// <param name="isPartitioned">Whether it has partitions.</param>
/// <param name="track">Tracks it; null by replication.</param>
internal sealed class AlteredTable(TestDatabase db, Random random, bool isPartitioned, Func<Task>? track) : IAsyncDisposable
{
    private const int Keys = 30;
    private readonly List<string> _story = [];
    private NpgsqlConnection? _open;
    private int _number;

    public string Story => string.Join('\n', _story);

    /// <summary>How many alterations there were, each of which may make clients start over.</summary>
    public int Alterations { get; private set; }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async Task CreateAsync()
    {
        await RunAsync(
            isPartitioned
                ? "CREATE TABLE items (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); "
                    + "CREATE TABLE p0 PARTITION OF items FOR VALUES FROM (0) TO (10)"
                : "CREATE TABLE items (id int PRIMARY KEY, v int)"
        );
        if (track is not null)
            await track();
        await RunAsync("INSERT INTO items SELECT g, g FROM generate_series(1, 9) g");
    }

    /// <summary>Notes what happens beside it.</summary>
    public void Tell(string what) => _story.Add($"-- {what}");

    /// <summary>A write, or DDL among writes, in a transaction of its own or not.</summary>
    public async Task StepAsync()
    {
        switch (random.Next(12))
        {
            case 0 when _open is null:
                _open = await db.ConnectAsync();
                await TryAsync(_open, "BEGIN; SELECT txid_current()");
                break;
            case 0 or 1 when _open is not null:
                // It holds no lock that would make others wait.
                await TryAsync(_open!, $"{Write()}; {await AlterAsync()}; COMMIT");
                await EndAsync();
                break;
            case < 6:
                await RunAsync(Write());
                break;
            case < 9:
                await RunAsync(await AlterAsync());
                break;
            default:
                var end = random.Next(6) == 0 ? "ROLLBACK" : "COMMIT";
                var savepoint = random.Next(3) switch
                {
                    0 => "SAVEPOINT s; {0}; RELEASE s",
                    1 => "SAVEPOINT s; {0}; ROLLBACK TO s",
                    _ => "{0}",
                };
                await RunAsync(
                    $"BEGIN; {Write()}; {savepoint.Replace("{0}", await AlterAsync(), StringComparison.Ordinal)}; {Write()}; {end}"
                );
                break;
        }
    }

    /// <summary>Ends what is open, and makes it a table that can be served.</summary>
    public async Task SettleAsync()
    {
        await EndAsync();
        await RunAsync("ALTER TABLE IF EXISTS elsewhere RENAME TO items");
        await RunAsync("ALTER TABLE items SET LOGGED");
        await RunAsync("ALTER TABLE items ADD PRIMARY KEY (id)");
        if (track is not null)
        {
            await RunAsync("ALTER TABLE items ENABLE TRIGGER ALL");
            await track();
        }

        await RunAsync("DELETE FROM items WHERE id = 3");
        await RunAsync("INSERT INTO items (id, v) VALUES (3, 0)");
    }

    public ValueTask DisposeAsync() => _open?.DisposeAsync() ?? ValueTask.CompletedTask;

    private async Task EndAsync()
    {
        if (_open is null)
            return;
        await _open.DisposeAsync();
        _open = null;
    }

    private string Write()
    {
        var (id, to, n) = (random.Next(Keys), random.Next(Keys), random.Next(1000));
        return random.Next(7) switch
        {
            0 => $"DELETE FROM items WHERE id % 5 = {n % 5}",
            1 => $"UPDATE items SET id = {to} WHERE id = {id} AND NOT EXISTS (SELECT FROM items WHERE id = {to})",
            2 => $"UPDATE items SET v = v + 1 WHERE id % 4 = {n % 4}",
            3 => $"DELETE FROM items WHERE id = {id}; INSERT INTO items (id, v) VALUES ({id}, {n})",
            _ => $"INSERT INTO items (id, v) VALUES ({id % 10}, {n}) ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v",
        };
    }

    private async Task<string> AlterAsync()
    {
        Alterations++;
        if (isPartitioned && random.Next(3) > 0)
            return await PartitionAsync();
        var name = $"c{++_number}";
        var fill = $"UPDATE items SET {name} = {_number} WHERE id % 3 = 1";
        var columns = (
            await db.ScalarAsync(
                "SELECT string_agg(attname, ' ') FROM pg_attribute WHERE attrelid = to_regclass('items') AND attnum > 0 "
                    + "AND NOT attisdropped AND attname ~ '^c'"
            )
        ).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var some = columns.Length > 0 ? columns[random.Next(columns.Length)] : name;
        var other = columns.Length > 0 ? columns[random.Next(columns.Length)] : name;
        return random.Next(isPartitioned ? 16 : 24) switch
        {
            0 or 1 => $"ALTER TABLE items ADD COLUMN {name} int; {fill}",
            2 => $"ALTER TABLE items ADD COLUMN {name} int DEFAULT {_number}",
            3 => $"ALTER TABLE items ADD COLUMN {name} int DEFAULT random() * 1000",
            4 => $"ALTER TABLE items ADD COLUMN {name} int GENERATED ALWAYS AS (v * 2) STORED",
            5 => $"ALTER TABLE items DROP COLUMN {some}",
            6 => $"ALTER TABLE items DROP COLUMN {some}; ALTER TABLE items ADD COLUMN {some} int",
            7 => $"ALTER TABLE items ADD COLUMN {name} int; {fill}; ALTER TABLE items DROP COLUMN {name}; "
                + $"ALTER TABLE items ADD COLUMN {name} int",
            8 => $"ALTER TABLE items ADD COLUMN {name} int; {fill}; ALTER TABLE items RENAME COLUMN {name} TO {name}b; "
                + $"ALTER TABLE items ADD COLUMN {name} int",
            9 => $"ALTER TABLE items RENAME COLUMN {some} TO {name}",
            10 when some != other => $"ALTER TABLE items RENAME COLUMN {some} TO x; ALTER TABLE items RENAME COLUMN {other} TO {some}; "
                + $"ALTER TABLE items RENAME COLUMN x TO {other}",
            11 => $"ALTER TABLE items ALTER COLUMN {some} SET DEFAULT {_number}; ALTER TABLE items ALTER COLUMN {some} DROP DEFAULT",
            12 => $"ALTER TABLE items ALTER COLUMN v TYPE int USING v + {_number}",
            13 => $"ALTER TABLE items ALTER COLUMN {some} TYPE {(random.Next(2) == 0 ? "bigint" : "int")}",
            14 => "TRUNCATE items",
            15 => "VACUUM FULL items",
            16 or 17 => "VACUUM FULL items",
            18 => "CLUSTER items USING items_pkey",
            19 when track is not null => $"ALTER TABLE items DISABLE TRIGGER ALL; {Write()}; ALTER TABLE items ENABLE TRIGGER ALL",
            20 => $"ALTER TABLE items RENAME TO elsewhere; UPDATE elsewhere SET v = {_number} WHERE id = 2; "
                + "ALTER TABLE elsewhere RENAME TO items",
            21 when track is not null =>
                "ALTER TABLE items SET UNLOGGED; UPDATE items SET v = 0 WHERE id = 4; ALTER TABLE items SET LOGGED",
            22 when track is not null => $"ALTER TABLE items DROP CONSTRAINT items_pkey; INSERT INTO items (id, v) VALUES (1, "
                + $"{-_number}); DELETE FROM items WHERE v = {-_number}; ALTER TABLE items ADD PRIMARY KEY (id)",
            22 => $"ALTER TABLE items DROP CONSTRAINT items_pkey; INSERT INTO items (id, v) VALUES ({Keys + _number}, 1); "
                + "ALTER TABLE items ADD PRIMARY KEY (id)",
            _ => $"ALTER TABLE items ADD COLUMN {name} int",
        };
    }

    private async Task<string> PartitionAsync()
    {
        var (at, n) = (1 + random.Next(2), random.Next(1000));
        var (name, row) = ($"p{at}", (at * 10) + random.Next(10));
        var bounds = $"FOR VALUES FROM ({at * 10}) TO ({(at * 10) + 10})";
        var attach = $"ALTER TABLE items ATTACH PARTITION {name} {bounds}";
        var detach = $"ALTER TABLE items DETACH PARTITION {name}";
        var write = random.Next(3) switch
        {
            0 => $"DELETE FROM {name}",
            1 => $"UPDATE {name} SET v = {n}",
            _ => $"INSERT INTO {name} (id, v) VALUES ({row}, {n})",
        };
        var exists = await db.ScalarAsync($"SELECT to_regclass('{name}') IS NOT NULL") == "True";
        var isAttached = exists && await db.ScalarAsync($"SELECT relispartition FROM pg_class WHERE oid = to_regclass('{name}')") == "True";
        if (isAttached)
        {
            return random.Next(6) switch
            {
                0 => $"DROP TABLE {name}",
                1 => detach,
                2 => $"{detach}; {write}; {attach}",
                3 => $"TRUNCATE {name}",
                4 => $"VACUUM FULL {name}",
                _ => $"INSERT INTO items (id, v) VALUES ({row}, {n}) ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v; {detach}; "
                    + $"DELETE FROM {name}; {attach}",
            };
        }

        if (exists)
        {
            return random.Next(2) == 0 ? $"{write}; {attach}"
                : random.Next(3) == 0 ? $"DROP TABLE {name}"
                : $"{attach}; {write}";
        }

        var like = $"CREATE TABLE {name} (LIKE items INCLUDING ALL)";
        return random.Next(5) switch
        {
            0 => $"CREATE TABLE {name} PARTITION OF items {bounds}",
            1 => $"CREATE TABLE {name} PARTITION OF items {bounds}; {write}",
            2 => $"{like}; {attach}; INSERT INTO items (id, v) VALUES ({row}, {n})",
            3 => $"{like}; {write}; {attach}",
            _ => $"{like}; INSERT INTO {name} (id, v) VALUES ({row}, {n})",
        };
    }

    /// <summary>One statement after the other, each in a transaction of its own unless they begin one.</summary>
    private async Task RunAsync(string sql)
    {
        await using var connection = await db.ConnectAsync();
        await TryAsync(connection, sql);
    }

    private async Task TryAsync(NpgsqlConnection connection, string sql)
    {
        _story.Add(sql);
        try
        {
            foreach (var statement in sql.Split("; "))
                await connection.ExecuteAsync(statement, Cancel);
        }
        catch (PostgresException e) when (!e.SqlState.StartsWith("57P", StringComparison.Ordinal))
        {
            Tell($"{e.SqlState} {e.MessageText}");
        }
    }
}
