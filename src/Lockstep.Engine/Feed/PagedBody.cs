using System.Net.Http.Headers;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Feed;

/// <summary>
/// A snapshot in pages, each of which names the next one in <c>Link: ...; rel="next"</c> (RFC 8288), as one body: it ends where the last
/// page ends, and a page that is missing, cut or from another feed cuts it off, so that half a snapshot never passes for a whole one (I6).
/// Likewise the live updates in pages, as one body without end. One reader.
/// </summary>
internal sealed class PagedBody : ReadOnlyStream
{
    /// <summary>Live pages are requested no more often than this, unless they are large.</summary>
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(100);

    /// <summary>So many bytes in a page are worth a request at once.</summary>
    private const int LargePage = 64 * 1024;

    private readonly FeedUri _feed;
    private readonly TimeProvider? _live;
    private readonly CancellationTokenSource _closing = new();
    private readonly string? _identity;
    private readonly Func<Uri, CancellationToken, Task<HttpResponseMessage>> _fetch;
    private readonly Func<HttpResponseMessage, CancellationToken, Task<Stream>> _open;
    private Uri _page;
    private HttpResponseMessage _response;
    private Stream _stream;
    private long _requested;
    private long _received;

    /// <param name="feed">The feed, for errors.</param>
    /// <param name="page">The first page's address.</param>
    /// <param name="response">Its response; taken over.</param>
    /// <param name="stream">Its decoded content; taken over.</param>
    /// <param name="fetch">Fetches a further page; throws if it is not available.</param>
    /// <param name="open">Gives a response's decoded content.</param>
    /// <param name="live">
    /// For live updates: the clock by which further pages are requested, of the same server; null for a snapshot.
    /// </param>
    public PagedBody(
        FeedUri feed,
        Uri page,
        HttpResponseMessage response,
        Stream stream,
        Func<Uri, CancellationToken, Task<HttpResponseMessage>> fetch,
        Func<HttpResponseMessage, CancellationToken, Task<Stream>> open,
        TimeProvider? live = null
    )
    {
        (_feed, _page, _response, _stream, _fetch, _open) = (feed, page, response, stream, fetch, open);
        _identity = IdentityOf(response);
        Mark = MarkOf(response);
        _live = live;
        _requested = live?.GetTimestamp() ?? 0;
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
            _received += count;
            if (count > 0 || buffer.Length == 0 || NextOf(_response, _page) is not { } next)
                return count;
            await TurnAsync(next, cancellationToken).ConfigureAwait(false);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            // A page that is still awaited comes in vain.
            _closing.Cancel();

            // The response goes first, as in FeedResponse.
            _response.Dispose();
            _stream.Dispose();
        }

        base.Dispose(disposing);
    }

    private async Task TurnAsync(Uri next, CancellationToken cancellationToken)
    {
        if (next == _page)
            throw new FeedCutException(_feed, $"a page of its {What} names itself as the next one.");
        if (_live is null)
        {
            await FetchAsync(next, cancellationToken).ConfigureAwait(false);
            return;
        }

        if (Uri.Compare(next, _page, UriComponents.SchemeAndServer, UriFormat.UriEscaped, StringComparison.OrdinalIgnoreCase) != 0)
            throw new FeedRedirectException(_feed, "a page of its updates leads to another server.");
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _closing.Token);
        if (_received < LargePage && ShortestWait - _live.GetElapsedTime(_requested) is var wait && wait > TimeSpan.Zero)
            await Task.Delay(wait, _live, either.Token).ConfigureAwait(false);
        (_requested, _received) = (_live.GetTimestamp(), 0);
        await FetchAsync(next, either.Token).ConfigureAwait(false);
    }

    private string What => _live is null ? "snapshot" : "updates";

    private async Task FetchAsync(Uri next, CancellationToken cancellationToken)
    {
        if (next.Scheme is not ("http" or "https"))
            throw new FeedRedirectException(_feed, $"a page of its snapshot leads to the scheme '{next.Scheme}'.");
        if (_page.Scheme == "https" && next.Scheme != "https")
            throw new FeedRedirectException(_feed, "a page of its snapshot leads from https to another scheme.");
        var response = await _fetch(next, cancellationToken).ConfigureAwait(false);
        try
        {
            if (IdentityOf(response) != _identity)
                throw new FeedCutException(_feed, $"a page of its {What} is of another feed than the one before.");
            cancellationToken.ThrowIfCancellationRequested();
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
