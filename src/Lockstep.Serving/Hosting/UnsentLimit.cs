using System.Net.Sockets;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// Keeps the system from taking megabytes for each client that does not read: what it holds of a connection beyond what is under way is
/// bounded, and the rest stays where it is counted. What is under way is not, so that distant clients are as fast as they were.
/// </summary>
internal static class UnsentLimit
{
    /// <summary>In bytes, of one connection.</summary>
    public const int Bytes = 128 * 1024;

    private const int Tcp = 6;

    /// <summary>
    /// Sets the limit on a socket that listens, for those that it accepts. Where the system knows no such limit, nothing changes.
    /// </summary>
    public static void Set(Socket listening)
    {
        int? option =
            OperatingSystem.IsLinux() ? 25
            : OperatingSystem.IsMacOS() ? 0x201
            : null;
        if (option is not { } notSent)
            return;
        try
        {
            listening.SetRawSocketOption(Tcp, notSent, BitConverter.GetBytes(Bytes));
        }
        catch (SocketException)
        {
            // An older system, or a container that forbids it: the system's own bounds hold.
        }
    }
}
