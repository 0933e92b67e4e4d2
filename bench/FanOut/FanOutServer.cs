using System.Diagnostics;
using System.Globalization;
using System.Text;
using Lockstep.TestServer;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Bench.FanOut;

/// <summary>Our server with a feed to which records are added at a rate, each with the time when it was due.</summary>
internal static class FanOutServer
{
    public static void Run(int rate, FeedKind feed)
    {
        var server = LockstepTestServer.StartAsync(new TestServerOptions { Port = 0, Feed = feed }).GetAwaiter().GetResult();
        Console.WriteLine(server.Uri.Port);
        Console.ReadLine();
        var start = Stopwatch.GetTimestamp();
        List<string> due = [];
        for (long made = 0; ; )
        {
            var target = (long)(Stopwatch.GetElapsedTime(start).TotalSeconds * rate);
            for (; made <= target; made++)
                due.Add(Record(made, start + (made * Stopwatch.Frequency / rate)));
            if (due.Count > 0)
                server.AddRecords(due);
            due.Clear();
            Thread.Sleep(1);
        }
    }

    private static string Record(long number, long due) =>
        new StringBuilder()
            .Append(
                CultureInfo.InvariantCulture,
                $"{{\"id\":{number % 10_000},\"updated_at\":{number},\"deleted_at\":null,\"host\":\"10.0.0.1\",\"t\":{due}}}"
            )
            .ToString();
}
