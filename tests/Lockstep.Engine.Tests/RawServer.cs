using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Lockstep.Engine.Tests;

/// <summary>A server on a plain socket that does exactly what a test says, byte for byte: one request per connection.</summary>
internal sealed class RawServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Func<RawExchange, Task> _answer;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private readonly ConcurrentBag<Task> _exchanges = [];
    private int _count;

    public RawServer(Func<RawExchange, Task> answer)
    {
        _answer = answer;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>The feed, in path style.</summary>
    public Uri FeedUri => new(Root, "servers/");

    public Uri Root => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/"));

    /// <summary>The requests so far: line and headers.</summary>
    public ConcurrentQueue<string> Requests { get; } = [];

    /// <summary>What each request asked for: the last element of the path with the query.</summary>
    public IEnumerable<string> Cursors => Requests.Select(r => r.Split(' ')[1].Split('/')[^1]);

    /// <summary>Answers each request with the body of its number; the last body answers all that follow.</summary>
    public static RawServer WithBodies(params string[] bodies) =>
        new(exchange => exchange.BodyAsync(bodies[Math.Min(exchange.Number, bodies.Length) - 1]));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_exchanges);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync(_stop.Token);
                _exchanges.Add(ServeAsync(socket, Interlocked.Increment(ref _count)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // Stopped.
        }
    }

    private async Task ServeAsync(Socket socket, int number)
    {
        using (socket)
        {
            try
            {
                await using var stream = new NetworkStream(socket);
                var head = await ReadHeadAsync(stream);
                if (head.Length == 0)
                    return;
                Requests.Enqueue(head);
                // An answer that waits for what the sync will no longer do ends with the test.
                await _answer(new RawExchange(number, head, socket, stream, _stop.Token)).WaitAsync(_stop.Token);
                if (socket.Connected)
                    socket.Shutdown(SocketShutdown.Send);
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
            {
                // The client disconnected, or the test is over.
            }
        }
    }

    private async Task<string> ReadHeadAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(one, _stop.Token) == 0)
                return "";
            head.Append((char)one[0]);
        }

        return head.ToString();
    }
}

/// <summary>One request, and ways to answer it.</summary>
internal sealed class RawExchange(int number, string head, Socket socket, NetworkStream stream, CancellationToken stopping)
{
    /// <summary>1 for the first request of the server.</summary>
    public int Number => number;

    public string Head => head;

    /// <summary>The last element of the path, with the query.</summary>
    public string Cursor => head.Split(' ')[1].Split('/')[^1];

    public CancellationToken Stopping => stopping;

    /// <summary>A whole answer with its length.</summary>
    public Task BodyAsync(string body, string headers = "") => BodyAsync(Encoding.UTF8.GetBytes(body), headers);

    public async Task BodyAsync(byte[] body, string headers = "")
    {
        await SendAsync(
            string.Create(
                CultureInfo.InvariantCulture,
                $"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {body.Length}\r\n{headers}\r\n"
            )
        );
        await SendAsync(body);
    }

    public Task StatusAsync(string status, string headers = "") =>
        SendAsync($"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n");

    public Task RedirectAsync(string location, int status = 307) =>
        StatusAsync(string.Create(CultureInfo.InvariantCulture, $"{status} Elsewhere"), $"Location: {location}\r\n");

    /// <summary>The head of a chunked answer.</summary>
    public Task ChunkedAsync(string headers = "") =>
        SendAsync($"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n{headers}\r\n");

    public Task ChunkAsync(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        return SendAsync([
            .. Encoding.ASCII.GetBytes(bytes.Length.ToString("x", CultureInfo.InvariantCulture) + "\r\n"),
            .. bytes,
            .. "\r\n"u8,
        ]);
    }

    public Task LastChunkAsync() => SendAsync("0\r\n\r\n");

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

    public async Task SendAsync(byte[] bytes) => await stream.WriteAsync(bytes, stopping);

    /// <summary>Waits until the client closes its side, or resets the connection.</summary>
    public async Task ClientClosedAsync()
    {
        try
        {
            var rest = new byte[256];
            while (await stream.ReadAsync(rest, stopping) > 0) { }
        }
        catch (IOException)
        {
            // Reset.
        }
    }

    /// <summary>Keeps the connection open and silent until the client disconnects or the test ends.</summary>
    public Task StallAsync() => ClientClosedAsync();

    /// <summary>Cuts the connection with RST.</summary>
    public void Reset()
    {
        socket.LingerState = new LingerOption(true, 0);
        socket.Close();
    }
}
