using System.Globalization;
using System.Net;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Builds a dialect's requests and sends them: only to the feed's own origin (D5), and waiting if the server asks for it (D8). One thread
/// at a time.
/// </summary>
internal sealed class DialectRequests(DialectDescription dialect, FeedClient client)
{
    private const int MostWaits = 5;

    /// <summary>How many times a request waits for a busy server that does not say for how long.</summary>
    private const int MostUnnamedWaits = 2;
    private static readonly string[] PageSizes = ["limit", "per_page", "page_size", "pageSize", "maxResults", "top", "$top"];
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan SecondaryLimit = TimeSpan.FromMinutes(1);

    /// <summary>Reports that the server asks for a wait.</summary>
    public required Func<TimeSpan, FeedStatusException, Task<bool>> WaitAsync { get; init; }

    /// <summary>The feed's identity, sent in requests as <c>{identity}</c>.</summary>
    public string? Identity { get; set; }

    /// <summary>The headers of the last response, for <c>{header:NAME}</c>.</summary>
    public ResponsePlaces? Last { get; set; }

    /// <summary>The URI of a kind of request.</summary>
    /// <param name="rules">The request's rules.</param>
    /// <param name="cursor">The cursor; null for none.</param>
    /// <param name="inPages">Whether to send the parameters that set the page size.</param>
    public Uri Address(DialectRules rules, string? cursor, bool inPages = true)
    {
        if (cursor is not null && !rules.CursorIsParameter)
            return Own(cursor, client.Uri.Location);
        var uri = rules.Path is null ? client.Uri.Location : Own(rules.Path, client.Uri.Location);
        foreach (var parameter in rules.Query.Where(p => inPages || !PageSizes.Contains(p.Name, StringComparer.OrdinalIgnoreCase)))
        {
            if (parameter.Value.Fill(variable => Value(rules, variable, cursor)) is { } value)
                uri = With(uri, parameter.Name, value, replaces: parameter.Value.HasVariables);
        }

        foreach ((var name, var value) in client.Http.Options.Query)
            uri = With(uri, name, value, replaces: true);
        // Who names a feed in a header means caches to have its answers, and they know a request by its text.
        return rules.Identity.Any(place => place.Kind == PlaceKind.Header) ? Sorted(uri) : uri;
    }

