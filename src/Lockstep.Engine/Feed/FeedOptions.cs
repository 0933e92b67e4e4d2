using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace Lockstep.Engine.Feed;

/// <summary>How to reach a feed. Immutable; holds secrets, so it has no text form of its own.</summary>
public sealed class FeedOptions
{
    private FeedUri? _address;
    private string? _asked;

    /// <summary>The feed's URI; user info in it becomes Basic authentication.</summary>
    public required Uri Uri { get; init; }

    /// <summary><see cref="Uri"/>, parsed once.</summary>
    /// <exception cref="ArgumentException">It is not absolute, or is neither http nor https.</exception>
    internal FeedUri Address => _address ??= FeedUri.Parse(Uri);

    /// <summary>Where the cursor goes.</summary>
    public CursorStyle CursorStyle { get; init; }

    /// <summary>Further query options, such as the feed's filters.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Query { get; init; } = [];

    /// <summary>The digest of <see cref="Query"/>, as a table keeps it.</summary>
    internal string Asked => _asked ??= AskedQuery.Digest(Query);

    /// <summary>Further request headers. They are sent to the feed's own host only.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>User and password for Basic authentication; takes precedence over those in the URI.</summary>
    public NetworkCredential? Credential { get; init; }

    /// <summary>A bearer token; takes precedence over any user and password.</summary>
    public string? BearerToken { get; init; }

    /// <summary>
    /// How long connecting, up to the response's headers, may take; above zero, or <see cref="Timeout.InfiniteTimeSpan"/> for no limit.
    /// Default 30 s.
    /// </summary>
    public TimeSpan ConnectionTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a connection may be silent; every byte resets the timer. Above zero, or <see cref="Timeout.InfiniteTimeSpan"/> for no
    /// limit; default 60 s.
    /// </summary>
    public TimeSpan OperationTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Whether credentials may be sent over plain http to a host other than loopback.</summary>
    public bool AllowUnencryptedAuthentication { get; init; }

    /// <summary>Whether the server's certificate is accepted unchecked.</summary>
    public bool SkipCertificateCheck { get; init; }

    /// <summary>
    /// A PEM file of certificates that vouch for the server's, in place of those the system trusts; null for the system's. The host name
    /// and the dates are checked all the same.
    /// </summary>
    public string? CertificateAuthority { get; init; }

    /// <summary>A client certificate with its private key, which the caller keeps and disposes; null for none.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>A proxy; null for the system's own.</summary>
    public IWebProxy? Proxy { get; init; }

    /// <summary>Whether to use no proxy at all.</summary>
    public bool NoProxy { get; init; }

    /// <summary>Whether not to ask for a compressed body.</summary>
    public bool DisableCompression { get; init; }

    /// <summary>Called with each response before anything reads it; may replace its content. Null for none.</summary>
    internal Action<HttpResponseMessage>? Tap { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Address.Display;

    /// <summary>Checks each option against its valid range.</summary>
    /// <param name="say">What a front end calls an option, as for <see cref="Remedy.Render"/>; null for the names of these
    /// properties.</param>
    /// <exception cref="InvalidOptionException">An option is out of range; the message names it.</exception>
    /// <exception cref="ArgumentException">The URI is not absolute, or is neither http nor https.</exception>
    public void Validate(Func<string, string?, string>? say = null)
    {
        _ = Address;
        RequestHeader.Check(this);
        var check = new OptionCheck(say);
        check.Timeout(ConnectionTimeout, Term.ConnectionTimeout);
        check.Timeout(OperationTimeout, Term.OperationTimeout);
        using var authorities = new CertificateAuthorities(CertificateAuthority);
        if (authorities.IsEmpty)
            throw check.Wrong(Term.CertificateAuthority, "a PEM file with at least one certificate");
    }

    /// <summary>The same feed as its owner wants it after a refusal; null leaves a setting unchanged.</summary>
    /// <param name="bearerToken">Another token.</param>
    /// <param name="uri">Another address.</param>
    /// <param name="headers">Headers that replace those of the same name, or are added.</param>
    internal FeedOptions With(string? bearerToken, Uri? uri, IReadOnlyList<KeyValuePair<string, string>>? headers) =>
        Copy(bearerToken, uri, headers, Tap, DisableCompression);

    /// <summary>The same feed, uncompressed, with each response passed to a tap.</summary>
    internal FeedOptions WithTap(Action<HttpResponseMessage> tap) => Copy(null, null, null, tap, disableCompression: true);

    private FeedOptions Copy(
        string? bearerToken,
        Uri? uri,
        IReadOnlyList<KeyValuePair<string, string>>? headers,
        Action<HttpResponseMessage>? tap,
        bool disableCompression
    ) =>
        new()
        {
            Uri = uri ?? Uri,
            CursorStyle = CursorStyle,
            Query = Query,
            Headers = headers is null
                ? Headers
                : [.. Headers.Where(old => !headers.Any(one => one.Key.Equals(old.Key, StringComparison.OrdinalIgnoreCase))), .. headers],
            Credential = Credential,
            BearerToken = bearerToken ?? BearerToken,
            ConnectionTimeout = ConnectionTimeout,
            OperationTimeout = OperationTimeout,
            AllowUnencryptedAuthentication = AllowUnencryptedAuthentication,
            SkipCertificateCheck = SkipCertificateCheck,
            CertificateAuthority = CertificateAuthority,
            Certificate = Certificate,
            Proxy = Proxy,
            NoProxy = NoProxy,
            DisableCompression = disableCompression,
            Tap = tap,
        };
}

/// <summary>Where in a request the cursor goes.</summary>
public enum CursorStyle
{
    /// <summary>In the path if the URI's path ends with a slash, else in the query.</summary>
    Auto = 0,

    /// <summary>As the last element of the path: <c>/servers/998</c>.</summary>
    Path = 1,

    /// <summary>As the query's <c>since</c>: <c>/servers?since=998</c>.</summary>
    Query = 2,
}
