using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Lockstep.Serving.Hosting;

/// <summary>Kestrel's socket transport, except that <see cref="CountedListener"/> accepts. Thread-safe.</summary>
internal sealed class CountedTransport(ConnectionCount count) : IConnectionListenerFactory
{
    private const int Backlog = 512;

    /// <exception cref="PortInUseException">The port is taken.</exception>
    /// <exception cref="ListenException">The address cannot be listened on.</exception>
    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var socket = Bind(endpoint);
        return ValueTask.FromResult<IConnectionListener>(new CountedListener(socket, socket.AcceptAsync, count, TimeProvider.System));
    }

    /// <summary>The exception says which of the endpoints it was.</summary>
    private static Socket Bind(EndPoint endPoint)
    {
        Socket? socket = null;
        try
        {
            socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint);
            UnsentLimit.Set(socket);
            socket.Listen(Backlog);
            return socket;
        }
        catch (SocketException error)
        {
            socket?.Dispose();
            throw ListenException.Of((IPEndPoint)endPoint, error);
        }
    }
}
