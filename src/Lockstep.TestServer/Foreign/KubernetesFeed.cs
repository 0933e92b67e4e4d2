using System.Globalization;
using System.Text.Json.Nodes;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Foreign;

/// <summary>
/// A Kubernetes collection: lists in pages that all show one version, and watches with bookmarks. A record without metadata gets it from
/// its name or id.
/// </summary>
internal sealed class KubernetesFeed(DialectFeedOptions options, TimeProvider time, Pulse delivered)
    : DialectFeed(FeedKind.Kubernetes, "/api/v1/pods", options, time, delivered)
{
    private static readonly TimeSpan LongestWatch = TimeSpan.FromMinutes(45);

    private string[] Segments => Path.Trim('/').Split('/');

    private string ApiVersion =>
        Segments[0] == "apis" && Segments.Length > 2 ? $"{Segments[1]}/{Segments[2]}" : Segments.ElementAtOrDefault(1) ?? "v1";

    private string Kind
    {
        get
        {
            var plural = Segments[^1];
            var single =
                plural.EndsWith("ies", StringComparison.Ordinal) ? plural[..^3] + "y"
                : plural.EndsWith("sses", StringComparison.Ordinal) ? plural[..^2]
                : plural.TrimEnd('s');
            return single.Length == 0 ? "Object" : char.ToUpperInvariant(single[0]) + single[1..];
        }
    }

    public override string? CursorOf(HttpRequest request) =>
        request.Query["continue"].ToString() is { Length: > 0 } token ? token
        : request.Query["resourceVersion"].ToString() is { Length: > 0 } version and not "0" ? version
        : null;

    public override Task ExpireAsync(HttpContext context, TestRequest log, ExpiryForm form, CancellationToken cancellationToken)
    {
        var version = CursorOf(context.Request);
        var status = Status(410, "Expired", $"too old resource version: {version} ({Log.Count})");
        if (form == ExpiryForm.InStream || (form == ExpiryForm.Auto && IsWatch(context)))
        {
            context.Response.ContentType = "application/json";
            return SendAsync(context, log, 200, $$"""{"type":"ERROR","object":{{status}}}""" + "\n", cancellationToken);
        }
        // The rest of a list can still be read, but not at the version with which it started.
        if (Query(context, "continue") is { } token && TryParse(token, out _, out var at))
            status["metadata"] = new JsonObject { ["continue"] = Token(Log.Count, at) };
        return SendAsync(context, log, 410, status.ToJsonString(), cancellationToken);
    }

    private protected override Task AnswerAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        // Refuse rather than return wrong data.
        if (Query(context, "labelSelector") is { Length: > 0 } || Query(context, "fieldSelector") is { Length: > 0 })
            return RefuseAsync(context, log, 400, "BadRequest", "this test server has no selectors", cancellationToken);
        if (IsWatch(context))
            return WatchAsync(context, log, cancellationToken);
        return ListAsync(context, log, cancellationToken);
    }

    private Task ListAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        var (version, at) = (Log.Count, 0);
        if (Query(context, "continue") is { Length: > 0 } token && !TryParse(token, out version, out at))
            return RefuseAsync(context, log, 400, "BadRequest", "continue key is not valid", cancellationToken);
        if (Query(context, "resourceVersion") is { Length: > 0 } wanted && TryVersion(wanted, out var asked) && asked > Log.Count)
        {
            context.Response.Headers.RetryAfter = "1";
            return RefuseAsync(
                context,
                log,
                504,
                "Timeout",
                $"Too large resource version: {asked}, current: {Log.Count}",
                cancellationToken
            );
        }
        var size = Query(context, "limit") is { Length: > 0 } limit && limit != "0" ? PageSize(limit) : int.MaxValue;
        var found = Log.Read(at, int.MaxValue, change => !change.IsRemoval && change.IsNewestAt(version));
        var page = found.Take(size).ToList();
        var metadata = new JsonObject { ["resourceVersion"] = Text(version) };
        if (page.Count < found.Count)
        {
            metadata["continue"] = Token(version, page[^1].Sequence);
            metadata["remainingItemCount"] = found.Count - page.Count;
        }
        return SendPageAsync(
            context,
            log,
            new JsonPage(
                $$"""{"kind":"{{Kind}}List","apiVersion":"{{ApiVersion}}","metadata":{{metadata.ToJsonString()}},"items":[""",
                [.. page.Select(ListItem)],
                "]}\n"
            ),
            cancellationToken
        );
    }

    /// <summary>The items of a typed list do not name their kind.</summary>
    private static ReadOnlyMemory<byte> ListItem(Change change)
    {
        var item = change.ToObject();
        item.Remove("kind");
        item.Remove("apiVersion");
        return JsonBody.Write(item);
    }

    private Task WatchAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        var text = Query(context, "resourceVersion");
        var version = 0;
        if (text is { Length: > 0 } && !TryVersion(text, out version))
        {
            var reason = $"Invalid value: {JsonBody.Quote(text)}: strconv.ParseUint: invalid syntax";
            return RefuseAsync(context, log, 500, "InternalError", "resourceVersion: " + reason, cancellationToken);
        }
        var there = Log.Count;
        // Without a version it starts with the existing objects, as if they had just been added. For a version in the future it stays
        // silent.
        var greeting =
            version > 0
                ? ""
                : string.Concat(
                    Log.Read(0, int.MaxValue, change => !change.IsRemoval && change.IsNewestAt(there))
                        .Select(change => Line("ADDED", change.ToObject()))
                );
        var bookmarks = Query(context, "allowWatchBookmarks") is "true" or "1";
        var stream = new ChangeStream
        {
            ContentType = "application/json",
            After = version > 0 ? Replay(context, version) : there,
            Greeting = greeting,
            Frame = change => JsonBody.Bytes(Event(change)),
            Heartbeat = at => bookmarks && version <= Log.Count ? Bookmark(at) : "",
            Farewell = at => bookmarks && version <= Log.Count ? Bookmark(at) : "",
            Interval = Options.HeartbeatInterval,
            Lasts =
                int.TryParse(Query(context, "timeoutSeconds"), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
                && seconds > 0
                    ? TimeSpan.FromSeconds(seconds)
                    : LongestWatch,
        };
        return FollowAsync(context, log, stream, cancellationToken);
    }

    private static string Event(Change change)
    {
        var item = change.ToObject();
        // A deletion carries its own version and the object's last state.
        if (item["metadata"] is JsonObject metadata)
            metadata["resourceVersion"] = Text(change.Sequence);
        return Line(
            change.IsRemoval ? "DELETED"
                : change.IsCreation ? "ADDED"
                : "MODIFIED",
            item
        );
    }

    private string Bookmark(int sequence) =>
        Line(
            "BOOKMARK",
            new JsonObject
            {
                ["kind"] = Kind,
                ["apiVersion"] = ApiVersion,
                ["metadata"] = new JsonObject { ["resourceVersion"] = Text(sequence), ["creationTimestamp"] = null },
            }
        );

    private static string Line(string type, JsonObject item) =>
        $$"""{"type":"{{type}}","object":{{JsonBody.Text(JsonBody.Write(item))}}}""" + "\n";

    private static bool IsWatch(HttpContext context) => Query(context, "watch") is "true" or "1" or "True";

    private protected override void Complete(JsonObject record, int sequence, bool isRemoval, Func<string, Change?> find)
    {
        // A test may supply a watch event; its object is the record.
        if (record["object"] is JsonObject inner && record["type"] is JsonValue)
        {
            record.Clear();
            JsonBody.LayOver(record, inner);
        }
        if (record["metadata"] is not JsonObject metadata)
            record["metadata"] = metadata = [];
        if (!metadata.ContainsKey("name") && JsonBody.Text(record["name"] ?? record["id"] ?? metadata["uid"]) is { } name)
            metadata["name"] = name;
        if (!metadata.ContainsKey("name"))
            throw new InvalidRecordException("An object of Kubernetes needs its name: {\"metadata\":{\"name\":\"web-1\"}}.");
        // An object that is deleted and created again gets another uid.
        if (!metadata.ContainsKey("uid"))
            metadata["uid"] = Uid(metadata, find);
        metadata["resourceVersion"] = Text(sequence);
        record["kind"] ??= Kind;
        record["apiVersion"] ??= ApiVersion;
    }

    private static string Uid(JsonObject metadata, Func<string, Change?> find)
    {
        var name = (JsonBody.Text(metadata["namespace"]) is { } space ? space + "." : "") + JsonBody.Text(metadata["name"]);
        for (var life = 1; ; life++)
        {
            var uid = string.Create(CultureInfo.InvariantCulture, $"{name}-{life}");
            if (find(uid) is not { IsRemoval: true })
                return uid;
        }
    }

    private static JsonObject Status(int code, string reason, string message) =>
        new()
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Failure",
            ["message"] = message,
            ["reason"] = reason,
            ["code"] = code,
        };

    private protected override string RefusalOf(int status, string code, string reason) => Status(status, code, reason).ToJsonString();

    private static string Text(int sequence) => sequence.ToString(CultureInfo.InvariantCulture);

    private static bool TryVersion(string text, out int version) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out version);

    private static string Token(int version, int at) =>
        Convert.ToBase64String(JsonBody.Bytes(string.Create(CultureInfo.InvariantCulture, $"{version}.{at}")).Span);

    private bool TryParse(string token, out int version, out int at)
    {
        (version, at) = (0, 0);
        Span<byte> bytes = stackalloc byte[64];
        return Convert.TryFromBase64String(token, bytes, out var length)
            && System.Text.Encoding.UTF8.GetString(bytes[..length]).Split('.') is [var first, var second]
            && TryVersion(first, out version)
            && TryVersion(second, out at)
            && version <= Log.Count;
    }
}
