using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Lockstep.Bench.Dialects;

/// <summary>Serves the pages of a dialect from memory, in its own process, with as little work as a server can do.</summary>
internal static class DialectHost
{
    public static void Run(string dialect, int items)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var root = $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture)}";
        var pages = new DialectPages(dialect, items, root);
        Console.WriteLine(root);
        while (true)
        {
            var client = listener.AcceptTcpClient();
            new Thread(() => Serve(client, pages)) { IsBackground = true }.Start();
        }
    }

    private static void Serve(TcpClient client, DialectPages pages)
    {
        try
        {
            using (client)
            {
                client.NoDelay = true;
                var request = new byte[16 * 1024];
                while (true)
                {
                    var length = 0;
                    while (request.AsSpan(0, length).IndexOf("\r\n\r\n"u8) < 0)
                    {
                        var count = client.Client.Receive(request.AsSpan(length));
                        if (count == 0)
                            return;
                        length += count;
                    }

                    var (headers, body) = pages.Answer(Encoding.ASCII.GetString(request, 0, length).Split(' ')[1]);
                    var type = headers.Contains("Content-Type", StringComparison.Ordinal) ? "" : "Content-Type: application/json\r\n";
                    SendAll(
                        client.Client,
                        Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\n{type}{headers}Content-Length: {body.Length}\r\n\r\n")
                    );
                    SendAll(client.Client, body.Span);
                }
            }
        }
        catch (SocketException)
        {
            // The client has disconnected.
        }
    }

    private static void SendAll(Socket socket, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[socket.Send(bytes)..];
    }
}
