using System.Diagnostics;
using System.Globalization;
using System.Text;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Tables;
using Lockstep.Serving;

namespace Lockstep.Bench.FanOut;

/// <summary>
/// What a relay adds: the time from a small commit to a large table file until a client of the server that serves the file has the record,
/// and what the server costs while nothing happens (<c>relay [rows] [commits]</c>).
/// </summary>
internal static class RelayRun
{
    public static async Task RunAsync(int rows, int commits)
    {
        var folder = Directory.CreateTempSubdirectory("lockstep-bench-");
        try
        {
            var path = Path.Combine(folder.FullName, "relay.db");
            var parser = new RecordParser(new RecordShapeRequest(Dialect.Auto, null, WireNames.DefaultOrderField));
            using var writer = TableWriter.Open(path, "relay", WriterLock.Take(path));
            Report("load", Time(() => Commit(writer, parser, 0, rows, order: 1)));

            var start = Stopwatch.GetTimestamp();
            var feed = await TableFeed.StartAsync(new TableFeedOptions { Path = path });
            await using var server = await FeedServer.StartAsync([feed], new FeedServerOptions());
            Report("start to serve", Stopwatch.GetElapsedTime(start));
            await LatencyAsync(server, writer, parser, rows, commits);
            Report("100,000 records in one commit", Time(() => Commit(writer, parser, 0, Math.Min(rows, 100_000), order: 1_000_000_000)));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task LatencyAsync(FeedServer server, TableWriter writer, RecordParser parser, int rows, int commits)
    {
        using var client = new HttpClient();
        using var response = await client.GetAsync(
            new Uri(server.Uri, $"relay?since={writer.State.Sequence}"),
            HttpCompletionOption.ResponseHeadersRead
        );
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());
        await NextAsync("heartbeat");
        var times = new double[commits];
        for (var i = 0; i < commits; i++)
        {
            Commit(writer, parser, i * 7919 % rows, 1, order: 1000 + i);
            var committed = Stopwatch.GetTimestamp();
            await NextAsync($"\"updated_at\":{1000 + i},");
            times[i] = Stopwatch.GetElapsedTime(committed).TotalMilliseconds;
        }

        await IdleAsync();
        Array.Sort(times);
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"commit of one record to client, {rows:N0} records: p50 {times[commits / 2]:F1} ms, p99 {times[commits * 99 / 100]:F1} ms"
            )
        );

        async Task NextAsync(string wanted)
        {
            while (await lines.ReadLineAsync() is { } line)
            {
                if (line.Contains(wanted, StringComparison.Ordinal))
                    return;
            }

            throw new IOException("The feed ended.");
        }
    }

    /// <summary>The client still follows.</summary>
    private static async Task IdleAsync()
    {
        // By then the compiler and the collector have finished what the load left them.
        await Task.Delay(TimeSpan.FromSeconds(10));
        var (processor, start) = (Environment.CpuUsage.TotalTime, Stopwatch.GetTimestamp());
        await Task.Delay(TimeSpan.FromSeconds(10));
        var share = (Environment.CpuUsage.TotalTime - processor) / Stopwatch.GetElapsedTime(start);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"idle, one client following: {share:P2} of a core"));
    }

    /// <summary>Commits records with this many ids from the first on, at one place in the order.</summary>
    internal static void Commit(TableWriter writer, RecordParser parser, int first, int count, long order)
    {
        RecordBatch? batch = null;
        for (var id = first; id < first + count; id++)
        {
            var json = Encoding.UTF8.GetBytes(
                $"{{\"id\":{id},\"updated_at\":{order},\"deleted_at\":null,"
                    + $"\"ip\":\"10.0.{id >> 8 & 255}.{id & 255}\",\"port\":{id & 65535}}}"
            );
            parser.Parse(json, out var record);
            batch ??= new RecordBatch(parser.Shape!.KeyLayout, parser.Shape.OrderKind, coalesce: true);
            batch.Add(record);
        }

        writer.Commit(new TableCommit { Batch = batch, Shape = parser.Shape });
    }

    private static TimeSpan Time(Action work)
    {
        var start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start);
    }

    private static void Report(string what, TimeSpan time) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: {time.TotalSeconds:F2} s"));
}
