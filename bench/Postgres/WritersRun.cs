using System.Diagnostics;
using System.Globalization;
using Lockstep.Postgres;
using Npgsql;

namespace Lockstep.Bench.Postgres;

/// <summary>
/// What tracking costs those who write, on a database of the user's own (<c>postgres-writers CONNECTION-STRING [seconds]</c>): writers that
/// each update one row a transaction, and a bulk insert, on an untracked table, on a tracked one, and on one that also notifies. Makes and
/// drops a table lockstep_bench.
/// </summary>
internal static class WritersRun
{
    private const string Table = "lockstep_bench";
    private const int Writers = 16;
    private const int Rows = 100_000;

    public static async Task RunAsync(string connectionString, int seconds)
    {
        await using var source = NpgsqlDataSource.Create(connectionString + $";Maximum Pool Size={Writers + 2}");
        var name = new TableName(null, Table);
        (string What, TrackingOptions? Options)[] ways =
        [
            ("untracked", null),
            ("tracked", new TrackingOptions()),
            ("tracked, notifies", new TrackingOptions { Wake = true }),
        ];
        foreach (var (what, options) in ways)
        {
            await ExecuteAsync(
                source,
                $"DROP TABLE IF EXISTS {Table}; CREATE TABLE {Table} (id bigint PRIMARY KEY, name text, n int) WITH (fillfactor = 90);"
                    + $"INSERT INTO {Table} SELECT g, 'name' || g, 0 FROM generate_series(1, {Rows}) g"
            );
            if (options is not null)
                await PostgresTracking.EnableAsync(connectionString, name, options);
            await ExecuteAsync(source, $"VACUUM ANALYZE {Table}; CHECKPOINT");
            var began = Stopwatch.GetTimestamp();
            var end = began + (seconds * Stopwatch.Frequency);
            var done = await Task.WhenAll(Enumerable.Range(0, Writers).Select(i => Task.Run(() => UpdateAsync(source, i, end))));
            var rate = done.Sum() / Stopwatch.GetElapsedTime(began).TotalSeconds;
            began = Stopwatch.GetTimestamp();
            await ExecuteAsync(source, $"INSERT INTO {Table} SELECT g, 'more' || g, 0 FROM generate_series({Rows + 1}, {3 * Rows}) g");
            var bulk = 2 * Rows / Stopwatch.GetElapsedTime(began).TotalSeconds;
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{what, -20} {Writers} writers {rate, 10:N0} commits/s   bulk insert {bulk, 12:N0} rows/s"
                )
            );
            if (options is not null)
                await PostgresTracking.DisableAsync(connectionString, name);
        }

        await ExecuteAsync(source, $"DROP TABLE {Table}");
    }

    private static async Task<long> UpdateAsync(NpgsqlDataSource source, int writer, long end)
    {
        var random = new Random(writer);
        await using var connection = await source.OpenConnectionAsync();
        await using var command = new NpgsqlCommand($"UPDATE {Table} SET n = n + 1 WHERE id = $1", connection);
        var id = new NpgsqlParameter<long>();
        command.Parameters.Add(id);
        await command.PrepareAsync();
        var count = 0L;
        for (; Stopwatch.GetTimestamp() < end; count++)
        {
            id.TypedValue = random.NextInt64(1, Rows);
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
}
