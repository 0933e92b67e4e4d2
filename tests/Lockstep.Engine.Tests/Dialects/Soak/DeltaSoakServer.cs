using System.Globalization;

namespace Lockstep.Engine.Tests.Dialects.Soak;

/// <summary>
/// Delta queries: pages with tokens for the next page, then a token for what comes later. As in Graph, with partial updates and links, or
/// as in calendars, with whole records and parameters.
/// </summary>
internal class DeltaSoakServer(int seed, bool isGraph) : SoakServer(seed)
{
    private readonly Dictionary<string, Position> _tokens = [];
    private int _lastToken;

    /// <summary>The position in a round.</summary>
    /// <param name="From">What the client has; null in a first round.</param>
    /// <param name="UpTo">What it has when the round is over.</param>
    /// <param name="Keys">The keys that are still to come; null in a first round, which uses <paramref name="After"/>.</param>
    private sealed record Position(long? From, long UpTo, IReadOnlyList<string>? Keys, string After)
    {
        public bool IsPage { get; init; }
    }

    public override string Path => isGraph ? "v1.0/users/delta?$select=n" : "calendar/events?q=1";

    public override string Dialect =>
        isGraph
            ? "ODataDelta"
            : """
                { "From": "Rest", "Items": "items", "Deleted": { "status": "cancelled" }, "Next": { "pageToken": "nextPageToken" },
                  "Cursor": "nextSyncToken", "Changes": { "Query": { "syncToken": "{cursor}" } }, "Resync": 410 }
                """;

    protected override SoakAnswer Answer(SoakRequest request)
    {
        var token = isGraph ? request["$skiptoken"] ?? request["$deltatoken"] : request["pageToken"] ?? request["syncToken"];
        if (string.IsNullOrEmpty(token))
            return Page(new Position(null, Source.Version, null, ""));
        if (Chance(10) || !_tokens.TryGetValue(token, out var position))
        {
            _tokens.Remove(token);
            return Expired(request["$skiptoken"] is not null);
        }

        return Page(position);
    }

    private SoakAnswer Expired(bool isPage)
    {
        if (!isGraph)
            return new SoakAnswer("", "", "410 Gone");
        var code = isPage && Random.Next(2) == 0 ? "Directory_ExpiredPageToken" : "syncStateNotFound";
        return Random.Next(3) switch
        {
            0 => new SoakAnswer("", "Location: /v1.0/users/delta?$deltatoken=\r\n", "410 Gone"),
            1 => new SoakAnswer("", "", "410 Gone"),
            _ => new SoakAnswer($$$"""{"error":{"code":"{{{code}}}"}}""", "Content-Type: application/json\r\n", "400 Bad Request"),
        };
    }

    private SoakAnswer Page(Position at)
    {
        if (at.From is not null && at.Keys is null)
            at = at with { UpTo = Source.Version };
        var keys =
            at.Keys ?? (at.From is { } from ? Changed(from) : [.. Source.Live.Keys.Where(key => string.CompareOrdinal(key, at.After) > 0)]);
        // Empty pages link to the next one too.
        var size = Chance(6) ? 0 : Random.Next(1, 9);
        var now = keys.Take(size).ToList();
        var items = Items(now, at.From);
        if (isGraph && at.From is null && Chance(3))
            items.Insert(0, """{"id":"nobody","@removed":{"reason":"deleted"}}""");
        var rest = keys.Skip(size).ToList();
        var isLast = rest.Count == 0;
        var token = (++_lastToken).ToString(CultureInfo.InvariantCulture);
        _tokens[token] = isLast
            ? new Position(at.UpTo, 0, null, "")
            : new Position(at.From, at.UpTo, at.From is null ? null : rest, now.Count > 0 ? now[^1] : at.After) { IsPage = true };
        return Render(items, token, isLast);
    }

    private SoakAnswer Render(List<string> items, string token, bool isLast)
    {
        string list,
            more;
        if (isGraph)
        {
            var name = isLast ? "deltaLink" : "nextLink";
            list = $"\"value\":[{List(items)}]";
            more = $"\"@odata.{name}\":\"{Root}v1.0/users/delta?{(isLast ? "$deltatoken" : "$skiptoken")}={token}\"";
        }
        else
        {
            list = $"\"items\":[{List(items)}]";
            more = $"\"{(isLast ? "nextSyncToken" : "nextPageToken")}\":\"{token}\"";
        }

        var body = Random.Next(2) == 0 ? $"{{{list},{more}}}" : $"{{{more},{list}}}";
        return new SoakAnswer(body, "Content-Type: application/json\r\n");
    }

    /// <summary>The keys of what changed after a version, in any order.</summary>
    protected virtual IReadOnlyList<string> Changed(long from) =>
        Shuffled(Source.Log.Where(change => change.Version > from).Select(change => change.Key).Distinct());

    /// <summary>The items of a page.</summary>
    protected virtual List<string> Items(IReadOnlyList<string> keys, long? from) => [.. keys.SelectMany(key => Items(key, from))];

    private IEnumerable<string> Items(string key, long? from)
    {
        var died = Source.Died.GetValueOrDefault(key);
        if (!Source.Live.TryGetValue(key, out var record))
        {
            yield return Gone(key);
            yield break;
        }

        if (!isGraph || from is not { } since)
        {
            yield return SoakSource.Json(key, record);
            yield break;
        }

        if (record.Born > since)
        {
            if (died > since)
                yield return Gone(key);
            yield return SoakSource.Json(key, record);
            yield break;
        }

        yield return $"{{\"id\":\"{key}\"{record.Since(since)}}}";
        if (Chance(5))
            yield return $"{{\"id\":\"{key}\"{record.Since(since)}}}";
    }

    protected string Gone(string key) =>
        !isGraph
            ? $$"""{"id":"{{key}}","status":"cancelled"}"""
            : Random.Next(3) switch
            {
                0 => $$$"""{"id":"{{{key}}}","@removed":{"reason":"changed"}}""",
                1 => $$"""{"@odata.context":"x/$metadata#users/$deletedEntity","id":"{{key}}","reason":"deleted"}""",
                _ => $$$"""{"id":"{{{key}}}","deleted":{}}""",
            };
}
