using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Lockstep.Bench.FanOut;

/// <summary>
/// What a server holds for clients that read next to nothing, and while all of them disconnect at once: <c>slow PROGRAM ARGUMENTS</c>,
/// where the arguments tell <c>lockstep serve</c> what to serve (<c>--path FILE</c>, or <c>--postgres ... --table NAME</c>). On Linux.
/// </summary>
internal static class SlowRun
{
    /// <summary>In MB.</summary>
    private const long Aim = 300;

    private static readonly int[] Crowds = [40, 900, 3000];
    private static readonly TimeSpan Stay = TimeSpan.FromSeconds(12);
    private static readonly TimeSpan After = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>Measures and prints; returns whether everything was within the target.</summary>
    public static bool Run(string program, string[] arguments)
    {
        Console.WriteLine($"{"clients", 8} {"take", 5} {"held MB", 8} {"leaving MB", 11} {"after MB", 9} {"alive", 6}");
        var most = 0L;
        foreach (var clients in Crowds)
        {
            foreach (var takes in (bool[])[false, true])
                most = Math.Max(most, Measure(program, arguments, clients, takes));
        }

        return most <= Aim;
    }

    private static long Measure(string program, string[] arguments, int clients, bool takes)
    {
        using var server = Process.Start(
            new ProcessStartInfo(
                program,
                ["serve", .. arguments, "--port", "0", "--connection-limit", "10000", "--connection-limit-per-address", "10000"]
            )
            {
                RedirectStandardOutput = true,
            }
        )!;
        try
        {
            server.StandardOutput.ReadLine();
            var feed = new Uri(server.StandardOutput.ReadLine() ?? throw new InvalidOperationException($"{program} did not start."));
            Forget(server);
            Socket[] crowd = [.. Enumerable.Range(0, clients).Select(_ => Ask(feed))];
            Wait(Stay, crowd, takes);
            var held = Peak(server);
            Forget(server);
            var alive = crowd.Count(socket => !socket.Poll(0, SelectMode.SelectRead) || socket.Available > 0);
            foreach (var socket in crowd)
                socket.Dispose();
            Wait(After, [], takes: false);
            var leaving = Peak(server);
            server.Refresh();
            Console.WriteLine(
                $"{clients, 8} {(takes ? "yes" : "no"), 5} {held, 8} {leaving, 11} {server.WorkingSet64 >> 20, 9} {alive, 6}"
            );
            return Math.Max(held, leaving);
        }
        finally
        {
            server.Kill();
        }
    }

    private static Socket Ask(Uri feed)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        socket.Connect(IPAddress.Loopback, feed.Port);
        socket.Send(Encoding.ASCII.GetBytes($"GET {feed.PathAndQuery} HTTP/1.1\r\nHost: {feed.Authority}\r\n\r\n"));
        return socket;
    }

    private static void Wait(TimeSpan time, Socket[] crowd, bool takes)
    {
        var buffer = new byte[256];
        for (var begun = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begun) < time; Thread.Sleep(Pause))
        {
            foreach (var socket in crowd)
            {
                if (takes && socket.Available > 0)
                    socket.Receive(buffer);
            }
        }
    }

    /// <summary>Resets the peak.</summary>
    private static void Forget(Process process) => File.WriteAllText(Proc(process, "clear_refs"), "5");

    /// <summary>Peak memory since then, in MB.</summary>
    private static long Peak(Process process)
    {
        var line = File.ReadLines(Proc(process, "status")).First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) >> 10;
    }

    private static string Proc(Process process, string file) => string.Create(CultureInfo.InvariantCulture, $"/proc/{process.Id}/{file}");
}
