using System.Globalization;
using System.Text.Json.Nodes;
using Lockstep.Engine.Tables;
using Lockstep.Postgres;
using Lockstep.Postgres.Tracking;
using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>
/// A day in fast motion: while writers write, the database, the server and the clients are killed and restarted, and a DBA does what DBAs
/// do. At the end of each hour every client's table equals its source, and none has started over without a reason. LOCKSTEP_DAY is the
/// number of days, each of 24 hours; with LOCKSTEP_LONG=1 instead, the test runs a morning.
/// </summary>
public sealed class DatabaseDayTests
{
    private static readonly int Days = int.TryParse(
        Environment.GetEnvironmentVariable("LOCKSTEP_DAY"),
        CultureInfo.InvariantCulture,
        out var days
    )
        ? days
        : 0;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<int> Seeds => [.. Days == 0 ? [0] : Enumerable.Range(1, Days)];

    [Theory(Timeout = 3_600_000)]
    [MemberData(nameof(Seeds))]
    public async Task Every_table_equals_its_source_at_each_hour_and_nobody_starts_over_without_a_reason(int seed)
    {
        Assert.SkipWhen(
            Days == 0 && Environment.GetEnvironmentVariable("LOCKSTEP_LONG") != "1",
            "LOCKSTEP_DAY or LOCKSTEP_LONG=1 asks for it."
        );
        await using var day = await DatabaseDay.StartAsync(new Random(seed), Cancel);
        if (Days > 0)
        {
            for (var hour = 0; hour < 24; hour++)
                await day.HourAsync(day.Pick(), day.Pick());
            return;
        }

        await day.HourAsync(day.CrashDatabaseAsync, day.KillServerAsync);
        await day.HourAsync(day.LoseSlotAsync, day.AlterAsync);
        await day.HourAsync(day.KillClientAsync, day.ClearTombstonesAsync);
        await day.HourAsync(day.VacuumAsync, day.TruncateAsync);
    }
}

/// <summary>A database that is served by one process, and a process that follows for each of its tables.</summary>
internal sealed class DatabaseDay : IAsyncDisposable
{
    private const int Writers = 3;
    private static readonly string[] Polled = ["orders", "lines", "events"];
    private static readonly string[] Streamed = ["stock", "moves"];
    private const string View = "totals";
    private static readonly string[] Tables = [.. Polled, .. Streamed, View];

    private readonly TempFolder _folder = new();
    private readonly PostgresServer _postgres;
    private readonly Random _random;
    private readonly CancellationToken _cancel;
    private readonly Dictionary<string, DayProcess> _clients = [];
    private readonly Dictionary<string, int> _reasons = [];
    private readonly List<string> _story = [];
    private readonly HttpClient _http = new();
    private DayProcess _server = null!;
    private int _kills;
    private int _written;
    private int _columns;
    private int _partitions = 2;

    private DatabaseDay(PostgresServer postgres, Random random, CancellationToken cancel) =>
        (_postgres, _random, _cancel) = (postgres, random, cancel);

    public static async Task<DatabaseDay> StartAsync(Random random, CancellationToken cancel)
    {
        var postgres = await PostgresServer.StartAsync(cancel, "wal_level=logical", "max_wal_senders=20");
        var day = new DatabaseDay(postgres, random, cancel);
        await postgres.RunSqlAsync(
            """
            CREATE TABLE orders (id int PRIMARY KEY, customer text, total numeric(10, 2));
            CREATE TABLE lines (order_id int, pos int, what text, PRIMARY KEY (order_id, pos));
            CREATE TABLE events (id int PRIMARY KEY, what text) PARTITION BY RANGE (id);
            CREATE TABLE events_0 PARTITION OF events FOR VALUES FROM (0) TO (100);
            CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (100) TO (200);
            CREATE TABLE stock (id int PRIMARY KEY, amount int);
            CREATE TABLE moves (id text PRIMARY KEY, delta int);
            CREATE VIEW totals AS SELECT customer, count(*) AS n, sum(total) AS total FROM orders GROUP BY customer;
            """,
            cancel
        );
        foreach (var table in Polled)
            await PostgresTracking.EnableAsync(postgres.ConnectionString, new TableName("public", table), cancellationToken: cancel);
        await File.WriteAllTextAsync(
            day._folder["lockstep.json"],
            $$"""
            {
                "listen": { "port": {{PostgresServer.FreePort()}}, "heartbeatSeconds": 0.5 },
                "databases": [
                    {
                        "connectionVariable": "ITS_DATABASE", "tables": ["public.orders", "public.lines", "public.events"],
                        "feeds": [{ "table": "public.totals", "key": ["customer"] }], "pollIntervalSeconds": 0.1
                    },
                    {
                        "connectionVariable": "ITS_DATABASE", "tables": ["public.stock", "public.moves"], "mode": "Replication",
                        "logPath": "logs", "pollIntervalSeconds": 0.1
                    }
                ]
            }
            """,
            cancel
        );
        await day.StartServerAsync();
        foreach (var table in Tables)
            day.StartClient(table);
        return day;
    }

