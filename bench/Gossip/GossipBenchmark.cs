using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Lockstep.Engine.Gossip;

namespace Lockstep.Bench.Gossip;

/// <summary>
/// `gossip [keys]`: a model of so many keys (100,000) goes from process A to process B over loopback, with npm's scuttlebutt and with ours, by turns in one run; time from the dial to the last key, and the peak of the resident set of
/// each process. Then the latency of one update through a chain of five nodes. `gossip listen` and `gossip dial` are the processes of our side.
/// </summary>
internal static class GossipBenchmark
{
    private const int Rounds = 5;

    public static async Task<int> RunAsync(string[] args)
    {
        switch (args.FirstOrDefault())
        {
            case "listen":
                return await ListenAsync(Number(args[1])).ConfigureAwait(false);
            case "dial":
                return await DialAsync(Number(args[1]), Number(args[2])).ConfigureAwait(false);
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
        var ours = Environment.ProcessPath!;
        var sides = new (string Name, Func<string[], Process> Start)[]
        {
            ("npm scuttlebutt 5.6.15", arguments => Start("node", npm.Path, ["peer.js", .. arguments])),
            ("Lockstep", arguments => Start(ours, AppContext.BaseDirectory, ["gossip", .. arguments])),
        };
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{keys:N0} keys from A to B over loopback, {Rounds} rounds, new processes in each"));
        var results = new List<Round>[sides.Length];
        for (var round = 0; round < Rounds; round++)
        {
            for (var i = 0; i < sides.Length; i++)
            {
                var result = RunRound(sides[i].Start, keys);
                (results[i] ??= []).Add(result);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {sides[i].Name,-24} {result.Milliseconds,8:N0} ms   A {result.PeakA / 1024.0,6:N0} MiB   B {result.PeakB / 1024.0,6:N0} MiB"));
            }
        }

        var medians = results.Select(static all => new Round(Median(all.Select(static r => r.Milliseconds)), Median(all.Select(static r => r.PeakA)), Median(all.Select(static r => r.PeakB)))).ToArray();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"medians: {medians[0].Milliseconds / medians[1].Milliseconds:N1} times the throughput; memory A {medians[1].PeakA / medians[0].PeakA:P0}, B {medians[1].PeakB / medians[0].PeakB:P0} of npm's"));
    }

    private static Round RunRound(Func<string[], Process> start, int keys)
    {
        var count = keys.ToString(CultureInfo.InvariantCulture);
        using var listener = start(["listen", count]);
        var port = Read(listener).GetProperty("port").GetInt32();
        using var dialler = start(["dial", port.ToString(CultureInfo.InvariantCulture), count]);
        var done = Read(dialler);
        dialler.WaitForExit();
        listener.StandardInput.Close();
        var peak = Read(listener).GetProperty("peak").GetDouble();
        listener.WaitForExit();
        return new Round(done.GetProperty("milliseconds").GetDouble(), peak, done.GetProperty("peak").GetDouble());
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

    private static async Task<int> DialAsync(int port, int keys)
    {
        var model = new LockstepModel();
        var all = new AllKeys(keys);
        model.Subscribe(all);
        var started = Stopwatch.GetTimestamp();
        var stream = await GossipDialer.ConnectAsync(new Uri(string.Create(CultureInfo.InvariantCulture, $"tcp://127.0.0.1:{port}"))).ConfigureAwait(false);
        model.Attach(stream);
        await all.Done.ConfigureAwait(false);
        Say(new { milliseconds = Stopwatch.GetElapsedTime(started).TotalMilliseconds, peak = Peak() });
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

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(Rounds / 2);

    private sealed record Round(double Milliseconds, double PeakA, double PeakB);

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
