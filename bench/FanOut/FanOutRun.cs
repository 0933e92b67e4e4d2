using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace Lockstep.Bench.FanOut;

/// <summary>
/// Many live clients of one feed: our server and, if node is installed, one in node with shared buffers, one after the other, each in its
/// own process beside the clients' process. A record's latency counts from when it was due, not from when it was made, so that a server
/// that falls behind cannot hide it.
/// </summary>
internal static class FanOutRun
{
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(3);

    public static void Run(int clients, int rate, int seconds, int rounds)
    {
        Console.WriteLine(
            $"{clients} clients, {rate} records/s, {seconds} s measured; {Environment.ProcessorCount} cores, {Environment.OSVersion}"
        );
        Console.WriteLine(
            $"{"server", -10} {"deliveries/s", 13} {"p50 ms", 8} {"p99 ms", 8} {"server CPU-s/s", 15} "
                + $"{"clients CPU-s/s", 16} {"KB a client", 12}"
        );
        for (var round = 0; round < rounds; round++)
        {
            Measure("lockstep", Self("fanout-server", rate.ToString(CultureInfo.InvariantCulture)), clients, seconds);
            if (HasNode())
            {
                Measure(
                    "node",
                    new ProcessStartInfo("node", ["-e", NodeServer.Source, rate.ToString(CultureInfo.InvariantCulture)]),
                    clients,
                    seconds
                );
            }
        }
    }

    private static void Measure(string name, ProcessStartInfo start, int clients, int seconds)
    {
        using var server = Start(start);
        try
        {
            var port = server.StandardOutput.ReadLine() ?? throw new InvalidOperationException($"The {name} server did not start.");
            WarmUp(port);
            server.Refresh();
            var before = server.WorkingSet64;
            using var load = Start(
                Self("fanout-clients", port, clients.ToString(CultureInfo.InvariantCulture), seconds.ToString(CultureInfo.InvariantCulture))
            );
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
                var cpu = (server.TotalProcessorTime - serverCpu).TotalSeconds / seconds;
                var clientCpu = (load.TotalProcessorTime - loadCpu).TotalSeconds / seconds;
                Console.WriteLine(
                    $"{name, -10} {figures[0], 13} {figures[1], 8} {figures[2], 8} {cpu, 15:0.00} {clientCpu, 16:0.00} {kilobytes, 12:0.0}"
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
    private static void WarmUp(string port)
    {
        for (var i = 0; i < 50; i++)
        {
            using TcpClient client = new("127.0.0.1", int.Parse(port, CultureInfo.InvariantCulture));
            client.GetStream().Write("GET /servers/0 HTTP/1.1\r\nHost: localhost\r\n\r\n"u8);
            client.GetStream().ReadByte();
        }
        Thread.Sleep(TimeSpan.FromSeconds(1));
    }

    private static Process Start(ProcessStartInfo start)
    {
        (start.RedirectStandardInput, start.RedirectStandardOutput) = (true, true);
        return Process.Start(start)!;
    }

    private static ProcessStartInfo Self(params string[] arguments) =>
        new(
            Environment.ProcessPath!,
            Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal)
                ? [typeof(FanOutRun).Assembly.Location, .. arguments]
                : arguments
        );

    private static bool HasNode()
    {
        try
        {
            using var node = Process.Start(new ProcessStartInfo("node", ["--version"]) { RedirectStandardOutput = true })!;
            node.WaitForExit();
            return node.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
