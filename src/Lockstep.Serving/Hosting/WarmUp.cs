using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// Makes a server answer a request of its own before clients connect. The first answer loads the libraries needed for answering; if a burst
/// of connections had used up all the files that the process may open, a library that could not be loaded would stay missing.
/// </summary>
internal static class WarmUp
{
    /// <summary>With more files to open than this, no burst uses them all up.</summary>
    private const long Plenty = 4096;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>Warms up where it matters: not in a native program, which contains its libraries.</summary>
    public static async Task RunAsync(Uri server, CancellationToken cancellationToken)
    {
        if (!RuntimeFeature.IsDynamicCodeSupported || server.Scheme != Uri.UriSchemeHttp || OpenFiles.Left is null or > Plenty)
            return;
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(Patience);
        try
        {
            var host = IPAddress.TryParse(server.Host.Trim('[', ']'), out var address) ? address : IPAddress.Loopback;
            using var client = new TcpClient(host.AddressFamily);
            await client.ConnectAsync(host, server.Port, late.Token).ConfigureAwait(false);
            var stream = client.GetStream();
            await stream
                .WriteAsync(
                    Encoding.ASCII.GetBytes($"GET /livez HTTP/1.1\r\nHost: {server.Authority}\r\nConnection: close\r\n\r\n"),
                    late.Token
                )
                .ConfigureAwait(false);
            var buffer = new byte[512];
            while (await stream.ReadAsync(buffer, late.Token).ConfigureAwait(false) > 0) { }
        }
        catch (Exception e)
            when (e is SocketException or IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // The first client loads them instead.
        }
    }
}
