using System.Net;
using System.Net.Sockets;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// The server could not listen on the requested address: it is not an address of this machine, or the port needs more rights.
/// </summary>
public class ListenException : IOException
{
    internal ListenException(IPEndPoint endPoint, string message, string action, Exception? inner)
        : base(message, inner) => (EndPoint, RecommendedAction) = (endPoint, action);

    /// <summary>The requested address and port.</summary>
    public IPEndPoint EndPoint { get; }

    /// <summary>What to do, as a sentence.</summary>
    public string RecommendedAction { get; }

    /// <summary>The error for a system error.</summary>
    public static ListenException Of(IPEndPoint endPoint, SocketException error) =>
        error.SocketErrorCode switch
        {
            SocketError.AddressAlreadyInUse => new PortInUseException(endPoint, error),
            SocketError.AddressNotAvailable => new ListenException(
                endPoint,
                $"Cannot listen on {endPoint}: it is not an address of this machine.",
                "Listen on 127.0.0.1, or on 0.0.0.0 for all of its addresses.",
                error
            ),
            SocketError.AccessDenied => new ListenException(
                endPoint,
                $"Cannot listen on {endPoint}: the system does not allow it.",
                "Ports below 1024 need more rights; use a higher one, or 0 for a free one.",
                error
            ),
            var code => new ListenException(endPoint, $"Cannot listen on {endPoint}: {code}.", "Use another address or port.", error),
        };
}

/// <summary>Another program (or another server in this one) already listens on the port. Use port 0 to have a free one picked.</summary>
public sealed class PortInUseException : ListenException
{
    internal PortInUseException(IPEndPoint endPoint, Exception? inner)
        : base(
            endPoint,
            $"Port {endPoint.Port} on {endPoint.Address} is already in use.",
            "Use port 0 to pick a free port, or stop the program that listens there.",
            inner
        ) { }
}
