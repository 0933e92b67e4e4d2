using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Lockstep.Bench.FanOut;

/// <summary>
/// Many clients in one process. They count every record, and measure the latency of the oldest and the newest record of each read.
/// </summary>
internal static class FanOutClients
{
    // Latencies in steps of a tenth of a millisecond, up to ten seconds.
    private static readonly long[] Latencies = new long[100_000];
    private static long _deliveries;
    private static volatile bool _counting;

    public static void Run(int port, int clients, int seconds, string path)
    {
        for (var i = 0; i < clients; i++)
            _ = FollowAsync(Connect(port, path));
        Console.WriteLine("connected");
        Console.ReadLine();
        var began = Stopwatch.GetTimestamp();
        _counting = true;
        Thread.Sleep(TimeSpan.FromSeconds(seconds));
        _counting = false;
        var took = Stopwatch.GetElapsedTime(began).TotalSeconds;
        Console.WriteLine($"{Interlocked.Read(ref _deliveries) / took:0} {Percentile(0.50):0.0} {Percentile(0.99):0.0}");
        Console.ReadLine();
    }

    private static Socket Connect(int port, string path)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(IPAddress.Loopback, port);
        socket.Send(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        return socket;
    }

    private static async Task FollowAsync(Socket socket)
    {
        var buffer = new byte[16 * 1024];
        for (int read; (read = await socket.ReceiveAsync(buffer.AsMemory(), SocketFlags.None)) > 0; )
        {
            if (_counting)
                Count(buffer.AsSpan(0, read));
        }
    }

    /// <summary>Every record has one member t; a record split between two reads counts in the one that has all of it.</summary>
    private static void Count(ReadOnlySpan<byte> bytes)
    {
        var now = Stopwatch.GetTimestamp();
        var mark = "\"t\":"u8;
        var count = bytes.Count(mark);
        Interlocked.Add(ref _deliveries, count);
        if (count == 0)
            return;
        Latency(now, bytes[(bytes.IndexOf(mark) + mark.Length)..]);
        Latency(now, bytes[(bytes.LastIndexOf(mark) + mark.Length)..]);
    }

    private static void Latency(long now, ReadOnlySpan<byte> text)
    {
        if (!Utf8Parser.TryParse(text, out long due, out var used) || used == text.Length)
            return;
        var step = (long)(Stopwatch.GetElapsedTime(due, now).TotalMilliseconds * 10);
        Interlocked.Increment(ref Latencies[Math.Clamp(step, 0, Latencies.Length - 1)]);
    }

    private static double Percentile(double share)
    {
        var wanted = (long)(Latencies.Sum() * share);
        var step = 0;
        for (long seen = 0; step < Latencies.Length && (seen += Latencies[step]) <= wanted; )
            step++;
        return step / 10.0;
    }
}
