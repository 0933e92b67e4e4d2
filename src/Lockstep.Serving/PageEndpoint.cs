using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Security.Cryptography;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Serving.Hosting;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving;

/// <summary>
/// The snapshot in pages. Without a horizon the answer is a redirect to the first page of a snapshot that all new clients share for a
/// while; each page names the next one in <c>Link: ...; rel="next"</c>, and the last one ends with the row snapshot_completed. A page may
/// come from a cache, however old: changes since its horizon are in the updates that follow.
/// </summary>
internal sealed class PageEndpoint(
    IFeedSource source,
    FeedServerOptions options,
    FeedAccess access,
    FeedClients clients,
    ContentCodings codings,
    TimeProvider time
)
{
    private readonly Lock _gate = new();
    private Generation? _shared;

    public async Task HandleAsync(HttpContext context, FeedFilter? filter, SendShare share, CancellationToken cancellationToken)
    {
        var query = context.Request.Query;
        if (!query.TryGetValue("horizon", out var horizonText) || !query.TryGetValue("feed", out var feed))
        {
            await RedirectAsync(context, filter, cancellationToken).ConfigureAwait(false);
            return;
        }

        if (!WholeNumber.TryParse(horizonText.ToString(), out var horizon))
            throw new FeedPositionException();
        var after = query.TryGetValue("after", out var position) ? position.ToString() : null;

        // One for the page, one for its copy on the way out.
        await share.TakeAsync(2 * PageSize.Bytes, cancellationToken).ConfigureAwait(false);
        var page = await source
            .ReadPageAsync(
                new SnapshotPageRequest(FeedName.ForSource(feed, filter?.Identity), horizon, after) { Filter = filter },
                cancellationToken
            )
            .ConfigureAwait(false);
        share.Cover(2 * page.Lines.Sum(piece => (long)piece.Length));
        await WriteAsync(context, page, filter, share, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Leads to the first page of the newest snapshot.</summary>
    /// <exception cref="NotSupportedException">The source has no pages.</exception>
    public async Task RedirectAsync(HttpContext context, FeedFilter? filter, CancellationToken cancellationToken)
    {
        var state = await source.GetStateAsync(cancellationToken).ConfigureAwait(false);
        if (!state.Pages)
            throw new NotSupportedException($"{source.Name} has no key to page by. Read it without /{FeedEndpoint.PagesSegment}.");
        Generation shared;
        lock (_gate)
        {
            var isOver = _shared is null || _shared.Identity != state.Identity || _shared.Horizon < state.Floor;
            if (isOver || time.GetElapsedTime(_shared!.Begun) > options.SnapshotAge)
                _shared = new Generation(state.Identity, state.Horizon, time.GetTimestamp());
            shared = _shared;
        }

        context.Response.StatusCode = StatusCodes.Status307TemporaryRedirect;
        context.Response.Headers.Location = Address(
            context.Request,
            FeedName.Join(shared.Identity, filter?.Identity),
            shared.Horizon,
            null
        );
        context.Response.Headers.CacheControl = Cacheable(TimeSpan.FromSeconds(Math.Min(5, options.SnapshotAge.TotalSeconds)));
        context.Response.ContentLength = 0;
    }

    private async Task WriteAsync(
        HttpContext context,
        SnapshotPage page,
        FeedFilter? filter,
        SendShare share,
        CancellationToken cancellationToken
    )
    {
        var identity = FeedName.Join(page.Identity, filter?.Identity);
        var (request, response) = (context.Request, context.Response);
        response.ContentType = FeedEndpoint.ContentType;
        response.Headers[WireNames.FeedIdentityHeader] = identity;
        response.Headers[WireNames.KeyHeader] = KeyAnnouncement.Format(page.KeyColumns);
        if (page.Mark is { } mark)
            response.Headers[WireNames.MarkHeader] = mark.ToString();
        response.Headers.CacheControl = Cacheable(options.PageAge);
        if (page.Next is { } next)
            response.Headers.Link = $"<{Address(request, identity, page.Horizon, next)}>; rel=\"next\"";

        using var coding = codings.Begin(context);

        // A weak tag: the last page's final row contains the time, and the page may be sent in several codings.
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var piece in page.Lines)
            hash.AppendData(piece.Span);
        var tag = $"W/\"{Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16))}\"";
        response.Headers.ETag = tag;
        if (request.Headers.IfNoneMatch.ToString().Split(',', StringSplitOptions.TrimEntries).Any(t => t == tag || t == "*"))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        if (HttpMethods.IsHead(request.Method))
            return;
        using var client = clients.Begin(request, 0);
        var output = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        var writer = new FeedLineWriter(output.Writer, filter, page.KeyColumns, time);
        foreach (var piece in page.Lines)
            await writer.WriteRowsAsync(new FeedChunk(FeedChunkKind.SnapshotRows, piece, 0), cancellationToken).ConfigureAwait(false);
        if (page.Next is null)
            writer.WriteCompleted(page.Horizon);
        await output.Writer.CompleteAsync().ConfigureAwait(false);
        var (body, length) = (output.Reader, writer.Bytes);
        if (coding is not null && length >= ContentCodings.LeastBytes)
        {
            coding.Announce(response);
            var packed = await CompressAsync(body, coding, cancellationToken).ConfigureAwait(false);
            (body, length) = (PipeReader.Create(new ReadOnlySequence<byte>(packed.GetBuffer(), 0, (int)packed.Length)), packed.Length);
        }

        response.ContentLength = length;
        await response.StartAsync(cancellationToken).ConfigureAwait(false);
        await SendAsync(body, response.BodyWriter, share, cancellationToken).ConfigureAwait(false);
        client.Sent(writer.Rows, writer.Bytes, null);
    }

    private static async Task<MemoryStream> CompressAsync(
        PipeReader plain,
        ContentCodings.Coding coding,
        CancellationToken cancellationToken
    )
    {
        var packed = new MemoryStream();
        var compressor = coding.Compress(packed);
        await using (compressor.ConfigureAwait(false))
            await plain.CopyToAsync(compressor, cancellationToken).ConfigureAwait(false);
        await plain.CompleteAsync().ConfigureAwait(false);
        return packed;
    }

    private static async Task SendAsync(PipeReader body, PipeWriter output, SendShare share, CancellationToken cancellationToken)
    {
        while (true)
        {
            var all = (await body.ReadAsync(cancellationToken).ConfigureAwait(false)).Buffer;
            if (all.IsEmpty)
                break;
            var slice = all.Slice(0, Math.Min(FeedLineWriter.SliceBytes, all.Length));
            foreach (var piece in slice)
                output.Write(piece.Span);
            body.AdvanceTo(slice.End);
            await FeedLineWriter.SendAsync(output, cancellationToken).ConfigureAwait(false);
            share.Progress();
        }

        await body.CompleteAsync().ConfigureAwait(false);
    }

    /// <summary>The address of a page of a snapshot that is sent as one body.</summary>
    public string AddressOf(HttpRequest request, SnapshotPageRequest page, FeedFilter? filter) =>
        Address(request, FeedName.Join(page.Identity!, filter?.Identity), page.Horizon!.Value, page.After);

    /// <summary>The page's stable address, as a reference relative to the server.</summary>
    private string Address(HttpRequest request, string identity, long horizon, string? after)
    {
        var query = new QueryBuilderText();
        query.Add("feed", identity);
        query.Add("horizon", horizon.ToString(CultureInfo.InvariantCulture));
        if (after is not null)
            query.Add("after", after);
        foreach (var name in (string[])["columns", "where"])
        {
            foreach (var value in request.Query[name])
                query.Add(name, value ?? "");
        }

        return $"/{Uri.EscapeDataString(source.Name)}/{FeedEndpoint.PagesSegment}?{query}";
    }

    /// <summary>Content that needs a credential may be kept only by the client's own cache.</summary>
    private string Cacheable(TimeSpan age) =>
        string.Create(CultureInfo.InvariantCulture, $"{(access.IsOpen ? "public" : "private")}, max-age={(long)age.TotalSeconds}");

    private sealed record Generation(string Identity, long Horizon, long Begun);

    private sealed class QueryBuilderText
    {
        private readonly System.Text.StringBuilder _text = new();

        public void Add(string name, string value)
        {
            if (_text.Length > 0)
                _text.Append('&');
            _text.Append(name).Append('=').Append(Uri.EscapeDataString(value));
        }

        public override string ToString() => _text.ToString();
    }
}
