using System.Globalization;
using System.Net;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Sync;

/// <summary>The error that a server sends as an item of its stream, since the status of the answer is long sent.</summary>
internal static class StreamError
{
    private static readonly Place[] Codes = [Place.Parse("code"), Place.Parse("/error/code")];
    private static readonly Place Named = Place.Parse("error");

    /// <summary>The error of an item with the code of an HTTP status, in it or where its record would be; null if it has none.</summary>
    public static FeedException? Find(DialectSession session, HttpResponseMessage response, DialectRules rules, JsonItem item)
    {
        var holder = item;
        if (rules.Record is { } place && item.Find(place) is { Kind: JsonKind.Object } record)
        {
            holder = new JsonItem();
            holder.Scan(record.Json);
        }

        foreach (var code in Codes)
        {
            if (
                holder.Find(code) is { Kind: JsonKind.Number } found
                && int.TryParse(found.Json.Span, NumberStyles.None, CultureInfo.InvariantCulture, out var status)
                && status is >= 400 and < 600
            )
            {
                return new FeedStatusException(
                    session.Client.Uri,
                    (HttpStatusCode)status,
                    $"{(HttpStatusCode)status} within its stream",
                    retryAfter: null,
                    ExcerptOf(session, response, holder)
                );
            }
        }

        return null;
    }

    /// <summary>The error that an item names without a code, as CouchDB does; null if it names none.</summary>
    public static FeedException? FindNamed(DialectSession session, HttpResponseMessage response, JsonItem item) =>
        item.Find(Named) is { Kind: JsonKind.String or JsonKind.Object }
            ? session.Requests.Refused($"it answers with an error: {ExcerptOf(session, response, item)?.TrimEnd('.')}")
            : null;

    private static string? ExcerptOf(DialectSession session, HttpResponseMessage response, JsonItem item)
    {
        using var body = ErrorBody.Of(item.Bytes);
        return session.Client.ExcerptOf(response, body);
    }
}
