using System.Diagnostics;
using System.Globalization;
using Lockstep.Bench.EndToEnd;

namespace Lockstep.Bench.FanOut;

/// <summary>Many live clients of one feed: our server and, if node is installed, one in node with shared buffers.</summary>
internal static class FanOutRun
{
    private const string Path = "/servers/0";

    public static void Run(int clients, int rate, int seconds, int rounds)
    {
        var text = rate.ToString(CultureInfo.InvariantCulture);
        Console.WriteLine($"{clients} clients, {rate} records/s, {seconds} s measured; medians of {rounds} rounds by turns.\n");
        List<Crowd.Contestant> contestants = [new("lockstep", SelfProcess.AsShipped("fanout-server", text), Path)];
        if (EndToEndRun.Tool.Find("node") is { } node)
            contestants.Add(new("node", new ProcessStartInfo(node, ["-e", NodeServer.Source, text]), Path));
        new Crowd(clients, seconds).Run(contestants, rounds);
    }
}