    /// <summary>A random event.</summary>
    public Func<Task> Pick()
    {
        Func<Task>[] all =
        [
            CrashDatabaseAsync,
            RestartDatabaseAsync,
            KillServerAsync,
            KillClientAsync,
            KillClientAsync,
            LoseSlotAsync,
            AlterAsync,
            VacuumAsync,
            TruncateAsync,
            ClearTombstonesAsync,
        ];
        return all[_random.Next(all.Length)];
    }

    /// <summary>Writers write while things happen; then everything comes to a standstill, and is compared.</summary>
    public async Task HourAsync(params Func<Task>[] happenings)
    {
        _reasons.Clear();
        _kills = 0;
        var before = Tables.ToDictionary(t => t, t => _clients[t].Resyncs);
        using (var stop = CancellationTokenSource.CreateLinkedTokenSource(_cancel))
        {
            var writing = Enumerable.Range(0, Writers).Select(_ => WriteAsync(new Random(_random.Next()), stop.Token)).ToArray();
            foreach (var happening in happenings)
            {
                await WrittenAsync(3);
                await happening();
            }

            await WrittenAsync(3);
            await stop.CancelAsync();
            await Task.WhenAll(writing);
        }

        foreach (var table in Tables)
        {
            var expected = await RowsAsync(table);
            string[] got = [];
            await UntilAsync(
                () => (got = Read(table)).SequenceEqual(expected),
                () => $"{table} has {string.Join('\n', got.Except(expected))}\nand lacks {string.Join('\n', expected.Except(got))}\n{Story}"
            );

            // One that is killed while it starts over, or whose server is, must start over again.
            var allowed = _reasons.GetValueOrDefault(table) * (1 + _kills);
            var resyncs = _clients[table].Resyncs - before[table];
            Assert.True(resyncs <= allowed, $"{table} started over {resyncs} times, and {allowed} were due.\n{Story}");
        }
    }

    private string Story =>
        $"{string.Join('\n', _story)}\nServer: {_server.Errors}\n{string.Join('\n', _clients.Values.Select(c => c.Errors))}";

    public async Task CrashDatabaseAsync()
    {
        Happened("The database crashes.");
        _kills++;
        await _postgres.CrashAsync(_cancel);
        await _postgres.StartAsync(_cancel);
    }

    public async Task RestartDatabaseAsync()
    {
        Happened("The database is restarted.");
        _kills++;
        await _postgres.StopAsync(_cancel);
        await _postgres.StartAsync(_cancel);
    }

    public async Task KillServerAsync()
    {
        Happened("The server is killed.", View);
        _kills++;
        await _server.DisposeAsync();
        await StartServerAsync();
    }

    /// <summary>A client is away for a while.</summary>
    public async Task KillClientAsync()
    {
        var table = Any(Tables);
        Happened($"The client of {table} is killed.");
        _kills++;
        await _clients[table].DisposeAsync();
        await WrittenAsync(2);
        StartClient(table);
    }

    /// <summary>The slot can be dropped only while nobody streams from it.</summary>
    public async Task LoseSlotAsync()
    {
        Happened("The slot is lost.", [View, .. Streamed]);
        _kills++;
        await _server.DisposeAsync();
        await Eventually.TrueAsync(async () =>
            await TryAsync("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")
            && await _postgres.RunSqlAsync("SELECT count(*) FROM pg_replication_slots", _cancel) == "0"
        );
        await WrittenAsync(2);
        await StartServerAsync();
    }

