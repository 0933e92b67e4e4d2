using System.Net.Http.Headers;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Feed;

/// <summary>
/// A snapshot in pages, each of which names the next one in <c>Link: ...; rel="next"</c> (RFC 8288), as one body: it ends where the last
/// page ends, and a page that is missing, cut or from another feed cuts it off, so that half a snapshot never passes for a whole one (I6).
/// One reader.
/// </summary>
internal sealed class PagedBody : ReadOnlyStream
{
    private readonly FeedUri _feed;
    private readonly string? _identity;
    private readonly Func<Uri, CancellationToken, Task<HttpResponseMessage>> _fetch;
    private readonly Func<HttpResponseMessage, CancellationToken, Task<Stream>> _open;
    private Uri _page;
    private HttpResponseMessage _response;
    private Stream _stream;

    /// <param name="feed">The feed, for errors.</param>
    /// <param name="page">The first page's address.</param>
    /// <param name="response">Its response; taken over.</param>
    /// <param name="stream">Its decoded content; taken over.</param>
    /// <param name="fetch">Fetches a further page; throws if it is not available.</param>
    /// <param name="open">Gives a response's decoded content.</param>
    public PagedBody(
        FeedUri feed,
        Uri page,
        HttpResponseMessage response,
        Stream stream,
        Func<Uri, CancellationToken, Task<HttpResponseMessage>> fetch,
        Func<HttpResponseMessage, CancellationToken, Task<Stream>> open
    )
    {
        (_feed, _page, _response, _stream, _fetch, _open) = (feed, page, response, stream, fetch, open);
        _identity = IdentityOf(response);
        Mark = MarkOf(response);
    }

    /// <summary>How far the pages so far cover every change; null unless all of them say so.</summary>
    public FeedMark? Mark { get; private set; }

    /// <summary>The page of the bytes read last.</summary>
    public Uri Page => _page;

    /// <summary>The next page's address; null when the response is the last page, or no page at all.</summary>
    public static Uri? NextOf(HttpResponseMessage response, Uri page)
    {
        if (!response.Headers.TryGetValues("Link", out var links))
            return null;
        foreach (var link in links)
        {
            var end = link.IndexOf('>', StringComparison.Ordinal);
            if (!link.StartsWith('<') || end < 0)
                continue;
            var isNext = link[(end + 1)..]
                .Split(';', StringSplitOptions.TrimEntries)
                .Any(parameter =>
                    NameValueHeaderValue.TryParse(parameter, out var pair)
                    && pair.Name.Equals("rel", StringComparison.OrdinalIgnoreCase)
                    && pair.Value?.Trim('"').Split(' ').Contains("next", StringComparer.OrdinalIgnoreCase) == true
                );
            if (isNext && Uri.TryCreate(page, link[1..end], out var next))
                return WildcardHost.ToHostOf(next, page);
        }

        return null;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            var count = await _stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            if (count > 0 || buffer.Length == 0 || NextOf(_response, _page) is not { } next)
                return count;
            await TurnAsync(next, cancellationToken).ConfigureAwait(false);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            // The response goes first, as in FeedResponse.
            _response.Dispose();
            _stream.Dispose();
        }

        base.Dispose(disposing);
    }

    private async Task TurnAsync(Uri next, CancellationToken cancellationToken)
    {
        if (next == _page)
            throw new FeedCutException(_feed, "a page of its snapshot names itself as the next one.");
        if (next.Scheme is not ("http" or "https"))
            throw new FeedRedirectException(_feed, $"a page of its snapshot leads to the scheme '{next.Scheme}'.");
        if (_page.Scheme == "https" && next.Scheme != "https")
            throw new FeedRedirectException(_feed, "a page of its snapshot leads from https to another scheme.");
        var response = await _fetch(next, cancellationToken).ConfigureAwait(false);
        try
        {
            if (IdentityOf(response) != _identity)
                throw new FeedCutException(_feed, "a page of its snapshot is of another feed than the one before.");
            var stream = await _open(response, cancellationToken).ConfigureAwait(false);
            _response.Dispose();
            await _stream.DisposeAsync().ConfigureAwait(false);
            Mark = Mark is { } told && MarkOf(response) is { } mark ? FeedMark.Later(told, mark) : null;
            (_page, _response, _stream) = (next, response, stream);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    private static FeedMark? MarkOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues(WireNames.MarkHeader, out var values) ? FeedMark.Parse(values.FirstOrDefault()) : null;

    private static string? IdentityOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues(WireNames.FeedIdentityHeader, out var values) ? values.FirstOrDefault() : null;
}
