using System.Diagnostics;
using System.Globalization;
using Lockstep.Postgres;
using Lockstep.Serving;
using Npgsql;

namespace Lockstep.Bench.Postgres;

/// <summary>
/// What serving a Postgres table costs, measured on the user's own database (<c>postgres CONNECTION-STRING [rows] [clients]</c>): a
/// snapshot over HTTP beside psql's COPY of the same rows as JSON, the time from COMMIT to the client in each mode of following, and many
/// live clients at once. Creates and drops a table lockstep_bench; with wal_level=logical, a replication slot too.
/// </summary>
internal static class FeedRun
{
    private const string Table = "lockstep_bench";

    public static async Task RunAsync(string connectionString, int rows, int clients)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await ExecuteAsync(
            source,
            $"DROP TABLE IF EXISTS {Table}; CREATE TABLE {Table} (id bigint PRIMARY KEY, name text, user_id int, updated "
                + $"timestamptz, ok boolean)"
        );
        await ExecuteAsync(
            source,
            $"INSERT INTO {Table} SELECT g, 'domain' || g || '.example.com', g % 1000, now(), g % 2 = 0 FROM generate_series(1, {rows}) g"
        );
        var name = new TableName(null, Table);
        await PostgresTracking.EnableAsync(connectionString, name, new TrackingOptions { Wake = true });
        await ExecuteAsync(source, $"VACUUM ANALYZE {Table}");
        try
        {
            await using (var server = await ServeAsync(connectionString, new PostgresFeedOptions { Table = name }))
            {
                for (var round = 0; round < 3; round++)
                {
                    Report("psql: copy (select row_to_json) to stdout", rows, await TimeAsync(() => PsqlAsync(connectionString, "")));
                    Report("snapshot through HTTP", rows, await TimeAsync(() => SnapshotAsync(server, "")));
                    Report(
                        "psql: the same where user_id = 7",
                        rows,
                        await TimeAsync(() => PsqlAsync(connectionString, "WHERE user_id = 7"))
                    );
                    Report("snapshot with ?where=user_id=7", rows, await TimeAsync(() => SnapshotAsync(server, "?where=user_id%3D7")));
                }

                await LatencyAsync("polling, NOTIFY", source, server, rows, 1);
                await LatencyAsync("polling, NOTIFY", source, server, rows, clients);
            }

            await using (var server = await ServeAsync(connectionString, new PostgresFeedOptions { Table = name, Listen = false }))
                await LatencyAsync("polling, no NOTIFY", source, server, rows, 1);
            await ReplicationAsync(connectionString, source, name, rows, clients);
        }
        finally
        {
            await PostgresTracking.DisableAsync(connectionString, name);
            await ExecuteAsync(source, $"DROP TABLE {Table}");
        }
    }

    private static async Task ExecuteAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        command.CommandTimeout = 600;
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<FeedServer> ServeAsync(string connectionString, PostgresFeedOptions options) =>
        await FeedServer.StartAsync([await PostgresFeed.StartAsync(connectionString, options)], new FeedServerOptions());

    private static async Task ReplicationAsync(string connectionString, NpgsqlDataSource source, TableName name, int rows, int clients)
    {
        await using var level = source.CreateCommand("SHOW wal_level");
        if (await level.ExecuteScalarAsync() is not "logical")
        {
            Console.WriteLine("replication: left out, since the server has another wal_level than logical");
            return;
        }

        var folder = Directory.CreateTempSubdirectory("lockstep-bench-");
        var options = new PostgresFeedOptions
        {
            Table = name,
            Mode = PostgresFeedMode.Replication,
            Replication = new PostgresReplicationOptions { LogPath = Path.Combine(folder.FullName, "bench.log") },
        };
        try
        {
            await using var server = await ServeAsync(connectionString, options);
            await LatencyAsync("replication", source, server, rows, 1);
            await LatencyAsync("replication", source, server, rows, clients);
        }
        finally
        {
            await PostgresFeed.RemoveReplicationAsync(connectionString, options);
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Has psql write the rows as JSON, which are discarded. The password goes through the environment.</summary>
    private static async Task PsqlAsync(string connectionString, string where)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        var start = new ProcessStartInfo(
            "psql",
            [
                "-X",
                "-q",
                "-c",
                $"COPY (SELECT row_to_json(d) FROM (SELECT id, name, user_id, updated, ok FROM {Table} {where} ORDER BY id) d) TO STDOUT",
            ]
        )
        {
            RedirectStandardOutput = true,
        };
        foreach (
            var (variable, value) in new[]
            {
                ("PGHOST", settings.Host),
                ("PGPORT", settings.Port.ToString(CultureInfo.InvariantCulture)),
                ("PGDATABASE", settings.Database),
                ("PGUSER", settings.Username),
                ("PGPASSWORD", settings.Password),
            }
        )
        {
            if (!string.IsNullOrEmpty(value))
                start.Environment[variable] = value;
        }

        using var psql = Process.Start(start)!;
        await psql.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
        await psql.WaitForExitAsync();
        if (psql.ExitCode != 0)
            throw new InvalidOperationException($"psql ended with {psql.ExitCode}.");
    }

    private static async Task SnapshotAsync(FeedServer server, string query)
    {
        using var client = new HttpClient();
        using var response = await client.GetAsync(new Uri(server.Uri, Table + query), HttpCompletionOption.ResponseHeadersRead);
        await using var body = await response.Content.ReadAsStreamAsync();
        var buffer = new byte[1 << 16];
        for (var kept = 0; ; )
        {
            var read = await body.ReadAsync(buffer.AsMemory(kept));
            if (read == 0)
                throw new IOException("The feed ended before its snapshot was complete.");
            if (buffer.AsSpan(0, kept + read).IndexOf("snapshot_completed"u8) >= 0)
                return;
            var tail = Math.Min(32, kept + read);
            buffer.AsSpan(kept + read - tail, tail).CopyTo(buffer);
            kept = tail;
        }
    }

    private static async Task LatencyAsync(string how, NpgsqlDataSource source, FeedServer server, int rows, int clients)
    {
        const int Commits = 200;
        using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = clients });
        using var stop = new CancellationTokenSource();
        var position = (await server.Sources[0].GetStateAsync(default)).Horizon;
        var arrivals = new List<double>();
        var committed = new long[Commits];
        var ready = new CountdownEvent(clients);
        var done = new CountdownEvent(clients * Commits);
        var readers = Enumerable.Range(0, clients).Select(_ => Task.Run(ReadAsync)).ToArray();
        await Task.Run(ready.Wait);
        await using var connection = await source.OpenConnectionAsync();
        for (var i = 0; i < Commits; i++)
        {
            await using var command = new NpgsqlCommand($"INSERT INTO {Table} (id, name) VALUES ({rows + 1 + i}, 'live')", connection);
            await command.ExecuteNonQueryAsync();
            Volatile.Write(ref committed[i], Stopwatch.GetTimestamp());

            // A change that arrives during a poll waits for the next one: the commits are spread over the interval.
            await Task.Delay(clients > 1 ? 50 : 5 + (i * 7 % 11));
        }

        await Task.Run(() => done.Wait(TimeSpan.FromMinutes(2)));
        await stop.CancelAsync();
        await Task.WhenAll(readers);
        await ExecuteAsync(source, $"DELETE FROM {Table} WHERE id > {rows}");
        arrivals.Sort();
        Console.WriteLine(
            $"{how}, {clients} clients: {arrivals.Count} of {clients * Commits} changes, from COMMIT's return to the client "
                + $"p50 {At(0.5):F2} ms, p99 {At(0.99):F2} ms, max {At(1):F2} ms; "
                + $"memory {GC.GetTotalMemory(false) >> 20} MiB"
        );

        double At(double share) => arrivals[Math.Min(arrivals.Count - 1, (int)(share * arrivals.Count))];

        async Task ReadAsync()
        {
            try
            {
                using var response = await http.GetAsync(
                    new Uri(server.Uri, $"{Table}?since={position}"),
                    HttpCompletionOption.ResponseHeadersRead,
                    stop.Token
                );
                using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(stop.Token));
                var caughtUp = false;
                while (await lines.ReadLineAsync(stop.Token) is { } line)
                {
                    if (!caughtUp && line.Contains("heartbeat", StringComparison.Ordinal))
                    {
                        caughtUp = true;
                        ready.Signal();
                    }

                    var at = line.IndexOf("\"data\":{\"id\":", StringComparison.Ordinal);
                    if (!caughtUp || at < 0 || line.Contains("\"deleted\":true", StringComparison.Ordinal))
                        continue;
                    at += "\"data\":{\"id\":".Length;
                    var id = int.Parse(line.AsSpan(at, line.AsSpan(at).IndexOfAny(',', '}')), CultureInfo.InvariantCulture);
                    if (id <= rows)
                        continue;
                    var now = Stopwatch.GetTimestamp();

                    // The row can arrive here before COMMIT has returned to its client.
                    var sent = Volatile.Read(ref committed[id - rows - 1]);
                    lock (arrivals)
                        arrivals.Add(sent == 0 ? 0 : Math.Max(0, Stopwatch.GetElapsedTime(sent, now).TotalMilliseconds));
                    done.Signal();
                }
            }
            catch (OperationCanceledException) { }
        }
    }

    private static async Task<TimeSpan> TimeAsync(Func<Task> work)
    {
        var start = Stopwatch.GetTimestamp();
        await work();
        return Stopwatch.GetElapsedTime(start);
    }

    private static void Report(string what, int rows, TimeSpan time) =>
        Console.WriteLine($"{what, -40} {time.TotalSeconds, 6:F2} s {rows / time.TotalSeconds, 10:N0} rows/s");
}
