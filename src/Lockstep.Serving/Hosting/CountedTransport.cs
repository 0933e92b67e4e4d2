using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Lockstep.Serving.Hosting;

/// <summary>Kestrel's socket transport, but for who accepts: <see cref="CountedListener"/>. Thread-safe.</summary>
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
            var asked = (IPEndPoint)endPoint;
            throw error.SocketErrorCode == SocketError.AddressAlreadyInUse
                ? new PortInUseException(asked, error)
                : new ListenException(asked, $"Cannot listen on {asked}: {Advice(error.SocketErrorCode)}", error);
        }
    }

    private static string Advice(SocketError code) =>
        code switch
        {
            SocketError.AddressNotAvailable =>
                "it is not an address of this machine. Listen on 127.0.0.1, or on 0.0.0.0 for all of its addresses.",
            SocketError.AccessDenied =>
                "the system does not allow it. Ports below 1024 need more rights; use a higher one, or 0 for a free one.",
            _ => $"{code}. Use another address or port.",
        };
}
