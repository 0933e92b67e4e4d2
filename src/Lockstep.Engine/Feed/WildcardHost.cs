using System.Net;

namespace Lockstep.Engine.Feed;

/// <summary>
/// <c>0.0.0.0</c> and <c>[::]</c>: the address that a server listens on to be reachable on all of its own, and that nobody can connect to.
/// The original prints it in its own URIs, so it must mean something.
/// </summary>
internal static class WildcardHost
{
    /// <summary>In a URI from the user, it means this machine.</summary>
    public static Uri ToLoopback(Uri uri) =>
        Find(uri) is { } wildcard ? With(uri, wildcard.Equals(IPAddress.Any) ? "127.0.0.1" : "[::1]") : uri;

    /// <summary>In an answer it means the host that answered, never the client's own machine.</summary>
    /// <param name="given">What the answer leads to; absolute.</param>
    /// <param name="asked">What was asked.</param>
    public static Uri ToHostOf(Uri given, Uri asked) => Find(given) is null ? given : With(given, asked.Host);

    private static IPAddress? Find(Uri uri)
    {
        if (!IPAddress.TryParse(uri.DnsSafeHost, out var address))
            return null;
        address = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any) ? address : null;
    }

    private static Uri With(Uri uri, string host) => new UriBuilder(uri) { Host = host }.Uri;
}
