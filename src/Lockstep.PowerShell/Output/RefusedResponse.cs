using System.Collections;

namespace Lockstep;

/// <summary>An answer with which a feed refuses the credentials, the <c>$_</c> of <c>-TokenProvider</c>.</summary>
public sealed class RefusedResponse
{
    internal RefusedResponse(int statusCode, string feed, IDictionary headers) => (StatusCode, Feed, Headers) = (statusCode, feed, headers);

    /// <summary>The HTTP status: 401 or 403.</summary>
    public int StatusCode { get; }

    /// <summary>The feed, without user, password and secret options.</summary>
    public string Feed { get; }

    /// <summary>The headers by name, ignoring case, such as <c>WWW-Authenticate</c>; several values of one are joined by a comma.</summary>
    public IDictionary Headers { get; }

    /// <summary>What the server requires, and why it refused: the header <c>WWW-Authenticate</c>; null if there is none.</summary>
    public string? Challenge => Headers["WWW-Authenticate"] as string;
}
