using System.Net.Sockets;
using System.Text;

namespace Lockstep.Cli.Serving;

/// <summary>Tells systemd the state of a Type=notify service (sd_notify).</summary>
internal static class SystemdNotice
{
    public static void Send(string state)
    {
        if (Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is not { Length: > 1 } path)
            return;
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);

            // The name of an abstract socket starts with @ in place of its leading 0 byte.
            socket.SendTo(Encoding.UTF8.GetBytes(state), new UnixDomainSocketEndPoint(path[0] == '@' ? "\0" + path[1..] : path));
        }
        catch (SocketException)
        {
            // Nobody is listening; the service runs anyway.
        }
    }
}
