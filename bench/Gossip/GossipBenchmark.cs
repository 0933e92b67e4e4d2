using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Lockstep.Bench.Gossip;

/// <summary>
/// `gossip [keys]`: a model with this many keys (100,000) goes from process A to process B over loopback, with npm's scuttlebutt and with
/// ours, alternating in one run; time from the dial to the last key, in a fresh process and in a warm one, and the peak resident set of
/// each process. Then the latency of one update through a chain of five nodes. Our side's process is `gossip-peer`: the one in
/// out/gossip-peer, native as the command line is shipped, or else the one beside this program.
/// </summary>
internal static class GossipBenchmark
{
    private const int Rounds = 5;
    private const int Times = 6;

    public static async Task RunAsync(string[] args)
    {
        Throughput(args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 100_000);
        await ChainLatency.RunAsync().ConfigureAwait(false);
    }

    private static string Peer
    {
        get
        {
            var name = OperatingSystem.IsWindows() ? "gossip-peer.exe" : "gossip-peer";
            var root = new DirectoryInfo(AppContext.BaseDirectory);
            while (root is not null && !File.Exists(Path.Combine(root.FullName, "Lockstep.PS.sln")))
                root = root.Parent;
            return root is not null && File.Exists(Path.Combine(root.FullName, "out", "gossip-peer", name))
                ? Path.Combine(root.FullName, "out", "gossip-peer", name)
                : Path.Combine(AppContext.BaseDirectory, name);
        }
    }

    private static void Throughput(int keys)
    {
        using var npm = NpmFolder.WithScuttlebutt();
        var sides = new (string Name, Func<string[], Process> Start)[]
        {
            ("npm scuttlebutt 5.6.15", arguments => Start("node", npm.Path, ["peer.js", .. arguments])),
            ("lockstep", arguments => Start(Peer, AppContext.BaseDirectory, arguments)),
        };
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{keys:N0} keys from A to B over loopback; medians of {Rounds} rounds by turns, new processes in each, "
                    + $"{Times} transfers into a new model in each; node {Version()}, .NET {Environment.Version}"
            )
        );
        var results = sides.Select(static _ => new List<Round>()).ToArray();
        for (var round = 0; round < Rounds; round++)
        {
            for (var i = 0; i < sides.Length; i++)
            {
                results[i].Add(RunRound(sides[i].Start, keys));
            }
        }

        var empty = sides.Select(side => RunRound(side.Start, 1)).ToArray();
        Console.WriteLine();
        Console.WriteLine(
            "| in a new process | first ms | first ratio | processor ms | processor ratio | warm ms | warm ratio | warm processor ms | "
                + "A MiB | A ratio | B MiB | B ratio | above an empty one, A and B MiB |"
        );
        Console.WriteLine("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        var medians = results.Select(static all => Round.MedianOf(all)).ToArray();
        var npmPart = medians[0];
        for (var i = 0; i < sides.Length; i++)
        {
            var (m, e) = (medians[i], empty[i]);
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {sides[i].Name} | {m.First:N0} | {m.First / npmPart.First:0.00} | {m.FirstCpu:N0} | "
                        + $"{m.FirstCpu / npmPart.FirstCpu:0.00} | {m.Warm:N0} | {m.Warm / npmPart.Warm:0.00} | {m.WarmCpu:N0} | "
                        + $"{m.PeakA / 1024:N0} | {m.PeakA / npmPart.PeakA:0.00} | {m.PeakB / 1024:N0} | "
                        + $"{m.PeakB / npmPart.PeakB:0.00} | {(m.PeakA - e.PeakA) / 1024:N0}, {(m.PeakB - e.PeakB) / 1024:N0} |"
                )
            );
        }

        Console.WriteLine();
    }

    private static Round RunRound(Func<string[], Process> start, int keys)
    {
        var count = keys.ToString(CultureInfo.InvariantCulture);
        using var listener = start(["listen", count]);
        var port = Read(listener).GetProperty("port").GetInt32();
        using var dialler = start([
            "dial",
            port.ToString(CultureInfo.InvariantCulture),
            count,
            Times.ToString(CultureInfo.InvariantCulture),
        ]);
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

    private static JsonElement Read(Process process) =>
        JsonSerializer.Deserialize<JsonElement>(
            process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("A process of the benchmark ended early.")
        );

    private static Process Start(string file, string folder, string[] arguments) =>
        Process.Start(
            new ProcessStartInfo(file, arguments)
            {
                WorkingDirectory = folder,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            }
        )!;

    private sealed record Round(double First, double FirstCpu, double Warm, double WarmCpu, double PeakA, double PeakB)
    {
        public static Round MedianOf(IReadOnlyCollection<Round> all)
        {
            double Of(Func<Round, double> member) => all.Select(member).Order().ElementAt(all.Count / 2);
            return new Round(
                Of(static r => r.First),
                Of(static r => r.FirstCpu),
                Of(static r => r.Warm),
                Of(static r => r.WarmCpu),
                Of(static r => r.PeakA),
                Of(static r => r.PeakB)
            );
        }
    }
}
