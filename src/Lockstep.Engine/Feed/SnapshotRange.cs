using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace Lockstep.Engine.Feed;

/// <summary>
/// A position in a single-body snapshot whose server serves ranges (RFC 9110, section 14): the feed is asked again where the snapshot is,
/// and the snapshot for the rest. Its address is not kept, since it may be signed (I9).
/// </summary>
/// <param name="From">How many bytes precede it.</param>
/// <param name="Tag">The body's strong entity tag: the rest of another body is useless.</param>
internal sealed record SnapshotRange(long From, string Tag)
{
    private const string Unit = "bytes=";

    /// <summary>Parses what <see cref="ToString"/> wrote; null for anything else.</summary>
    public static SnapshotRange? Parse(string text)
    {
        if (!text.StartsWith(Unit, StringComparison.Ordinal) || text.Split(' ', 2) is not [var place, var tag])
            return null;
        return long.TryParse(place[Unit.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var from)
            ? new SnapshotRange(from, tag)
            : null;
    }

    /// <summary>The body's tag if ranges of it can be requested; otherwise null.</summary>
    public static string? TagOf(HttpResponseMessage response) =>
        response.Content.Headers.ContentEncoding.Count == 0
        && response.Headers.ETag is { IsWeak: false } tag
        && (response.StatusCode == HttpStatusCode.PartialContent || response.Headers.AcceptRanges.Contains("bytes"))
            ? tag.Tag
            : null;

    /// <summary>Requests the rest, or the whole body if it has changed since.</summary>
    public void AddTo(HttpRequestHeaders headers)
    {
        headers.TryAddWithoutValidation("Range", string.Create(CultureInfo.InvariantCulture, $"{Unit}{From}-"));
        RequestHeader.Add(headers, "If-Range", Tag);
        headers.Remove("Accept-Encoding");
    }

    /// <summary>Whether a response is the rest that was requested.</summary>
    public bool IsAnsweredBy(HttpResponseMessage response) =>
        response.StatusCode == HttpStatusCode.PartialContent
        && response.Content.Headers.ContentRange is { Unit: "bytes", From: { } from }
        && from == From
        && TagOf(response) == Tag;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Unit}{From} {Tag}");
}
