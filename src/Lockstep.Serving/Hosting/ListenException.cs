using System.Net;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// The server could not listen on the address it was told to: not an address of this machine, or a port that needs more rights.
/// </summary>
public class ListenException : IOException
{
    internal ListenException(IPEndPoint endPoint, string message, Exception? inner)
        : base(message, inner)
    {
        EndPoint = endPoint;
    }

    /// <summary>The address and port that were asked for.</summary>
    public IPEndPoint EndPoint { get; }
}

/// <summary>Another program (or another server in this one) already listens on the port. Use port 0 to have a free one picked.</summary>
public sealed class PortInUseException : ListenException
{
    internal PortInUseException(IPEndPoint endPoint, Exception? inner)
        : base(
            endPoint,
            $"Port {endPoint.Port} on {endPoint.Address} is already in use. Use port 0 to pick a free port, or stop "
                + $"the program that listens there.",
            inner
        ) { }
}
