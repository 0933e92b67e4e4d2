using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Lockstep.Bench.FanOut;

/// <summary>
/// Servers with the same number of live clients, alternating, each in its own process beside the clients' process. A record's latency
/// counts from when it was due, not from when it was made, so that a server that falls behind cannot hide it. The figures are medians;
/// ratios are to the last of the servers, which is the peer.
/// </summary>
/// <param name="clients">How many.</param>
/// <param name="seconds">How long to measure.</param>
internal sealed class Crowd(int clients, int seconds)
{
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(3);

    /// <param name="Name">Its name in the table.</param>
    /// <param name="Start">Starts it: it prints its port, and starts to send when it gets a line.</param>
    /// <param name="Path">What its clients request.</param>
    public sealed record Contestant(string Name, ProcessStartInfo Start, string Path);

    private sealed record Figures(double Deliveries, double P50, double P99, double Cpu, double ClientCpu, double Kilobytes);

    /// <summary>Runs all of them this many times and prints a table.</summary>
    public void Run(IReadOnlyList<Contestant> contestants, int rounds)
    {
        var all = contestants.Select(static _ => new List<Figures>()).ToArray();
        for (var round = 0; round < rounds; round++)
        {
            for (var i = 0; i < contestants.Count; i++)
                all[i].Add(Measure(contestants[i]));
        }

        Console.WriteLine(
            "| server | deliveries/s | p50 ms | p99 ms | spread | p99 ratio | processor s/s | processor ratio | KB a client | KB ratio | "
                + "the clients' processor s/s |"
        );
        Console.WriteLine("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        var medians = all.Select(Median).ToArray();
        var peer = medians[^1];
        for (var i = 0; i < contestants.Count; i++)
        {
            var m = medians[i];
            var spread = (all[i].Max(static f => f.P99) - all[i].Min(static f => f.P99)) / m.P99;
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {contestants[i].Name} | {m.Deliveries:N0} | {m.P50:0.0} | {m.P99:0.0} | {spread:P0} | {m.P99 / peer.P99:0.00} | "
                        + $"{m.Cpu:0.00} | {m.Cpu / peer.Cpu:0.00} | {m.Kilobytes:0.0} | {m.Kilobytes / peer.Kilobytes:0.00} | "
                        + $"{m.ClientCpu:0.00} |"
                )
            );
        }
    }

    private static Figures Median(List<Figures> runs)
    {
        double Of(Func<Figures, double> figure) => runs.Select(figure).Order().ElementAt(runs.Count / 2);
        return new(
            Of(static f => f.Deliveries),
            Of(static f => f.P50),
            Of(static f => f.P99),
            Of(static f => f.Cpu),
            Of(static f => f.ClientCpu),
            Of(static f => f.Kilobytes)
        );
    }

    private Figures Measure(Contestant contestant)
    {
        using var server = Start(contestant.Start);
        try
        {
            var port =
                server.StandardOutput.ReadLine() ?? throw new InvalidOperationException($"The server {contestant.Name} did not start.");
            WarmUp(port, contestant.Path);
            server.Refresh();
            var before = server.WorkingSet64;
            using var load = Start(SelfProcess.With("fanout-clients", port, Text(clients), Text(seconds), contestant.Path));
            try
            {
                // The clients print "connected", start to count on command, and end with their figures.
                load.StandardOutput.ReadLine();
                server.StandardInput.WriteLine();
                Thread.Sleep(Settle);
                server.Refresh();
                var kilobytes = (server.WorkingSet64 - before) / 1024.0 / clients;
                (var serverCpu, var loadCpu) = (server.TotalProcessorTime, load.TotalProcessorTime);
                load.StandardInput.WriteLine();
                var figures = load.StandardOutput.ReadLine()!.Split(' ');
                server.Refresh();
                load.Refresh();
                return new(
                    Number(figures[0]),
                    Number(figures[1]),
                    Number(figures[2]),
                    (server.TotalProcessorTime - serverCpu).TotalSeconds / seconds,
                    (load.TotalProcessorTime - loadCpu).TotalSeconds / seconds,
                    kilobytes
                );
            }
            finally
            {
                load.Kill();
            }
        }
        finally
        {
            server.Kill();
        }
    }

    /// <summary>A few requests, so that a server's one-time costs do not count as its clients'.</summary>
    private static void WarmUp(string port, string path)
    {
        for (var i = 0; i < 50; i++)
        {
            using TcpClient client = new("127.0.0.1", int.Parse(port, CultureInfo.InvariantCulture));
            client.GetStream().Write(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            client.GetStream().ReadByte();
        }
        Thread.Sleep(TimeSpan.FromSeconds(1));
    }

    private static Process Start(ProcessStartInfo start)
    {
        (start.RedirectStandardInput, start.RedirectStandardOutput) = (true, true);
        return Process.Start(start)!;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
