using System.Net;

namespace Lockstep.Serving.Hosting;

/// <summary>Another program (or another server in this one) already listens on the port. Use port 0 to have a free one picked.</summary>
public sealed class PortInUseException : ListenException
{
    internal PortInUseException(IPEndPoint endPoint, Exception? inner)
        : base(
            endPoint,
            $"Port {endPoint.Port} on {endPoint.Address} is already in use. Use port 0 to have a free port picked, or stop the program that listens there.",
            inner
        ) { }
}