    /// <summary>A column that rows do not have costs nothing; one that gets a value in them makes the table start over.</summary>
    public async Task AlterAsync()
    {
        var table = Any([.. Polled, .. Streamed]);
        var hasDefault = _random.Next(2) == 0;
        Happened($"{table} gets a column{(hasDefault ? " with a default" : "")}, and events a partition.", hasDefault ? [table] : []);
        string[] changed = [.. new[] { table, "events" }.Distinct()];
        var from = _partitions++ * 100;
        await SeenAsync(
            changed,
            async () =>
            {
                await RunAsync($"ALTER TABLE {table} ADD COLUMN more_{++_columns} int {(hasDefault ? "NOT NULL DEFAULT 7" : "")}");
                await RunAsync($"CREATE TABLE events_{from} PARTITION OF events FOR VALUES FROM ({from}) TO ({from + 100})");
            }
        );
    }

    public async Task VacuumAsync()
    {
        var table = Any(["orders", "lines", .. Streamed]);
        Happened($"{table} is vacuumed and rewritten.");
        await SeenAsync(
            [table],
            async () =>
            {
                await RunAsync($"VACUUM FULL {table}");
                await RunAsync($"CLUSTER {table} USING {table}_pkey");
                await RunAsync("VACUUM ANALYZE");
            }
        );
    }

    /// <summary>
    /// Changes tables, and returns once their clients continue with them as they are now: who sees a column and a rewritten file at once
    /// cannot tell whether the column was filled.
    /// </summary>
    private async Task SeenAsync(string[] tables, Func<Task> change)
    {
        var before = new Dictionary<string, string>();
        foreach (var table in tables)
            await UntilAsync(async () => (before[table] = await IdentityAsync(table)).Length > 0);
        await change();
        foreach (var table in tables)
        {
            await UntilAsync(async () =>
                await IdentityAsync(table) is { Length: > 0 } now
                && now != before[table]
                && new Table(_folder[$"{table}.db"]).GetInfo().FeedIdentity?.StartsWith(now, StringComparison.Ordinal) == true
            );
        }

        Task UntilAsync(Func<Task<bool>> condition) => Eventually.TrueAsync(condition);
    }

