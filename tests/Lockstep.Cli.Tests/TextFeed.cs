using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Lockstep.Cli.Tests;

/// <summary>A feed that answers every request with the same text.</summary>
internal sealed class TextFeed : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _serving;
    private volatile string _body;

    public TextFeed(string body)
    {
        _body = body;
        _listener.Start();
        _serving = ServeAsync();
    }

    public string Uri =>
        string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/servers/");

    /// <summary>The heads of the requests so far.</summary>
    public ConcurrentQueue<string> Requests { get; } = [];

    /// <summary>From the next request on.</summary>
    public void Answer(string body) => _body = body;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _serving;
        _stop.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                using var socket = await _listener.AcceptSocketAsync(_stop.Token);
                await using var stream = new NetworkStream(socket);
                var head = new byte[8192];
                var length = 0;
                while (!Encoding.ASCII.GetString(head, 0, length).EndsWith("\r\n\r\n", StringComparison.Ordinal))
                    length += await stream.ReadAsync(head.AsMemory(length), _stop.Token);
                Requests.Enqueue(Encoding.ASCII.GetString(head, 0, length));
                var body = Encoding.UTF8.GetBytes(_body);
                var answer = string.Create(
                    CultureInfo.InvariantCulture,
                    $"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {body.Length}\r\n\r\n"
                );
                await stream.WriteAsync((byte[])[.. Encoding.ASCII.GetBytes(answer), .. body], _stop.Token);
                socket.Shutdown(SocketShutdown.Send);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException or IOException)
        {
            // The test is over.
        }
    }
}
