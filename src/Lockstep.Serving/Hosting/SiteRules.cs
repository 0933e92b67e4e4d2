using System.Net;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// The names under which clients may reach a server, and the web pages that may send requests. A malicious page can make its own name
/// resolve to any address, even this machine's (DNS rebinding); its browser then sends the page's name as Host. Such a page has a name, so
/// an IP address is always accepted, and so is a missing Host, which browsers never omit.
/// </summary>
public sealed record SiteRules
{
    /// <summary>
    /// Names accepted besides IP addresses and, on a server that listens on loopback, <c>localhost</c>. Without a port; case does not
    /// matter.
    /// </summary>
    public IReadOnlyCollection<string> AllowedHosts { get; init; } = [];

    /// <summary>Web pages that may send requests besides the server's own, each by its origin such as <c>https://app.example</c>.</summary>
    public IReadOnlyCollection<string> AllowedOrigins { get; init; } = [];

    /// <summary>
    /// Whether any name is accepted on a server that listens beyond loopback as long as no name is listed: for content that needs a
    /// credential, which a page under another name does not have.
    /// </summary>
    public bool AnyNameBeyondLoopback { get; init; }

    /// <summary>Checks that the lists hold names and origins.</summary>
    /// <exception cref="ArgumentException">An entry is not valid; the message says which.</exception>
    public SiteRules Checked()
    {
        foreach (var host in AllowedHosts)
        {
            if (Uri.CheckHostName(host) == UriHostNameType.Unknown)
                throw new ArgumentException($"'{host}' is not a host name. Give a name without scheme and port, such as feeds.example.");
        }

        foreach (var origin in AllowedOrigins)
        {
            if (!Uri.TryCreate(origin, UriKind.Absolute, out var site) || site.GetLeftPart(UriPartial.Authority) != origin.TrimEnd('/'))
                throw new ArgumentException($"'{origin}' is not an origin. Give scheme, name and port, such as https://app.example.");
        }

        return this;
    }

    /// <summary>
    /// Whether a request lacks a host where one is required: an http URI without a host is invalid (RFC 9110, 4.2.1). HTTP/1.0 may omit the
    /// header.
    /// </summary>
    internal static bool HasEmptyHost(HttpRequest request) => !request.Host.HasValue && !HttpProtocol.IsHttp10(request.Protocol);

    /// <summary>Why a request is refused; null if it is accepted. The answer is 403.</summary>
    /// <param name="request">The request.</param>
    /// <param name="listensOn">The address that the endpoint listens on.</param>
    internal (string Error, string Message)? Refusal(HttpRequest request, IPAddress listensOn)
    {
        if (!Passes(request.Host.Host, listensOn))
        {
            return (
                "unknown_host",
                $"This server is not known as '{request.Host.Host}'. Ask for it by its address, or have the name allowed "
                    + $"where the server is started."
            );
        }

        return IsFromOtherSite(request)
            ? ("other_site", "This request comes from a page of another site. Open the server's own page, or allow the page's origin.")
            : null;
    }

    /// <summary>Whether a browser says that the request comes from a page of a site that is neither the server's own nor listed.</summary>
    internal bool IsFromOtherSite(HttpRequest request)
    {
        if (request.Headers.Origin.ToString() is not { Length: > 0 } origin)
            return false;
        if (Lists(origin))
            return false;
        // A proxy may speak TLS in front of a plain server; but a plain page never belongs to a site that uses TLS.
        return !Uri.TryCreate(origin, UriKind.Absolute, out var site)
            || (request.IsHttps && site.Scheme != Uri.UriSchemeHttps)
            || !site.Authority.Equals(request.Host.Value, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Whether an origin is one of the allowed pages.</summary>
    internal bool Lists(string? origin) =>
        origin is not null && AllowedOrigins.Any(allowed => origin.Equals(allowed.TrimEnd('/'), StringComparison.OrdinalIgnoreCase));

    private bool Passes(string host, IPAddress listensOn)
    {
        if (host.Length == 0 || IPAddress.TryParse(host.Trim('[', ']'), out _))
            return true;
        if (AllowedHosts.Contains(host, StringComparer.OrdinalIgnoreCase))
            return true;
        return IPAddress.IsLoopback(listensOn) ? IsLoopbackName(host) : AnyNameBeyondLoopback && AllowedHosts.Count == 0;
    }

    /// <summary>Names that no DNS can point elsewhere: browsers resolve them to loopback themselves.</summary>
    private static bool IsLoopbackName(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase);
}
