using Npgsql;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>What an altered table consists of.</summary>
public enum AlteredShape
{
    /// <summary>Of itself.</summary>
    Plain,

    /// <summary>Of partitions p0, p1 and p2, some of which may be elsewhere.</summary>
    Parts,

    /// <summary>Of a partition p0, and of one that has p1 and p2.</summary>
    PartsOfParts,
}

/// <summary>
/// A table <c>items</c> that is written and altered at random, by one connection and by one whose transaction began before. What happens
/// follows from the seed.
/// </summary>
/// <param name="db">Its database.</param>
/// <param name="random">What happens.</param>
/// <param name="shape">What it consists of.</param>
/// <param name="track">Tracks it; null by replication.</param>
internal sealed class AlteredTable(TestDatabase db, Random random, AlteredShape shape, Func<Task>? track) : IAsyncDisposable
{
    private const int Keys = 30;
    private readonly bool _isPartitioned = shape != AlteredShape.Plain;
    private readonly string _parent = shape == AlteredShape.PartsOfParts ? "middle" : "items";
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
            !_isPartitioned
                ? "CREATE TABLE items (id int PRIMARY KEY, v int)"
                : "CREATE TABLE items (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); "
                    + "CREATE TABLE p0 PARTITION OF items FOR VALUES FROM (0) TO (10)"
        );
        if (shape == AlteredShape.PartsOfParts)
            await RunAsync($"CREATE TABLE middle PARTITION OF items {Middle} PARTITION BY RANGE (id)");
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
        foreach (var part in _isPartitioned ? (string[])["p0", "p1", "p2"] : ["items"])
        {
            await RunAsync($"ALTER TABLE IF EXISTS {part} SET LOGGED");
            if (part is "p1" or "p2")
                await RunAsync($"ALTER TABLE {_parent} DETACH PARTITION {part} FINALIZE");
        }

        if (_parent != "items")
            await RunAsync("ALTER TABLE items DETACH PARTITION middle FINALIZE");
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
        if (_parent != "items" && random.Next(4) == 0)
            return await MiddleAsync();
        if (_isPartitioned && random.Next(3) > 0)
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
        return random.Next(_isPartitioned ? 16 : 26) switch
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
            24 when track is not null => $"ALTER TABLE items SET UNLOGGED; {Write()}",
            25 when track is not null => "ALTER TABLE items SET LOGGED",
            _ => $"ALTER TABLE items ADD COLUMN {name} int",
        };
    }

    /// <summary>The partition that has partitions comes and goes with them.</summary>
    private async Task<string> MiddleAsync()
    {
        var attach = $"ALTER TABLE items ATTACH PARTITION middle {Middle}";
        var id = 10 + random.Next(20);
        var write = random.Next(3) switch
        {
            0 => $"DELETE FROM middle WHERE id = {id}",
            1 => $"UPDATE middle SET v = {random.Next(1000)}",
            _ => $"INSERT INTO middle (id, v) VALUES ({id}, 1) ON CONFLICT (id) DO NOTHING",
        };
        if (await db.ScalarAsync("SELECT relispartition FROM pg_class WHERE oid = to_regclass('middle')") != "True")
            return random.Next(2) == 0 ? $"{write}; {attach}" : $"{attach}; {write}";
        return random.Next(4) switch
        {
            0 => "ALTER TABLE items DETACH PARTITION middle",
            1 when _open is null => "ALTER TABLE items DETACH PARTITION middle CONCURRENTLY",
            2 => "TRUNCATE middle",
            _ => $"ALTER TABLE items DETACH PARTITION middle; {write}; {attach}",
        };
    }

    private const string Middle = "FOR VALUES FROM (10) TO (30)";

    private async Task<string> PartitionAsync()
    {
        var (at, n) = (1 + random.Next(2), random.Next(1000));
        var (name, row) = ($"p{at}", (at * 10) + random.Next(10));
        var bounds = $"FOR VALUES FROM ({at * 10}) TO ({(at * 10) + 10})";
        var attach = $"ALTER TABLE {_parent} ATTACH PARTITION {name} {bounds}";
        var detach = $"ALTER TABLE {_parent} DETACH PARTITION {name}";
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
            return random.Next(11) switch
            {
                // These two wait for every transaction that has begun before.
                6 when _open is null => $"{detach} CONCURRENTLY",
                8 when _open is null => $"{detach} FINALIZE",
                7 => $"BEGIN; SELECT count(*) FROM {name}; -- elsewhere {detach} CONCURRENTLY; COMMIT; {write}",
                9 => $"ALTER TABLE {name} SET UNLOGGED; {write}",
                10 => $"ALTER TABLE {name} SET UNLOGGED; {write}; ALTER TABLE {name} SET LOGGED",
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
            return random.Next(2) == 0 ? $"{write}; ALTER TABLE {name} SET LOGGED; {attach}"
                : random.Next(3) == 0 ? $"DROP TABLE {name}"
                : $"{attach}; {write}";
        }

        var like = $"CREATE TABLE {name} (LIKE items INCLUDING ALL)";
        return random.Next(5) switch
        {
            0 => $"CREATE TABLE {name} PARTITION OF {_parent} {bounds}",
            1 => $"CREATE TABLE {name} PARTITION OF {_parent} {bounds}; {write}",
            2 => $"{like}; {attach}; INSERT INTO items (id, v) VALUES ({row}, {n})",
            3 => $"{like}; {write}; {attach}",
            _ => $"{like}; INSERT INTO {name} (id, v) VALUES ({row}, {n})",
        };
    }

    private const string Elsewhere = "-- elsewhere ";

    /// <summary>Runs a statement on another connection, where it waits and is interrupted.</summary>
    private async Task InterruptAsync(string sql)
    {
        await using var connection = await db.ConnectAsync();
        await TryAsync(connection, $"SET statement_timeout = '200ms'; {sql}");
    }

    /// <summary>The server is gone, and with it what was open.</summary>
    public async Task CrashedAsync()
    {
        Tell("The server crashes.");
        await EndAsync();
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
            {
                if (statement.StartsWith(Elsewhere, StringComparison.Ordinal))
                    await InterruptAsync(statement[Elsewhere.Length..]);
                else
                    await connection.ExecuteAsync(statement, Cancel);
            }
        }
        catch (PostgresException e) when (!e.SqlState.StartsWith("57P", StringComparison.Ordinal))
        {
            Tell($"{e.SqlState} {e.MessageText}");
        }
    }
}
