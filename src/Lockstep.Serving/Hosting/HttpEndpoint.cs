using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// One address that an <see cref="HttpHost"/> listens on, and what it answers there. Not to be changed once its host has started.
/// </summary>
public sealed class HttpEndpoint
{
    /// <summary>The address to listen on. Loopback unless told otherwise.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port, 0 to 65535. 0 has the system pick a free one; <see cref="HttpHost.GetUri"/> tells which.</summary>
    public int Port { get; init; }

    /// <summary>
    /// A certificate with its private key makes the endpoint speak TLS; without one it speaks plain HTTP. The caller keeps and disposes it.
    /// </summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>
    /// Asked at each handshake for a certificate to use instead; null, or an answer of null, leaves it at <see cref="Certificate"/>.
    /// </summary>
    internal Func<X509Certificate2?>? SelectCertificate { get; set; }

    /// <summary>By which names the endpoint may be asked, and by which web pages. Checked before any route but the exempt ones.</summary>
    public SiteRules Site { get; init; } = new();

    /// <summary>What is answered, by path prefix.</summary>
    public RouteTable Routes { get; } = new();
}
