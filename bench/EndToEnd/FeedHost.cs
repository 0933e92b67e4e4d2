using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Lockstep.Bench.EndToEnd;

/// <summary>
/// Serves one file from memory to anyone, as fast as the socket accepts it, in its own process: the least that a server can cost. With a
/// repeat count the body is the file that many times, without a length, and each time the order values continue where they were.
/// </summary>
internal static class FeedHost
{
    private const int Piece = 1024 * 1024;

    public static void Run(string file, long repeats)
    {
        var body = File.ReadAllBytes(file);
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Console.WriteLine(((IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture));
        while (true)
        {
            var client = listener.AcceptTcpClient();
            new Thread(() => Serve(client, repeats == 1 ? body : [.. body], repeats)) { IsBackground = true }.Start();
        }
    }

    private static void Serve(TcpClient client, byte[] body, long repeats)
    {
        try
        {
            using (client)
            {
                var socket = client.Client;
                var request = new byte[16 * 1024];
                var length = 0;
                while (request.AsSpan(0, length).IndexOf("\r\n\r\n"u8) < 0)
                {
                    var count = socket.Receive(request.AsSpan(length));
                    if (count == 0)
                        return;
                    length += count;
                }

                // After the end there is nothing: the sync is up to date.
                var target = Encoding.ASCII.GetString(request, 0, length).Split(' ')[1];
                var hasNews =
                    target.EndsWith("/0", StringComparison.Ordinal)
                    || target.EndsWith("since=0", StringComparison.Ordinal)
                    || target == "/";
                var total = hasNews ? body.Length * repeats : 0;
                var framing = repeats == 1 || !hasNews ? $"Content-Length: {total}\r\n" : "";
                socket.Send(
                    Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n{framing}Connection: close\r\n\r\n")
                );
                for (long r = 0; r < repeats && hasNews; r++)
                {
                    for (var at = 0; at < body.Length; at += Piece)
                        SendAll(socket, body.AsSpan(at, Math.Min(Piece, body.Length - at)));
                    if (repeats > 1)
                        RaiseOrders(body);
                }

                socket.Shutdown(SocketShutdown.Send);
            }
        }
        catch (SocketException)
        {
            // The client has disconnected.
        }
    }

    /// <summary>Adds a million to each order value; all have eight digits.</summary>
    private static void RaiseOrders(byte[] body)
    {
        var name = "\"updated_at\":"u8;
        for (int at = 0, next; (next = body.AsSpan(at).IndexOf(name)) >= 0; )
        {
            at += next + name.Length;
            if (++body[at + 1] <= (byte)'9')
                continue;
            body[at + 1] = (byte)'0';
            body[at]++;
        }
    }

    private static void SendAll(Socket socket, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[socket.Send(bytes)..];
    }
}
