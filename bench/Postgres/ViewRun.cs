using System.Diagnostics;
using System.Globalization;
using Lockstep.Engine.Serving;
using Lockstep.Postgres;
using Npgsql;

namespace Lockstep.Bench.Postgres;

/// <summary>
/// What it takes to follow a view without tombstones (<c>postgres-view CONNECTION-STRING [rows]</c>): the first read, the memory for its
/// digests, and the time until a client has a change of one row. Creates and drops a table and a view lockstep_shown.
/// </summary>
internal static class ViewRun
{
    public static async Task RunAsync(string connectionString, int rows)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await ExecuteAsync(source, "DROP TABLE IF EXISTS lockstep_shown_base CASCADE");
        await ExecuteAsync(source, "CREATE TABLE lockstep_shown_base (id bigint PRIMARY KEY, name text, n int)");
        await ExecuteAsync(
            source,
            $"INSERT INTO lockstep_shown_base SELECT g, 'domain' || g || '.example.com', 0 FROM generate_series(1, {rows}) g"
        );
        await ExecuteAsync(source, "CREATE VIEW lockstep_shown AS SELECT id, name, n FROM lockstep_shown_base");
        await ExecuteAsync(source, "VACUUM ANALYZE lockstep_shown_base");
        try
        {
            var before = Memory();
            var began = Stopwatch.GetTimestamp();
            await using var feed = await PostgresFeed.StartAsync(
                connectionString,
                new PostgresFeedOptions { Table = new TableName(null, "lockstep_shown"), Key = ["id"] }
            );
            Say($"first reading of {rows:N0} rows {Stopwatch.GetElapsedTime(began).TotalSeconds:N2} s");
            Say($"memory for digests {(Memory() - before) / 1e6:N0} MB, {(Memory() - before) / (double)rows:N0} bytes a row");
            var reading = await feed.OpenAsync(new FeedRequest(0, null, TimeSpan.FromSeconds(15)), default);
            var (received, changed) = (0L, 0L);
            var times = new List<double>();
            await foreach (var chunk in reading.Chunks)
            {
                received += chunk.Lines.Length;
                if (chunk.Kind is not (FeedChunkKind.SnapshotCompleted or FeedChunkKind.CaughtUp))
                    continue;
                if (chunk.Kind == FeedChunkKind.CaughtUp && chunk.Lines.Length > 0)
                    times.Add(Stopwatch.GetElapsedTime(changed).TotalSeconds);
                if (times.Count == 5)
                    break;
                if (chunk.Kind == FeedChunkKind.CaughtUp && chunk.Lines.Length == 0)
                    continue;
                if (times.Count == 0)
                    Say($"snapshot {received / 1e6:N0} MB");
                received = 0;
                await ExecuteAsync(source, $"UPDATE lockstep_shown_base SET n = n + 1 WHERE id = {times.Count + 1}");
                changed = Stopwatch.GetTimestamp();
            }

            Say($"a changed row is with the client after {times.Order().ElementAt(2):N2} s (median of 5), {received} bytes");
        }
        finally
        {
            await ExecuteAsync(source, "DROP TABLE lockstep_shown_base CASCADE");
        }

        static long Memory() => GC.GetTotalMemory(forceFullCollection: true);

        static void Say(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
    }

    private static async Task ExecuteAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        command.CommandTimeout = 600;
        await command.ExecuteNonQueryAsync();
    }
}
