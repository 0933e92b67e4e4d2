using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// An address on which an <see cref="HttpHost"/> listens, and what it answers there. Do not change it once its host has started.
/// </summary>
public sealed class HttpEndpoint
{
    private volatile SslServerAuthenticationOptions? _tls;

    /// <summary>The address to listen on. Loopback by default.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port, 0 to 65535. With 0 the system picks a free one; <see cref="HttpHost.GetUri"/> returns it.</summary>
    public int Port { get; init; }

    /// <summary>
    /// With a certificate and its private key the endpoint uses TLS; without one, plain HTTP. The caller keeps and disposes it.
    /// </summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>
    /// The certificates between the certificate and the authority that clients trust, which are sent with it. If there are none, the system
    /// looks for them, also on the Internet.
    /// </summary>
    public X509Certificate2Collection CertificateChain { get; init; } = [];

    /// <summary>
    /// Called at each handshake for a certificate to use instead; if it is or returns null, <see cref="Certificate"/> is used.
    /// </summary>
    internal Func<X509Certificate2?>? SelectCertificate { get; set; }

    /// <summary>
    /// The names under which clients, and the web pages from which browsers, may send requests. Checked before any route except the exempt
    /// ones.
    /// </summary>
    public SiteRules Site { get; init; } = new();

    /// <summary>The handlers, by path prefix.</summary>
    public RouteTable Routes { get; } = new();

    /// <summary>How the next handshake is done.</summary>
    internal SslServerAuthenticationOptions Tls =>
        SelectCertificate?.Invoke() is { } selected ? TlsOf(selected, []) : _tls ??= TlsOf(Certificate!, CertificateChain);

    /// <summary>How a server does its handshakes with a certificate and its chain.</summary>
    public static SslServerAuthenticationOptions TlsOf(X509Certificate2 certificate, X509Certificate2Collection chain)
    {
        ArgumentNullException.ThrowIfNull(chain);
        return chain.Count == 0
            ? new SslServerAuthenticationOptions { ServerCertificate = certificate }
            : new() { ServerCertificateContext = SslStreamCertificateContext.Create(certificate, chain, offline: true) };
    }

    /// <summary>Replaces the certificate and its chain from the next connection on.</summary>
    internal void UseCertificate(X509Certificate2 certificate, X509Certificate2Collection chain) => _tls = TlsOf(certificate, chain);
}
