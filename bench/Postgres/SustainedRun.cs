using System.Diagnostics;
using System.Globalization;
using Lockstep.Postgres;
using Lockstep.Serving;
using Npgsql;

namespace Lockstep.Bench.Postgres;

/// <summary>
/// How old changes are when a client receives them, while rows are written all the time, at 70% of the rate that the writers reach with
/// nobody served (<c>postgres-sustained CONNECTION-STRING [minutes]</c>): by polling, and with wal_level=logical by replication. Half the
/// time goes to each. Creates and drops a table lockstep_sustained.
/// </summary>
internal static class SustainedRun
{
    private const string Table = "lockstep_sustained";
    private const int Writers = 4;
    private const int RowsPerCommit = 50;
    private const double Share = 0.7;

    public static async Task RunAsync(string connectionString, double minutes)
    {
        await using var source = NpgsqlDataSource.Create(connectionString + $";Maximum Pool Size={Writers + 2}");
        await ExecuteAsync(source, $"DROP TABLE IF EXISTS {Table}; CREATE TABLE {Table} (id bigint PRIMARY KEY, at bigint, name text)");
        var name = new TableName(null, Table);
        await PostgresTracking.EnableAsync(connectionString, name);
        var folder = Directory.CreateTempSubdirectory("lockstep-bench-");
        PostgresFeedOptions[] ways =
        [
            new() { Table = name },
            new()
            {
                Table = name,
                Mode = PostgresFeedMode.Replication,
                Replication = new PostgresReplicationOptions { LogPath = Path.Combine(folder.FullName, "bench.log") },
            },
        ];
        try
        {
            await using var level = source.CreateCommand("SHOW wal_level");
            var isLogical = await level.ExecuteScalarAsync() is "logical";
            foreach (var way in ways.Where(way => isLogical || way.Mode == PostgresFeedMode.Polling))
            {
                await ExecuteAsync(source, $"TRUNCATE {Table}");
                var alone = await WriteAsync(source, TimeSpan.FromSeconds(10), rate: null);
                // Rows already in the table would arrive as a snapshot, before those that are measured.
                await ExecuteAsync(source, $"TRUNCATE {Table}");
                await using var server = await FeedServer.StartAsync(
                    [await PostgresFeed.StartAsync(connectionString, way)],
                    new FeedServerOptions()
                );
                var time = TimeSpan.FromMinutes(minutes / 2);
                using var stop = new CancellationTokenSource();
                var ages = new List<double>();
                var reading = Task.Run(() => ReadAsync(server, ages, stop.Token));
                var reached = await WriteAsync(source, time, alone * Share);
                await Task.Delay(2000);
                await stop.CancelAsync();
                await reading;
                ages.Sort();
                Console.WriteLine(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{way.Mode}: writers alone {alone:N0} rows/s; then {reached:N0} rows/s for {time.TotalSeconds:N0} "
                            + $"s, {ages.Count:N0} arrived; "
                            + $"from the write to the client p50 {At(0.5):N0} ms, p99 {At(0.99):N0} ms, max {At(1):N0} ms"
                    )
                );

                double At(double share) => ages.Count == 0 ? double.NaN : ages[Math.Min(ages.Count - 1, (int)(share * ages.Count))];
            }

            if (isLogical)
                await PostgresFeed.RemoveReplicationAsync(connectionString, ways[1]);
        }
        finally
        {
            folder.Delete(recursive: true);
            await PostgresTracking.DisableAsync(connectionString, name);
            await ExecuteAsync(source, $"DROP TABLE {Table}");
        }
    }

    /// <summary>Writes for a time, at a rate or as fast as possible; returns the rate reached, in rows per second.</summary>
    private static async Task<double> WriteAsync(NpgsqlDataSource source, TimeSpan time, double? rate)
    {
        var began = Stopwatch.GetTimestamp();
        var counts = await Task.WhenAll(Enumerable.Range(0, Writers).Select(i => Task.Run(() => WriterAsync(i))));
        return counts.Sum() / Stopwatch.GetElapsedTime(began).TotalSeconds;

        async Task<long> WriterAsync(int writer)
        {
            await using var connection = await source.OpenConnectionAsync();
            await using var command = new NpgsqlCommand(
                $"INSERT INTO {Table} SELECT g, $3, 'name' || g FROM generate_series($1, $2) g",
                connection
            );
            NpgsqlParameter<long>[] values = [new(), new(), new()];
            command.Parameters.AddRange(values);
            await command.PrepareAsync();
            var count = 0L;
            while (Stopwatch.GetElapsedTime(began) < time)
            {
                var due = rate is { } perSecond
                    ? TimeSpan.FromSeconds(count * Writers / perSecond) - Stopwatch.GetElapsedTime(began)
                    : default;
                if (due > TimeSpan.FromMilliseconds(1))
                    await Task.Delay(due);
                var first = (writer * 10_000_000_000L) + count;
                (values[0].TypedValue, values[1].TypedValue) = (first, first + RowsPerCommit - 1);
                values[2].TypedValue = Stopwatch.GetTimestamp();
                await command.ExecuteNonQueryAsync();
                count += RowsPerCommit;
            }

            return count;
        }
    }

    private static async Task ReadAsync(FeedServer server, List<double> ages, CancellationToken stop)
    {
        using var client = new HttpClient();
        using var response = await client.GetAsync(new Uri(server.Uri, Table), HttpCompletionOption.ResponseHeadersRead, stop);
        await using var body = await response.Content.ReadAsStreamAsync(stop);
        var (buffer, kept) = (new byte[1 << 18], 0);
        try
        {
            while (await body.ReadAsync(buffer.AsMemory(kept), stop) is > 0 and var read)
            {
                var now = Stopwatch.GetTimestamp();
                var text = buffer.AsSpan(0, kept + read);
                for (int end; (end = text.IndexOf((byte)'\n')) >= 0; text = text[(end + 1)..])
                {
                    var line = text[..end];
                    if (
                        line.IndexOf("\"at\":"u8) is >= 0 and var at
                        && System.Buffers.Text.Utf8Parser.TryParse(line[(at + 5)..], out long sent, out _)
                    )
                    {
                        ages.Add(Stopwatch.GetElapsedTime(sent, now).TotalMilliseconds);
                    }
                }

                kept = text.Length;
                text.CopyTo(buffer);
            }
        }
        catch (OperationCanceledException) { }
    }

    private static async Task ExecuteAsync(NpgsqlDataSource source, string sql)
    {
        foreach (var statement in sql.Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            await using var command = source.CreateCommand(statement);
            await command.ExecuteNonQueryAsync();
        }
    }
}
