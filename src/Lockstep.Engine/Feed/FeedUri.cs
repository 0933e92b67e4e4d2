using System.Net;
using System.Text;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Feed;

/// <summary>
/// A feed's URI, parsed: where it is, and the user and password that came with it. Only <see cref="Display"/> is ever stored or shown (I9):
/// without user and password, and without the query options that are secrets by their names. Immutable.
/// </summary>
internal sealed class FeedUri
{
    private readonly bool _isImport;

    private FeedUri(Uri location, NetworkCredential? credential, bool isImport = false)
    {
        Location = location;
        Credential = credential;
        _isImport = isImport;
    }

    /// <summary>Whether it is not a feed but the source of an import.</summary>
    internal bool IsImport => _isImport;

    /// <summary>The URI without user info, as requested.</summary>
    public Uri Location { get; }

    /// <summary>
    /// The URI as text, without secrets. It is the same whatever the secrets are, so that a table outlives a change of them.
    /// </summary>
    public string Display =>
        _isImport ? Location.AbsoluteUri : Location.GetLeftPart(UriPartial.Path) + SecretNames.Replace(Location.Query, static _ => null);

    /// <summary>What it is called at the beginning of a sentence.</summary>
    internal string Subject =>
        !_isImport ? $"The feed {Display}"
        : Location.IsFile ? $"The file '{Location.LocalPath}'"
        : "What was imported";

    internal NetworkCredential? Credential { get; }

    /// <summary>Parses an absolute http or https URI; the hosts 0.0.0.0 and [::] become the loopback address.</summary>
    /// <exception cref="ArgumentException">It is not absolute, or of another scheme.</exception>
    public static FeedUri Parse(Uri uri)
    {
        ArgumentNullException.ThrowIfNull(uri);
        if (!uri.IsAbsoluteUri || (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps))
        {
            throw new ArgumentException("A feed's URI begins with http:// or https://.", nameof(uri));
        }

        uri = WildcardHost.ToLoopback(uri);
        if (uri.UserInfo.Length == 0)
            return new FeedUri(uri, null);
        var parts = uri.UserInfo.Split(':', 2);
        var credential = new NetworkCredential(Uri.UnescapeDataString(parts[0]), parts.Length > 1 ? Uri.UnescapeDataString(parts[1]) : "");
        return new FeedUri(new UriBuilder(uri) { UserName = "", Password = "" }.Uri, credential);
    }

    /// <summary>Names a source of records that is not a feed, such as a file, for results and errors. It cannot be requested.</summary>
    internal static FeedUri OfImport(Uri uri) => new(uri, null, isImport: true);

    /// <summary>
    /// The default name of a table of this feed: the last path element that is a name, else <c>lockstep</c>.
    /// </summary>
    public string DefaultTableName
    {
        get
        {
            var elements = Location.AbsolutePath.Split('/', StringSplitOptions.RemoveEmptyEntries);
            string[] names =
            [
                .. elements
                    .Select(Uri.UnescapeDataString)
                    .Where(element => TableNaming.IsValid(element) && !element.All(char.IsAsciiDigit)),
            ];
            // The endings of other servers' URIs say how a table is asked for, not which.
            return names switch
            {
                [.., var table, "delta" or "microsoft.graph.delta" or "_changes"] => table,
                [.., "shape"] when ShapeTable() is { } table => table,
                [.., var table] => table,
                _ => TableNaming.Default,
            };
        }
    }

    /// <summary>The name of a feed's table if no other is given.</summary>
    /// <param name="dialect">How the feed is read, if the user says; null otherwise.</param>
    public string TableNameFor(DialectDescription? dialect) => dialect?.TableNameOf(DefaultTableName) ?? DefaultTableName;

    /// <summary>The table of one of Electric's shapes; null if the query names none.</summary>
    private string? ShapeTable()
    {
        var option = Location.Query.TrimStart('?').Split('&').FirstOrDefault(pair => pair.StartsWith("table=", StringComparison.Ordinal));
        var name = option is null ? "" : Uri.UnescapeDataString(option[6..]).Split('.')[^1].Trim('"');
        return TableNaming.IsValid(name) ? name : null;
    }

    /// <summary>The request's URI for a cursor.</summary>
    /// <param name="style">Where the cursor goes.</param>
    /// <param name="cursor">The cursor.</param>
    /// <param name="query">Further options, appended to the query; null for none.</param>
    /// <param name="update">Whether to ask for updates only, never a snapshot by redirect.</param>
    /// <exception cref="FeedCursorException">The cursor cannot be a path element.</exception>
    public Uri Request(CursorStyle style, Cursor cursor, IEnumerable<KeyValuePair<string, string>>? query, bool update)
    {
        var inPath = style == CursorStyle.Path || (style == CursorStyle.Auto && Location.AbsolutePath.EndsWith('/'));
        var builder = new UriBuilder(Location);
        var parameters = new StringBuilder(builder.Query.TrimStart('?'));
        if (inPath)
        {
            // No URI can have these as an element: they would request another path (RFC 3986, 5.2.4).
            if (cursor.ToString() is "." or "..")
                throw new FeedCursorException(this, cursor);
            // The cursor's own colons stay (5:5000); characters that would end the path do not.
            builder.Path =
                builder.Path.TrimEnd('/') + "/" + Uri.EscapeDataString(cursor.ToString()).Replace("%3A", ":", StringComparison.Ordinal);
        }
        else
        {
            Append(parameters, "since", cursor.ToString());
        }

        if (update)
            Append(parameters, "update", "true");
        foreach ((var name, var value) in query ?? [])
            Append(parameters, name, value);
        builder.Query = parameters.ToString();
        return builder.Uri;
    }

    /// <inheritdoc/>
    public override string ToString() => Display;

    /// <summary>
    /// An address as a table may keep it, relative to this feed if it is on the same server; null if it holds a secret (I9), leads from
    /// https to http, or has another scheme.
    /// </summary>
    internal string? Keep(Uri address)
    {
        if (
            address.Scheme is not ("http" or "https")
            || (Location.Scheme == "https" && address.Scheme != "https")
            || address.UserInfo.Length > 0
            || SecretNames.Replace(address.Query, _ => null) != (address.Query == "?" ? "" : address.Query)
        )
        {
            return null;
        }

        var isOwn =
            Uri.Compare(address, Location, UriComponents.SchemeAndServer, UriFormat.UriEscaped, StringComparison.OrdinalIgnoreCase) == 0;
        return isOwn ? address.PathAndQuery : address.AbsoluteUri;
    }

    private static void Append(StringBuilder query, string name, string value)
    {
        if (query.Length > 0)
            query.Append('&');
        query
            .Append(Uri.EscapeDataString(name))
            .Append('=')
            .Append(Uri.EscapeDataString(value).Replace("%3A", ":", StringComparison.Ordinal));
    }
}
