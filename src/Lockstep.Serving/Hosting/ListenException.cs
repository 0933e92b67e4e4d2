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