    private static Uri Sorted(Uri uri)
    {
        var builder = new UriBuilder(uri);
        var pairs = builder.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries);
        builder.Query = string.Join('&', pairs.Order(StringComparer.Ordinal));
        return builder.Uri;
    }

    /// <summary>Resolves a link from the server, which must lead to the feed's own origin (D5).</summary>
    /// <exception cref="DialectException">It leads elsewhere.</exception>
    public Uri Own(string link, Uri from)
    {
        if (!Uri.TryCreate(from, link, out var uri) || uri.Scheme is not ("http" or "https"))
            throw Wrong($"'{CursorText.Shorten(link)}' is not a link");
        var own = client.Uri.Location;
        if (uri.Scheme == own.Scheme && uri.Port == own.Port && uri.IdnHost.Equals(own.IdnHost, StringComparison.OrdinalIgnoreCase))
            return uri;
        // Behind a proxy that terminates TLS, servers write links with the scheme that they see themselves.
        if (own.Scheme == "https" && uri.Scheme == "http" && uri.IdnHost.Equals(own.IdnHost, StringComparison.OrdinalIgnoreCase))
            return new UriBuilder(uri) { Scheme = own.Scheme, Port = own.Port }.Uri;
        throw Wrong($"it links to {uri.Scheme}://{uri.Authority}, another origin, where no credentials may go");
    }

    /// <summary>A URI with a parameter added or replaced.</summary>
    public static Uri With(Uri uri, string name, string value, bool replaces)
    {
        var builder = new UriBuilder(uri);
        var pairs = builder.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries).ToList();
        bool IsIt(string pair) => Uri.UnescapeDataString(pair.Split('=')[0].Replace('+', ' ')) == name;
        if (pairs.Exists(IsIt) && !replaces)
            return uri;
        pairs.RemoveAll(IsIt);
        pairs.Add(Uri.EscapeDataString(name) + "=" + Uri.EscapeDataString(value).Replace("%3A", ":", StringComparison.Ordinal));
        builder.Query = string.Join('&', pairs);
        return builder.Uri;
    }

    /// <summary>A URI of OData without the parameter that asks only for what changes from now on.</summary>
    public static Uri WithoutLatest(Uri uri) => Without(Without(uri, "token", "latest"), "$deltatoken", "latest");

    /// <summary>A URI without a parameter, if it has this value.</summary>
    private static Uri Without(Uri uri, string name, string value)
    {
        var builder = new UriBuilder(uri);
        var pairs = builder.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries);
        builder.Query = string.Join('&', pairs.Where(pair => Uri.UnescapeDataString(pair) != $"{name}={value}"));
        return builder.Uri;
    }

    /// <summary>
    /// Sends a request, and retries after a wait if the server is busy (D8). A status other than success is returned for the dialect to
    /// interpret.
    /// </summary>
    public async Task<HttpResponseMessage> SendAsync(
        DialectRules rules,
        Uri target,
        string? cursor,
        string? entityTag,
        TimeSpan patience,
        CancellationToken cancellationToken
    )
    {
        for (int waits = 0, unnamed = 0, redirects = 0; ; )
        {
            var (address, places) = rules.Body is null ? (target, []) : TakePlaces(target);
            var body = rules.Body?.Fill(variable => Value(rules, variable, cursor), places);
            var response = await client
                .Http.AskAsync(address, headers => AddHeaders(headers, rules, cursor, entityTag), body, patience, cancellationToken)
                .ConfigureAwait(false);
            if (response.IsSuccessStatusCode || response.StatusCode == HttpStatusCode.NotModified)
                return response;
            if (client.Http.RedirectOf(response, address) is { } location && response.StatusCode != HttpStatusCode.Gone)
            {
                // Any other redirect of a POST leads to a GET.
                if (body is not null && (int)response.StatusCode is not (307 or 308))
                    return response;
                response.Dispose();
                if (++redirects > FeedHttp.MostRedirects)
                    throw client.Http.TooManyRedirects();
                target = Own(location.AbsoluteUri, target);
                foreach (var (place, text) in places)
                    target = With(target, place, text, replaces: true);
                continue;
            }

            if (Pause(response, out var isNamed) is not { } pause || pause > LongestWait || ++waits > MostWaits)
                return response;
            if (!isNamed && ++unnamed > MostUnnamedWaits)
                return response;
            var error = await client.RefusalAsync(response, cancellationToken, dialect.Name).ConfigureAwait(false);
            response.Dispose();
            if (!await WaitAsync(pause, error).ConfigureAwait(false))
                throw error;
        }
    }

    /// <summary>Moves the parameters of a URI that are JSON Pointers to the body: the next page is named there.</summary>
    private static (Uri Address, IReadOnlyList<KeyValuePair<string, string>> Places) TakePlaces(Uri uri)
    {
        var builder = new UriBuilder(uri);
        var pairs = builder.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries).ToLookup(IsPlace);
        builder.Query = string.Join('&', pairs[false]);
        return (
            builder.Uri,
            [.. pairs[true].Select(pair => pair.Split('=', 2)).Select(pair => KeyValuePair.Create(Unescape(pair[0]), Unescape(pair[1])))]
        );

        static bool IsPlace(string pair) => pair.StartsWith("%2F", StringComparison.OrdinalIgnoreCase) && pair.Contains('=');
        static string Unescape(string text) => Uri.UnescapeDataString(text);
    }

    /// <summary>The error for a status.</summary>
    public FeedStatusException Error(HttpResponseMessage response, ErrorBody body) => client.Refusal(response, body, dialect.Name);

    /// <summary>The error for an answer that does not match the dialect.</summary>
    public DialectException Wrong(string reason, Remedy? remedy = null) => new(client.Uri, dialect.Name, reason, remedy);

    /// <summary>The error for an HTML page in place of a feed.</summary>
    public DialectException IsPage() =>
        new(client.Uri, dialect.Name, "it answers with an HTML page, perhaps one to sign in at") { SaysNothing = true };

    /// <summary>The error for a status that concerns the server rather than the request.</summary>
    public DialectException Refused(string reason) => new(client.Uri, dialect.Name, reason) { SaysNothing = true };

    /// <summary>How long the server asks to wait; null if it does not.</summary>
    /// <param name="response">Its answer.</param>
    /// <param name="isNamed">Whether the server says how long.</param>
    private TimeSpan? Pause(HttpResponseMessage response, out bool isNamed)
    {
        var named = client.RetryAfterOf(response)?.Wait;
        isNamed = named is not null;
        var isLimit = response.StatusCode is HttpStatusCode.Forbidden && (isNamed || RetryAfter.IsUsedUp(response));
        if (
            !isLimit
            && response.StatusCode
                is not (HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout)
        )
        {
            return null;
        }

        if (named is { } wait)
            return wait < TimeSpan.Zero ? TimeSpan.Zero : wait;
        return isLimit || response.StatusCode == HttpStatusCode.TooManyRequests ? SecondaryLimit : null;
    }

    private void AddHeaders(System.Net.Http.Headers.HttpRequestHeaders headers, DialectRules rules, string? cursor, string? entityTag)
    {
        var accept = rules.Framing == DialectFraming.EventStream ? "text/event-stream" : "application/json, */*;q=0.5";
        headers.TryAddWithoutValidation("Accept", accept);
        // What compresses an endless answer may hold it back until its window is full, heartbeats included.
        if (rules.Framing is DialectFraming.JsonLines or DialectFraming.EventStream)
            headers.TryAddWithoutValidation("Accept-Encoding", "identity");
        else if (!client.Http.Options.DisableCompression)
            headers.TryAddWithoutValidation("Accept-Encoding", "gzip, deflate, br");
        foreach (var header in rules.Headers)
        {
            if (header.Value.Fill(variable => Value(rules, variable, cursor)) is { } value)
            {
                headers.Remove(header.Name);
                RequestHeader.Add(headers, header.Name, value);
            }
        }

        if (entityTag is not null)
            RequestHeader.Add(headers, "If-None-Match", entityTag);
    }

    private string? Value(DialectRules rules, string variable, string? cursor)
    {
        var parts = variable.Split(':', 2);
        var format = parts.Length > 1 ? parts[1] : null;
        return parts[0] switch
        {
            "cursor" when cursor is null => null,
            "cursor" => rules.HasMaximumCursor ? new MaximumCursor(rules).Write(cursor, format) : cursor,
            "identity" => Identity,
            "timeout" => ((int)rules.Timeout.TotalSeconds).ToString(CultureInfo.InvariantCulture),
            _ => Last?.Header(format ?? ""),
        };
    }
}
