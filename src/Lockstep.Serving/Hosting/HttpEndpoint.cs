using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// One address that an <see cref="HttpHost"/> listens on, and what it answers there. Do not change it once its host has started.
/// </summary>
public sealed class HttpEndpoint
{
    /// <summary>The address to listen on. Loopback by default.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port, 0 to 65535. With 0 the system picks a free one; <see cref="HttpHost.GetUri"/> returns it.</summary>
    public int Port { get; init; }

    /// <summary>
    /// A certificate with its private key makes the endpoint speak TLS; without one it speaks plain HTTP. The caller keeps and disposes it.
    /// </summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>
    /// Called at each handshake for a certificate to use instead; null, or a result of null, means <see cref="Certificate"/>.
    /// </summary>
    internal Func<X509Certificate2?>? SelectCertificate { get; set; }

    /// <summary>
    /// Under which names clients, and from which web pages browsers, may ask the endpoint. Checked before any route except the exempt ones.
    /// </summary>
    public SiteRules Site { get; init; } = new();

    /// <summary>What is answered, by path prefix.</summary>
    public RouteTable Routes { get; } = new();
}
