using System.Diagnostics;
using System.Globalization;
using Lockstep.Postgres;
using Npgsql;

namespace Lockstep.Bench.Postgres;

/// <summary>
/// What serving a table costs its writers, on the user's own database (<c>postgres-writers CONNECTION-STRING [seconds]</c>): writers that
/// each update one row per transaction, single inserts of one writer, and a bulk insert, with the WAL it writes; on an untracked table, on
/// a tracked one, on one that also notifies, and where the server has <c>wal_level = logical</c> on one that is replicated, and on one that
/// is not while 60 others are; one after the other in five rounds. Shows medians, and their ratios to the untracked table's. Creates and
/// drops tables lockstep_bench_*, a publication and a slot.
/// </summary>
internal static class WritersRun
{
    private const int Writers = 16;
    private const int Rows = 100_000;
    private const int Bulk = 200_000;
    private const int Rounds = 5;
    private const int Others = 60;

    private static readonly Way[] Ways =
    [
        new("untracked"),
        new("tracked") { Tracking = new TrackingOptions() },
        new("tracked, notifies") { Tracking = new TrackingOptions { Wake = true } },
        new("replicated") { IsReplicated = true },
        new("60 others are") { OthersAre = true },
    ];

    public static async Task RunAsync(string connectionString, int seconds)
    {
        await using var source = NpgsqlDataSource.Create(connectionString + $";Maximum Pool Size={Writers + 2}");
        await using var level = source.CreateCommand("SHOW wal_level");
        var ways = Array.FindAll(Ways, way => !way.Replicates || (string)level.ExecuteScalar()! == "logical");
        try
        {
            for (var i = 0; i < Others; i++)
                await ExecuteAsync(source, $"DROP TABLE IF EXISTS {Other(i)}; CREATE TABLE {Other(i)} (id bigint PRIMARY KEY)");
            for (var i = 0; i < ways.Length; i++)
            {
                await ExecuteAsync(
                    source,
                    $"DROP TABLE IF EXISTS {Table(i)}; CREATE TABLE {Table(i)} (id bigint PRIMARY KEY, name text, n int) "
                        + $"WITH (fillfactor = 90)"
                );
                if (ways[i].Tracking is { } options)
                    await PostgresTracking.EnableAsync(connectionString, new TableName(null, Table(i)), options);
            }

            var runs = new List<double[]>[ways.Length];
            for (var round = 0; round < Rounds; round++)
            {
                for (var i = 0; i < ways.Length; i++)
                {
                    await using var served = await ServedTables.StartAsync(
                        connectionString,
                        ways[i].IsReplicated ? [Table(i)]
                            : ways[i].OthersAre ? [.. Enumerable.Range(0, Others).Select(Other)]
                            : []
                    );
                    (runs[i] ??= []).Add(await MeasureAsync(source, Table(i), TimeSpan.FromSeconds((double)seconds / Rounds)));
                }
            }

            Console.WriteLine($"{"", -20} {Writers} writers, commits/s   1 writer, inserts/s   bulk insert, s   its log, MB");
            var plain = Medians(runs[0]);
            for (var i = 0; i < ways.Length; i++)
            {
                var of = Medians(runs[i]);
                var texts = of.Select(
                    (value, k) =>
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"{value, 12:N2} ({(k < 2 ? plain[k] / value : value / plain[k]):N2} x)"
                        )
                );
                Console.WriteLine($"{ways[i].What, -20} {string.Join("  ", texts)}");
            }
        }
        finally
        {
            for (var i = 0; i < Others; i++)
                await ExecuteAsync(source, $"DROP TABLE IF EXISTS {Other(i)}");
            for (var i = 0; i < ways.Length; i++)
            {
                if (ways[i].Tracking is not null)
                    await PostgresTracking.DisableAsync(connectionString, new TableName(null, Table(i)));
                await ExecuteAsync(source, $"DROP TABLE {Table(i)}");
            }
        }
    }

    private static string Table(int way) => string.Create(CultureInfo.InvariantCulture, $"lockstep_bench_{way}");

    private static string Other(int i) => string.Create(CultureInfo.InvariantCulture, $"lockstep_bench_other_{i}");

    private static double[] Medians(List<double[]> runs) =>
        [.. Enumerable.Range(0, 4).Select(k => runs.Select(run => run[k]).Order().ElementAt(runs.Count / 2))];

    private static async Task<double[]> MeasureAsync(NpgsqlDataSource source, string table, TimeSpan time)
    {
        await ExecuteAsync(
            source,
            $"TRUNCATE {table}; INSERT INTO {table} (id, name, n) SELECT g, 'name' || g, 0 FROM generate_series(1, {Rows}) "
                + $"g; VACUUM ANALYZE {table}; CHECKPOINT"
        );
        var began = Stopwatch.GetTimestamp();
        var end = began + (long)(time.TotalSeconds * Stopwatch.Frequency);
        var update = $"UPDATE {table} SET n = n + 1 WHERE id = $1";
        var done = await Task.WhenAll(
            Enumerable
                .Range(0, Writers)
                .Select(i => Task.Run(() => WriteAsync(source, update, i, random => random.NextInt64(1, Rows), end)))
        );
        var updates = done.Sum() / Stopwatch.GetElapsedTime(began).TotalSeconds;

        began = Stopwatch.GetTimestamp();
        end = began + (long)(time.TotalSeconds * Stopwatch.Frequency);
        long next = 10 * Rows;
        var inserted = await WriteAsync(source, $"INSERT INTO {table} (id, name, n) VALUES ($1, 'single', 0)", 0, _ => next++, end);
        var inserts = inserted / Stopwatch.GetElapsedTime(began).TotalSeconds;

        var log = await LogAsync(source);
        began = Stopwatch.GetTimestamp();
        await ExecuteAsync(
            source,
            $"INSERT INTO {table} (id, name, n) SELECT g, 'more' || g, 0 FROM generate_series({Rows + 1}, {Rows + Bulk}) g"
        );
        var bulk = Stopwatch.GetElapsedTime(began).TotalSeconds;
        return [updates, inserts, bulk, (await LogAsync(source) - log) / 1e6];
    }

    private static async Task<long> LogAsync(NpgsqlDataSource source)
    {
        await using var command = source.CreateCommand("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint");
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private static async Task<long> WriteAsync(NpgsqlDataSource source, string sql, int writer, Func<Random, long> pick, long end)
    {
        var random = new Random(writer);
        await using var connection = await source.OpenConnectionAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        var id = new NpgsqlParameter<long>();
        command.Parameters.Add(id);
        await command.PrepareAsync();
        var count = 0L;
        for (; Stopwatch.GetTimestamp() < end; count++)
        {
            id.TypedValue = pick(random);
            await command.ExecuteNonQueryAsync();
        }

        return count;
    }

    private static async Task ExecuteAsync(NpgsqlDataSource source, string sql)
    {
        foreach (var statement in sql.Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            await using var command = source.CreateCommand(statement);
            command.CommandTimeout = 600;
            await command.ExecuteNonQueryAsync();
        }
    }

    /// <summary>How a table is served.</summary>
    private sealed record Way(string What)
    {
        public TrackingOptions? Tracking { get; init; }

        public bool IsReplicated { get; init; }

        public bool OthersAre { get; init; }

        public bool Replicates => IsReplicated || OthersAre;
    }

    /// <summary>Tables that are served by replication meanwhile; nothing of it stays on the server.</summary>
    private sealed class ServedTables(string connectionString, string folder) : IAsyncDisposable
    {
        private readonly List<(PostgresFeed Feed, PostgresFeedOptions Options)> _feeds = [];

        public static async Task<ServedTables> StartAsync(string connectionString, string[] tables)
        {
            var served = new ServedTables(connectionString, Directory.CreateTempSubdirectory("lockstep-bench-").FullName);
            foreach (var table in tables)
            {
                var options = new PostgresFeedOptions
                {
                    Table = new TableName(null, table),
                    Mode = PostgresFeedMode.Replication,
                    Replication = new PostgresReplicationOptions { LogPath = Path.Combine(served.Folder, table) },
                };
                served._feeds.Add((await PostgresFeed.StartAsync(connectionString, options), options));
            }

            return served;
        }

        private string Folder => folder;

        public async ValueTask DisposeAsync()
        {
            foreach (var (feed, _) in _feeds)
                await feed.DisposeAsync();
            foreach (var (_, options) in _feeds)
                await PostgresFeed.RemoveReplicationAsync(connectionString, options);
            Directory.Delete(folder, recursive: true);
        }
    }
}
