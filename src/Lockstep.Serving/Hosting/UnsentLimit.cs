using System.Net.Sockets;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// Keeps the system from buffering megabytes for each client that does not read: it limits what the system holds for a connection beyond
/// what is in flight, so that the rest stays where it is counted. Data in flight is not limited, so distant clients are as fast as before.
/// </summary>
internal static class UnsentLimit
{
    /// <summary>In bytes per connection.</summary>
    public const int Bytes = 128 * 1024;

    private const int Tcp = 6;

    /// <summary>
    /// Sets the limit on a listening socket, for the connections it accepts. If the system has no such limit, nothing changes.
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
            // An older system, or a container that forbids it: the system's own limits apply.
        }
    }
}
