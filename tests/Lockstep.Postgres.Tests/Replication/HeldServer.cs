using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Lockstep.Postgres.Tests.Replication;

/// <summary>
/// A proxy to a server that holds up a command: it arrives after a request to cancel it, which an idle server process then ignores.
/// </summary>
internal sealed class HeldServer : IAsyncDisposable
{
    private const int CancelRequest = 80877102;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int _port;
    private readonly byte[] _command;
    private readonly Task _accepting;

    public HeldServer(int port, string command)
    {
        _port = port;
        _command = System.Text.Encoding.ASCII.GetBytes(command);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Completes when the command has been sent, and waits here.</summary>
    public Task Held => _held.Task;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var passing = new List<Task>();
        try
        {
            while (true)
                passing.Add(PassAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            await Task.WhenAll(passing);
        }
    }

    private async Task PassAsync(TcpClient client)
    {
        using (client)
        using (var server = new TcpClient())
        {
            try
            {
                await server.ConnectAsync(IPAddress.Loopback, _port, _stop.Token);
                var (up, down) = (client.GetStream(), server.GetStream());
                await Task.WhenAny(UpAsync(up, down), down.CopyToAsync(up, _stop.Token));
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or SocketException)
            {
                // One of the two has disconnected.
            }
        }
    }

    private async Task UpAsync(NetworkStream client, NetworkStream server)
    {
        var buffer = new byte[64 << 10];
        for (int length; (length = await client.ReadAsync(buffer, _stop.Token)) > 0; )
        {
            var sent = buffer.AsMemory(0, length);
            if (sent.Span.IndexOf(_command) >= 0)
            {
                _held.TrySetResult();
                await _cancelled.Task.WaitAsync(_stop.Token);

                // So that the one who cancelled is waiting for the answer again.
                await Task.Delay(200, _stop.Token);
            }

            await server.WriteAsync(sent, _stop.Token);
            if (length == 16 && BinaryPrimitives.ReadInt32BigEndian(sent.Span[4..]) == CancelRequest)
            {
                // The server closes the connection once it has passed it on.
                _ = await server.ReadAsync(new byte[1], _stop.Token);
                _cancelled.TrySetResult();
                return;
            }
        }
    }
}
