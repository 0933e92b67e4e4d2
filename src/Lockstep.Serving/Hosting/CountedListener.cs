using System.Net;
using System.Net.Sockets;
using Lockstep.Engine.Serving;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// Accepts connections and counts each one before anything else is done for it: however many arrive at once, the process holds at most one
/// socket more than it has places. If the system is out of files, a connection waits in the system's queue.
/// </summary>
internal sealed class CountedListener : IConnectionListener
{
    /// <summary>How long the listener stops accepting when the system has no file or memory for another connection.</summary>
    public static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(100);

    private readonly Socket _socket;
    private readonly Func<Task<Socket>> _accept;
    private readonly ConnectionCount _count;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly SocketConnectionContextFactory _contexts = new(new SocketConnectionFactoryOptions(), NullLogger.Instance);

    /// <param name="socket">A listening socket; owned by this.</param>
    /// <param name="accept">Accepts its next connection.</param>
    /// <param name="count">The places; several listeners may share them.</param>
    /// <param name="time">The clock of <see cref="Rest"/>.</param>
    public CountedListener(Socket socket, Func<Task<Socket>> accept, ConnectionCount count, TimeProvider time)
    {
        (_socket, _accept, _count, _time) = (socket, accept, count, time);
        EndPoint = socket.LocalEndPoint!;
    }

    /// <inheritdoc/>
    public EndPoint EndPoint { get; }

    /// <summary>The next connection that has a place, as a <see cref="CountedConnection"/>; null when no more are accepted.</summary>
    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (Admit(await _accept().ConfigureAwait(false)) is { } connection)
                    return connection;
            }
            catch (ObjectDisposedException)
            {
                return null;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.OperationAborted)
            {
                return null;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable)
            {
                await Task.Delay(Rest, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (SocketException)
            {
                // The client had disconnected before the connection was accepted.
            }
        }

        return null;
    }

    /// <inheritdoc/>
    public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _socket.Dispose();
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        _contexts.Dispose();
        _stop.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Gives a connection its place; null if there is none, and the connection was reset.</summary>
    private CountedConnection? Admit(Socket accepted)
    {
        IPAddress? counted = null;
        try
        {
            accepted.NoDelay = true;
            var client = ClientAddress.Of((accepted.RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.None);
            var admission = _count.Came(client);
            if (admission == Admission.Refused)
            {
                accepted.Close(timeout: 0);
                return null;
            }

            counted = client;
            return new CountedConnection(_contexts.Create(accepted), isExcess: admission == Admission.Excess, () => _count.Left(client));
        }
        catch
        {
            accepted.Dispose();
            if (counted is not null)
                _count.Left(counted);
            throw;
        }
    }
}
