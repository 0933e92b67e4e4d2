using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Lockstep.Engine.Dialects;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Foreign;

/// <summary>
/// Serves a list the way any list dialect describes it: items, links and tokens are where the dialect looks for them. Without a cursor it
/// serves the full set; with the largest value of a field, what was updated since; with a token or a link, what followed it.
/// </summary>
internal sealed class RestFeed(DialectFeedOptions options, TimeProvider time, Pulse delivered)
    : DialectFeed(FeedKind.Rest, "/items", options, time, delivered)
{
    private const string After = "after";
    private static readonly string[] Sizes = ["per_page", "limit", "_limit", "maxResults", "pageSize", "sysparm_limit"];

    private Place? Largest => Rules.Cursor.FirstOrDefault(place => place.IsMaximum);

    private bool HasToken => Rules.Cursor.Count > 0 && Largest is null;

    /// <summary>The items are the records, so that a fault finds the field in them.</summary>
    public override string? OrderField => Largest is { Segments: [var name] } ? name : null;

    public override bool HasChanges => HasToken && Description.Live?.IsWhole != true;

    public override bool HasCursor => HasToken || HasCursorParameter(Description.Changes) || HasCursorParameter(Description.Live);

    public override string? CursorOf(HttpRequest request) =>
        HasToken && request.Query[After].ToString() is { Length: > 0 } link
            ? link
            : Asked(request, Description.Changes) ?? Asked(request, Description.Live);

    private protected override async Task AnswerAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        var asked = CursorOf(context.Request);
        var position = new Position(0, Log.Count);
        if (HasToken && (PageToken(context) ?? asked) is { } token && !Position.TryParse(token, Log.Count, out position))
        {
            await ExpireAsync(context, log, ExpiryForm.Auto, cancellationToken).ConfigureAwait(false);
            return;
        }

        if (asked is not null && Description.Live is { } live && Asked(context.Request, live) is not null)
            await WaitAsync(log, position.At, Options.LongestWait, cancellationToken).ConfigureAwait(false);
        if (IsUnchanged(context))
            return;
        var isWhole = !HasToken || Description.Live?.IsWhole == true;
        var first = Replay(context, position.At);
        var list = isWhole ? Set(asked) : [.. Log.Read(first, int.MaxValue, change => Takes(change, position.Start))];
        var (page, next) = Cut(context, list, isWhole ? 0 : position.At - first);
        var end = next is null ? Log.Count : page[^1].Sequence;
        var document = Document(context, next, isWhole ? new Position(end, end) : position with { At = end });
        await SendPageAsync(context, log, Split(document, page), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The existing records, ordered by their update time if they have one.</summary>
    private List<Change> Set(string? since)
    {
        var set = Log.Read(0, int.MaxValue, change => change.Next is null && !change.IsRemoval);
        if (Largest is not { } place)
            return [.. set];
        var least = since is null ? null : Value(JsonValue.Create(since));
        return
        [
            .. set.Select(change => (Change: change, Value: Value(At(change.ToObject(), place))))
                .Where(pair => least is null || pair.Value is null || pair.Value >= least)
                .OrderBy(pair => pair.Value ?? 0)
                .ThenBy(pair => pair.Change.Sequence)
                .Select(pair => pair.Change),
        ];
    }

    private static bool Takes(Change change, int start) => change.Next is null && (!change.IsRemoval || change.Sequence > start);

    /// <summary>A page of a list, and the token for the next one; null if there is none.</summary>
    private (List<Change> Page, string? Next) Cut(HttpContext context, List<Change> list, int extra)
    {
        var size = PageSize(Sizes.Select(name => Query(context, name)).FirstOrDefault(text => text is not null)) + extra;
        var counted = Rules.NextParameters.FirstOrDefault(pair => pair.Place.Kind == PlaceKind.Count);
        int first;
        if (counted.Place is { } place)
        {
            first = Number(Query(context, counted.Name)) is { } number ? (place.Name == "page" ? (number - 1) * size : number) : 0;
        }
        else if (Number(Query(context, "page")) is { } page)
        {
            first = (page - 1) * size;
        }
        else if (!HasToken && PageToken(context) is { } token && Number(token) is { } sequence)
        {
            // Continue after the record that ended the previous page, wherever it is by now.
            first = list.FindIndex(change => change.Sequence == sequence) is >= 0 and var at
                ? at + 1
                : list.FindIndex(change => change.Sequence > sequence);
        }
        else
        {
            first = 0;
        }

        if (first < 0)
            first = list.Count;
        var found = list.Skip(first).Take(size).ToList();
        return (
            found,
            first + found.Count < list.Count && found.Count > 0 ? found[^1].Sequence.ToString(CultureInfo.InvariantCulture) : null
        );
    }

    /// <summary>The document around the items, with a placeholder for them.</summary>
    private JsonNode Document(HttpContext context, string? next, Position position)
    {
        var document = new JsonObject();
        var cursor = Rules.Cursor is [var named, ..] ? named : null;
        var hasLink = HasToken && !Description.CursorIsParameter;
        var link = LinkTo(context, HasToken ? position.ToString() : next ?? "");
        if (next is not null)
        {
            if (Rules.NextUrl.Count > 0)
                Put(context, document, Rules.NextUrl[0], link);
            foreach ((var _, var place) in Rules.NextParameters.Where(pair => pair.Place.Kind != PlaceKind.Count && !pair.Place.IsOfItems))
                Put(context, document, place, HasToken ? position.ToString() : next);
        }
        if (HasToken && (next is null || cursor == (Rules.NextUrl is [var address, ..] ? address : null)))
            Put(context, document, cursor!, hasLink ? link : (next is null ? new Position(position.At, position.At) : position).ToString());
        Mark("UpToDate", document, next is null);
        if (document.Count == 0 && Rules.Items is null or { Segments.Count: 0 })
            return JsonValue.Create(Hole)!;
        Put(context, document, Rules.Items ?? Place.Parse("items"), Hole);
        return document;
    }

    /// <summary>Sets the field by which a dialect signals something, such as <c>isLastBatch</c> or <c>status</c>.</summary>
    private void Mark(string key, JsonObject target, bool holds)
    {
        var condition = JsonNode.Parse(Description.Json)![key];
        if (condition is JsonArray any)
            condition = any[0];
        if (condition is JsonValue name && name.TryGetValue(out string? place))
        {
            Set(target, Place.Parse(place), holds);
        }
        else if (condition is JsonObject pairs && holds)
        {
            foreach ((var at, var value) in pairs)
                Set(target, Place.Parse(at), (value is JsonArray values ? values[0] : value)?.DeepClone());
        }
    }

    private static void Set(JsonObject target, Place place, JsonNode? value)
    {
        if (place.Kind is not (PlaceKind.Field or PlaceKind.Pointer) || place.Segments.Count == 0)
            return;
        foreach (var segment in place.Segments.SkipLast(1))
        {
            if (target[segment] is not JsonObject inner)
                target[segment] = inner = [];
            target = inner;
        }
        target[place.Segments[^1]] = value;
    }

    private static void Put(HttpContext context, JsonObject document, Place place, string value)
    {
        switch (place.Kind)
        {
            case PlaceKind.Header:
                context.Response.Headers[place.Name] = value;
                break;
            case PlaceKind.Link:
                context.Response.Headers.Link = $"<{value}>; rel=\"{place.Name}\"";
                break;
            default:
                Set(document, place, value);
                break;
        }
    }

    /// <summary>The request's own URI with the next page's position.</summary>
    private string LinkTo(HttpContext context, string token)
    {
        var query = new StringBuilder();
        var page = Number(Query(context, "page"));
        foreach ((var name, var values) in context.Request.Query)
        {
            if (name is not (After or "page"))
                query.Append(CultureInfo.InvariantCulture, $"{Uri.EscapeDataString(name)}={Uri.EscapeDataString(values.ToString())}&");
        }
        query.Append(
            page is { } number ? $"page={(number + 1).ToString(CultureInfo.InvariantCulture)}" : $"{After}={Uri.EscapeDataString(token)}"
        );
        return $"{Root(context)}{Path.Split('?')[0]}?{query}";
    }

    private string? PageToken(HttpContext context) =>
        Query(context, After)
        ?? Rules
            .NextParameters.Where(pair => pair.Place.Kind != PlaceKind.Count)
            .Select(pair => Query(context, pair.Name))
            .FirstOrDefault(text => !string.IsNullOrEmpty(text));

    /// <summary>The cursor in a request, in the dialect's own terms.</summary>
    private static string? Asked(HttpRequest request, DialectRules? rules) =>
        rules
            ?.Query.Where(parameter => parameter.Value.HasCursor && request.Query.ContainsKey(parameter.Name))
            .Select(parameter => parameter.Value.Find("cursor", request.Query[parameter.Name].ToString()))
            .FirstOrDefault(cursor => cursor is not null);

    private static bool HasCursorParameter(DialectRules? rules) => rules?.Query.Any(parameter => parameter.Value.HasCursor) == true;

    /// <summary>Whether the client already has this answer; then it gets a 304.</summary>
    private bool IsUnchanged(HttpContext context)
    {
        if (HasToken)
            return false;
        var tag = $"\"{Log.Count.ToString(CultureInfo.InvariantCulture)}\"";
        context.Response.Headers.ETag = tag;
        if (context.Request.Headers.IfNoneMatch.ToString() != tag)
            return false;
        context.Response.StatusCode = StatusCodes.Status304NotModified;
        return true;
    }

    private static JsonPage Split(JsonNode document, List<Change> page)
    {
        var parts = JsonBody.Text(JsonBody.Write(document)).Split($"\"{Hole}\"");
        return new JsonPage(parts[0] + "[", [.. page.Select(change => change.IsRemoval ? change.Given : change.Json)], "]" + parts[1]);
    }

    private const string Hole = "the items go here";

    /// <summary>A time or a number from the field or the request, for comparison.</summary>
    private decimal? Value(JsonNode? value)
    {
        var text = JsonBody.Text(value);
        if (text is null)
            return null;
        if (decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
            return Rules.CursorType == CursorType.Milliseconds ? number / 1000 : number;
        return TimeText.Parse(text, Rules.Zone) is { } time ? (decimal)time.UtcTicks / TimeSpan.TicksPerSecond : null;
    }

    private protected override void Complete(JsonObject record, int sequence, bool isRemoval, Func<string, Change?> find)
    {
        if (isRemoval && HasToken)
            Mark("Deleted", record, holds: true);
        // A dialect that asks for what was updated since a time needs a server that sets the update time.
        if (Largest is { } place && At(record, place) is null)
        {
            Set(
                record,
                place,
                Rules.CursorType switch
                {
                    CursorType.Number => JsonValue.Create(sequence),
                    CursorType.Seconds => JsonValue.Create(Time.GetUtcNow().ToUnixTimeSeconds()),
                    CursorType.Milliseconds => JsonValue.Create(Time.GetUtcNow().ToUnixTimeMilliseconds()),
                    _ => JsonValue.Create(TimeText.Write(Time.GetUtcNow(), null, TimeZoneInfo.Utc)),
                }
            );
        }
    }

    private static int? Number(string? text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    /// <summary>What a token contains.</summary>
    /// <param name="At">The sequence read so far.</param>
    /// <param name="Start">Records removed by this sequence are left out.</param>
    private readonly record struct Position(int At, int Start)
    {
        public static bool TryParse(string token, int there, out Position position)
        {
            position = default;
            if (token.Split('-') is not ["t", var at, var start] || Number(at) is not { } sequence || Number(start) is not { } begin)
                return false;
            position = new Position(sequence, begin);
            return sequence <= there;
        }

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"t-{At}-{Start}");
    }
}
