using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Lockstep.Engine.Gossip;

namespace Lockstep.Bench.Gossip;

/// <summary>
/// `gossip [keys]`: a model of so many keys (100,000) goes from process A to process B over loopback, with npm's scuttlebutt and with ours, by turns in one run; time from the dial to the last key, in a new process and in
/// one that has done it before, and the peak of the resident set of each process. Then the latency of one update through a chain of five nodes. `gossip listen` and `gossip dial` are the processes of our side.
/// </summary>
internal static class GossipBenchmark
{
    private const int Rounds = 5;
    private const int Times = 6;

    public static async Task<int> RunAsync(string[] args)
    {
        switch (args.FirstOrDefault())
        {
            case "listen":
                return await ListenAsync(Number(args[1])).ConfigureAwait(false);
            case "dial":
                return await DialAsync(Number(args[1]), Number(args[2]), Number(args[3])).ConfigureAwait(false);
            default:
                var keys = args.Length > 0 ? Number(args[0]) : 100_000;
                Throughput(keys);
                await ChainLatency.RunAsync().ConfigureAwait(false);
                return 0;
        }
    }

    private static void Throughput(int keys)
    {
        using var npm = new NpmFolder();
        var sides = new (string Name, Func<string[], Process> Start)[]
        {
            ("npm scuttlebutt 5.6.15", arguments => Start("node", npm.Path, ["peer.js", .. arguments])),
            ("Lockstep", arguments => Start(Environment.ProcessPath!, AppContext.BaseDirectory, ["gossip", .. arguments])),
        };
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{keys:N0} keys from A to B over loopback; medians of {Rounds} rounds by turns, new processes in each, {Times} transfers into a new model in each; node {Version()}, .NET {Environment.Version}"));
        var results = sides.Select(static _ => new List<Round>()).ToArray();
        for (var round = 0; round < Rounds; round++)
        {
            for (var i = 0; i < sides.Length; i++)
            {
                results[i].Add(RunRound(sides[i].Start, keys));
            }
        }

        var empty = sides.Select(side => RunRound(side.Start, 1)).ToArray();
        Console.WriteLine("                           first ms   CPU ms |  warm ms   CPU ms | A MiB (above an empty one) | B MiB");
        var medians = results.Select(static all => Round.MedianOf(all)).ToArray();
        for (var i = 0; i < sides.Length; i++)
        {
            var (m, e) = (medians[i], empty[i]);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {sides[i].Name,-24} {m.First,8:N0} {m.FirstCpu,8:N0} | {m.Warm,8:N0} {m.WarmCpu,8:N0} | {m.PeakA / 1024,5:N0} ({(m.PeakA - e.PeakA) / 1024,3:N0}) | {m.PeakB / 1024,5:N0} ({(m.PeakB - e.PeakB) / 1024,3:N0})"));
        }

        var (theirs, ours) = (medians[0], medians[1]);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"  npm / Lockstep: first {theirs.First / ours.First:N1}, warm {theirs.Warm / ours.Warm:N1} in time; memory A {theirs.PeakA / ours.PeakA:N1}, B {theirs.PeakB / ours.PeakB:N1}; above an empty process A {(theirs.PeakA - empty[0].PeakA) / (ours.PeakA - empty[1].PeakA):N1}, B {(theirs.PeakB - empty[0].PeakB) / (ours.PeakB - empty[1].PeakB):N1}"));
    }

    private static Round RunRound(Func<string[], Process> start, int keys)
    {
        var count = keys.ToString(CultureInfo.InvariantCulture);
        using var listener = start(["listen", count]);
        var port = Read(listener).GetProperty("port").GetInt32();
        using var dialler = start(["dial", port.ToString(CultureInfo.InvariantCulture), count, Times.ToString(CultureInfo.InvariantCulture)]);
        var times = Read(dialler).GetProperty("times").EnumerateArray().ToArray();
        dialler.WaitForExit();
        listener.StandardInput.Close();
        var peak = Read(listener).GetProperty("peak").GetDouble();
        listener.WaitForExit();
        double Of(int index, string member) => times[index].GetProperty(member).GetDouble();
        return new Round(Of(0, "milliseconds"), Of(0, "cpu"), Of(Times - 1, "milliseconds"), Of(Times - 1, "cpu"), peak, Of(0, "peak"));
    }

    private static string Version()
    {
        using var node = Start("node", AppContext.BaseDirectory, ["--version"]);
        return node.StandardOutput.ReadToEnd().Trim();
    }

    private static async Task<int> ListenAsync(int keys)
    {
        var model = new LockstepModel();
        model.SetAll(Enumerable.Range(0, keys).Select(static i =>
        {
            var n = i.ToString(CultureInfo.InvariantCulture);
            return KeyValuePair.Create("key" + n, new Value(i, "value " + n));
        }));
        var listener = GossipListener.Start(new IPEndPoint(IPAddress.Loopback, 0), new GossipHub(KeyValuePair.Create<string, GossipNode>("bench", model)));
        Say(new { port = listener.Uri.Port });
        await Console.In.ReadToEndAsync().ConfigureAwait(false);
        Say(new { peak = Peak() });
        return 0;
    }

    private static async Task<int> DialAsync(int port, int keys, int times)
    {
        var results = new List<object>();
        using var process = Process.GetCurrentProcess();
        for (var i = 0; i < times; i++)
        {
            var model = new LockstepModel();
            await using (model.ConfigureAwait(false))
            {
                var all = new AllKeys(keys);
                using var subscription = model.Subscribe(all);
                process.Refresh();
                var cpu = process.TotalProcessorTime;
                var started = Stopwatch.GetTimestamp();
                var stream = await GossipDialer.ConnectAsync(new Uri(string.Create(CultureInfo.InvariantCulture, $"tcp://127.0.0.1:{port}"))).ConfigureAwait(false);
                model.Attach(stream);
                await all.Done.ConfigureAwait(false);
                var elapsed = Stopwatch.GetElapsedTime(started);
                process.Refresh();
                results.Add(new { milliseconds = elapsed.TotalMilliseconds, cpu = (process.TotalProcessorTime - cpu).TotalMilliseconds, peak = Peak() });
            }
        }

        Say(new { times = results });
        return 0;
    }

    /// <summary>The peak of the resident set in KiB, as node's resourceUsage gives it.</summary>
    private static double Peak()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / 1024.0;
    }

    private static void Say(object value) => Console.WriteLine(JsonSerializer.Serialize(value));

    private static JsonElement Read(Process process) =>
        JsonSerializer.Deserialize<JsonElement>(process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("A process of the benchmark ended early."));

    private static Process Start(string file, string folder, string[] arguments) =>
        Process.Start(new ProcessStartInfo(file, arguments) { WorkingDirectory = folder, RedirectStandardInput = true, RedirectStandardOutput = true })!;

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private sealed record Round(double First, double FirstCpu, double Warm, double WarmCpu, double PeakA, double PeakB)
    {
        public static Round MedianOf(IReadOnlyCollection<Round> all)
        {
            double Of(Func<Round, double> member) => all.Select(member).Order().ElementAt(all.Count / 2);
            return new Round(Of(static r => r.First), Of(static r => r.FirstCpu), Of(static r => r.Warm), Of(static r => r.WarmCpu), Of(static r => r.PeakA), Of(static r => r.PeakB));
        }
    }

    private sealed record Value(int n, string name);

    private sealed class AllKeys(int expected) : IGossipObserver
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _seen;

        public Task Done => _done.Task;

        public void OnUpdate(GossipUpdate update)
        {
            if (++_seen == expected)
            {
                _done.TrySetResult();
            }
        }
    }
}