    /// <summary>The identity of a feed; empty while it is not served.</summary>
    private async Task<string> IdentityAsync(string table)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Head, new Uri(Address, table));
            using var answer = await _http.SendAsync(request, _cancel);
            return answer.Headers.TryGetValues("Lockstep-Feed", out var names) ? names.First() : "";
        }
        catch (HttpRequestException)
        {
            return "";
        }
    }

    public async Task TruncateAsync()
    {
        var table = Any([.. Polled, .. Streamed]);
        Happened($"{table} is truncated.", table);
        await RunAsync($"TRUNCATE {table}");
    }

    /// <summary>A client that has not come as far as the cleared tombstones starts over.</summary>
    public async Task ClearTombstonesAsync()
    {
        Happened("Tombstones are cleared.", Polled);
        foreach (var table in Polled)
        {
            await PostgresTracking.ClearTombstonesAsync(
                _postgres.ConnectionString,
                new TableName("public", table),
                TimeSpan.Zero,
                cancellationToken: _cancel
            );
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _clients.Values.Append(_server))
            await process.DisposeAsync();
        await _postgres.DisposeAsync();
        _http.Dispose();
        _folder.Dispose();
    }

    private void Happened(string what, params string[] startOver)
    {
        _story.Add(what);
        foreach (var table in startOver)
            _reasons[table] = _reasons.GetValueOrDefault(table) + 1;
    }

    private async Task StartServerAsync()
    {
        const string Greeting = "Listening on ";
        var errors = _server?.Errors;
        _server = new DayProcess(_folder.Path, errors, _postgres.ConnectionString, "serve", "--config", "lockstep.json");
        await UntilAsync(() => _server.Output.Contains(Greeting, StringComparison.Ordinal), () => _server.Errors);
        var text = _server.Output;
        Address = new Uri(text[(text.IndexOf(Greeting, StringComparison.Ordinal) + Greeting.Length)..].Split('\n')[0].Trim());
    }

    private Uri Address { get; set; } = null!;

    private void StartClient(string table) =>
        _clients[table] = new DayProcess(
            _folder.Path,
            _clients.GetValueOrDefault(table)?.Errors,
            "",
            [
                "sync",
                new Uri(Address, table).ToString(),
                "--path",
                $"{table}.db",
                "--follow",
                "--cursor-style",
                "Query",
                "--force",
                "--retry-interval-sec",
                "0.1",
            ]
        );

    private static async Task UntilAsync(Func<bool> condition, Func<string> story)
    {
        try
        {
            await Eventually.TrueAsync(condition);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new InvalidOperationException(story(), e);
        }
    }

    private string Any(string[] of) => of[_random.Next(of.Length)];

    /// <summary>Returns once the writers have written a few more times.</summary>
    private Task WrittenAsync(int times)
    {
        var due = Volatile.Read(ref _written) + (times * Writers);
        return UntilAsync(() => Volatile.Read(ref _written) >= due, () => Story);
    }

    private async Task WriteAsync(Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            int one = random.Next(60),
                two = random.Next(60),
                at = random.Next(200),
                take = random.Next(4);
            await TryAsync(
                $"""
                INSERT INTO orders SELECT g, 'c' || g % 7, g * 1.25 FROM generate_series({one}, {one + 5}) g
                    ON CONFLICT (id) DO UPDATE SET total = orders.total + 1, customer = 'c' || {two} % 7;
                DELETE FROM orders WHERE id % 11 = {two} % 11;
                INSERT INTO lines SELECT {one}, g, 'w{two}' FROM generate_series(1, 4) g
                    ON CONFLICT (order_id, pos) DO UPDATE SET what = 'again{two}';
                UPDATE lines SET pos = pos + 10 WHERE order_id = {two} AND pos = {take};
                DELETE FROM lines WHERE order_id = {two} AND pos > 8;
                INSERT INTO events VALUES ({at}, 'e{one}') ON CONFLICT (id) DO UPDATE SET what = 'e{two}';
                UPDATE events SET id = (id + 97) % 200 WHERE id = {one} AND NOT EXISTS (SELECT FROM events WHERE id = ({one} + 97) % 200);
                DELETE FROM events WHERE id % 13 = {two} % 13
                """
            );
            await TryAsync(
                $"""
                INSERT INTO stock VALUES ({one}, {two}) ON CONFLICT (id) DO UPDATE SET amount = stock.amount + 1;
                INSERT INTO moves VALUES ('{one}-{two}', {take}) ON CONFLICT (id) DO NOTHING;
                DELETE FROM stock WHERE id % 17 = {two} % 17; DELETE FROM moves WHERE delta = {take} AND id < '{two}'
                """
            );
            Interlocked.Increment(ref _written);
        }
    }

    /// <summary>Runs it, and again if it collided with a writer, or with a server that is still starting.</summary>
    private Task RunAsync(string sql) => Eventually.TrueAsync(() => TryAsync(sql), sql);

    private async Task<bool> TryAsync(string sql)
    {
        try
        {
            await _postgres.RunSqlAsync(sql, _cancel);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private async Task<string[]> RowsAsync(string table)
    {
        var rows = await _postgres.RunSqlAsync($"SELECT row_to_json(t)::text FROM {table} t", _cancel);
        return Canonical(rows.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private string[] Read(string table)
    {
        var rows = new List<string>();
        if (!File.Exists(_folder[$"{table}.db"]))
            return [];
        try
        {
            using var scan = new Table(_folder[$"{table}.db"]).Read();
            while (scan.Read())
                rows.Add(System.Text.Encoding.UTF8.GetString(scan.Json));
        }
        catch (Engine.LockstepException)
        {
            // It is just being created.
            return [];
        }

        return Canonical(rows);
    }

    /// <summary>Without what tracking added, and without nulls: earlier records lack a column that was added later.</summary>
    private static string[] Canonical(IEnumerable<string> rows) =>
        [
            .. rows.Select(row =>
                {
                    var members = JsonNode.Parse(row)!.AsObject().Where(m => m.Key != "txid" && m.Value is not null);
                    return string.Join(
                        ' ',
                        members.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => $"{m.Key}={m.Value!.ToJsonString()}")
                    );
                })
                .Order(StringComparer.Ordinal),
        ];
}
