using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace Lockstep.Engine.Feed;

/// <summary>
/// A place in a snapshot of one body that its server gives from the middle too (RFC 9110, section 14): the feed is asked again where the
/// snapshot is, and that for the rest. Its address is not kept, since it may well be signed (I9).
/// </summary>
/// <param name="From">How many bytes there are before it.</param>
/// <param name="Tag">The body's strong entity tag: the rest of another body is of no use.</param>
internal sealed record SnapshotRange(long From, string Tag)
{
    private const string Unit = "bytes=";

    /// <summary>Reads what <see cref="ToString"/> wrote; null for anything else.</summary>
    public static SnapshotRange? Parse(string text)
    {
        if (!text.StartsWith(Unit, StringComparison.Ordinal) || text.Split(' ', 2) is not [var place, var tag])
            return null;
        return long.TryParse(place[Unit.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var from)
            ? new SnapshotRange(from, tag)
            : null;
    }

    /// <summary>The tag of a body that can be asked for from the middle; null where it cannot.</summary>
    public static string? TagOf(HttpResponseMessage response) =>
        response.Content.Headers.ContentEncoding.Count == 0
        && response.Headers.ETag is { IsWeak: false } tag
        && (response.StatusCode == HttpStatusCode.PartialContent || response.Headers.AcceptRanges.Contains("bytes"))
            ? tag.Tag
            : null;

    /// <summary>Asks for the rest, or for all of it where it is another body by now.</summary>
    public void AddTo(HttpRequestHeaders headers)
    {
        headers.TryAddWithoutValidation("Range", string.Create(CultureInfo.InvariantCulture, $"{Unit}{From}-"));
        RequestHeader.Add(headers, "If-Range", Tag);
        headers.Remove("Accept-Encoding");
    }

    /// <summary>Whether a response is the rest that was asked for.</summary>
    public bool IsAnsweredBy(HttpResponseMessage response) =>
        response.StatusCode == HttpStatusCode.PartialContent
        && response.Content.Headers.ContentRange is { Unit: "bytes", From: { } from }
        && from == From
        && TagOf(response) == Tag;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Unit}{From} {Tag}");
}
