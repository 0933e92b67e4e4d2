using System.Buffers;
using System.Globalization;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Serving.Hosting;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving;

/// <summary>
/// <c>GET /name/updates</c>: the pages of <see cref="SharedUpdates"/>. The answer comes when the page has ended, names the next one in
/// <c>Link: ...; rel="next"</c>, and is the same for everyone.
/// </summary>
internal sealed class UpdatesEndpoint(IFeedSource source, SharedUpdates shared, FeedAccess access, FeedClients clients)
{
    public const string Segment = "updates";

    /// <summary>The query's options.</summary>
    public const string Sequence = "sequence";

    /// <inheritdoc cref="Sequence"/>
    public const string Number = "page";

    /// <summary>For how long a cache may keep a page, for clients that are behind.</summary>
    private static readonly TimeSpan Age = TimeSpan.FromSeconds(60);

    /// <summary>Says in an answer's head where the client continues after it.</summary>
    public void Announce(HttpResponse response, SharedPlace place)
    {
        response.Headers[WireNames.FollowHeader] = WireNames.FollowByPages;
        response.Headers.Link = LinkTo(place.Sequence, place.Number);
    }

    public async Task HandleAsync(HttpContext context, SendShare share, CancellationToken cancellationToken)
    {
        var (request, response) = (context.Request, context.Response);
        var sequence = request.Query[Sequence].ToString();
        if (!WholeNumber.TryParse(request.Query[Number].ToString(), out var number))
            throw new FeedPositionException();
        using var client = clients.Begin(request, 0);
        if (await shared.ReadAsync(sequence, number, cancellationToken).ConfigureAwait(false) is not { } page)
        {
            await Answer
                .WriteAsync(context, StatusCodes.Status404NotFound, "no_page", "There is no such page of updates any more.")
                .ConfigureAwait(false);
            return;
        }

        response.ContentType = FeedEndpoint.ContentType;
        response.ContentLength = page.Body.Length;
        response.Headers[WireNames.FeedIdentityHeader] = page.Identity;
        response.Headers[WireNames.KeyHeader] = KeyAnnouncement.Format(page.KeyColumns);
        response.Headers.CacheControl = string.Create(
            CultureInfo.InvariantCulture,
            $"{(access.IsOpen ? "public" : "private")}, max-age={(long)Age.TotalSeconds}"
        );
        Announce(response, new SharedPlace(page.Identity, page.KeyColumns, sequence, number + 1));
        if (HttpMethods.IsHead(request.Method))
            return;

        // The page is in memory for all; this client's own is a slice of it on the way out.
        await share.TakeAsync(FeedLineWriter.SliceBytes, cancellationToken).ConfigureAwait(false);
        await response.StartAsync(cancellationToken).ConfigureAwait(false);
        for (var rest = page.Body; !rest.IsEmpty; )
        {
            var slice = rest[..Math.Min(FeedLineWriter.SliceBytes, rest.Length)];
            response.BodyWriter.Write(slice.Span);
            await FeedLineWriter.SendAsync(response.BodyWriter, cancellationToken).ConfigureAwait(false);
            share.Progress();
            rest = rest[slice.Length..];
        }

        client.Sent(page.Rows, page.Body.Length, null);
    }

    private string LinkTo(string sequence, long number) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"</{Uri.EscapeDataString(source.Name)}/{Segment}?{Sequence}={sequence}&{Number}={number}>; rel=\"next\""
        );
}
