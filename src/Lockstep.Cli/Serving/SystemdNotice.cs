using System.Net.Sockets;
using System.Text;

namespace Lockstep.Cli.Serving;

/// <summary>Tells systemd the state of a service (sd_notify), if it is one of Type=notify.</summary>
internal static class SystemdNotice
{
    public static void Send(string state)
    {
        if (Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is not { Length: > 1 } path)
            return;
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);

            // An abstract socket is written with @ where its first byte is 0.
            socket.SendTo(Encoding.UTF8.GetBytes(state), new UnixDomainSocketEndPoint(path[0] == '@' ? "\0" + path[1..] : path));
        }
        catch (SocketException)
        {
            // Nobody listens: the service runs anyway.
        }
    }
}
