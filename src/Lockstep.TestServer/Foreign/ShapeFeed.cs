using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lockstep.Engine.Dialects;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Foreign;

/// <summary>
/// An Electric shape: a log of inserts, updates and deletes with values as PostgreSQL writes them, requested by offset and handle, then
/// live. Updates contain only the changed columns, unless the client asks for whole rows.
/// </summary>
internal sealed class ShapeFeed(DialectFeedOptions options, TimeProvider time, Pulse delivered)
    : DialectFeed(FeedKind.Shape, "/v1/shape?table=items", options, time, delivered)
{
    private static readonly Place Id = Place.Parse("id");

    private readonly string _handle = time.GetUtcNow().ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture) + "-1";
    private int _renewals = 1;

    private string Table =>
        Path.Split('?').ElementAtOrDefault(1)?.Split('&').FirstOrDefault(pair => pair.StartsWith("table=", StringComparison.Ordinal))?[6..]
        ?? "items";

    public override bool HasIdentity => true;

    public override string? CursorOf(HttpRequest request) =>
        request.Query["offset"].ToString() is { Length: > 0 } offset and not "-1" ? offset : null;

    public override Task ExpireAsync(HttpContext context, TestRequest log, ExpiryForm form, CancellationToken cancellationToken) =>
        // A new handle each time, leading to the same shape.
        RefetchAsync(context, log, $"{_handle}-{Interlocked.Increment(ref _renewals)}", cancellationToken);

    private protected override Task AnswerAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        if (Query(context, "table") != Table)
            return RefuseAsync(context, log, 400, "table", $"There is one table here, {Table}.", cancellationToken);
        var identity = context.Features.Get<Distortion>()?.Identity;
        var asked = Query(context, "handle");
        var handle = identity ?? (asked?.StartsWith(_handle, StringComparison.Ordinal) == true ? asked.Split("-next")[0] : _handle);
        var text = Query(context, "offset") ?? "-1";
        if (text != "-1" && asked != handle)
            return RefetchAsync(context, log, handle, cancellationToken);
        var after = 0;
        if (text == "now")
            after = Log.Count;
        else if (text != "-1" && !TryParse(text, out after))
            return RefuseAsync(context, log, 400, "offset", "has invalid format", cancellationToken);
        var headers = context.Response.Headers;
        headers["electric-handle"] = handle;
        headers["electric-schema"] = Schema();
        headers.CacheControl = "no-store";
        if (Query(context, "live") != "true")
            return PageAsync(context, log, after, cancellationToken);
        headers["electric-cursor"] = (Time.GetUtcNow().ToUnixTimeSeconds() / 20).ToString(CultureInfo.InvariantCulture);
        return Query(context, "live_sse") == "true" || Query(context, "experimental_live_sse") == "true"
            ? FollowAsync(context, log, Events(context, Replay(context, after)), cancellationToken)
            : LiveAsync(context, log, after, cancellationToken);
    }

    private async Task LiveAsync(HttpContext context, TestRequest log, int after, CancellationToken cancellationToken)
    {
        await WaitAsync(log, after, Options.LongestWait, cancellationToken).ConfigureAwait(false);
        await PageAsync(context, log, after, cancellationToken).ConfigureAwait(false);
    }

    private Task PageAsync(HttpContext context, TestRequest log, int after, CancellationToken cancellationToken)
    {
        var first = Replay(context, after);
        var page = Log.Read(first, Options.PageSize + after - first);
        var last = page.Count > 0 ? page[^1].Sequence : after;
        var isUpToDate = last >= Log.Count;
        List<ReadOnlyMemory<byte>> messages = [.. page.Select(change => Message(context, change))];
        context.Response.Headers["electric-offset"] = Offset(last);
        if (isUpToDate)
        {
            context.Response.Headers["electric-up-to-date"] = "";
            messages.Add(JsonBody.Bytes(UpToDate(last)));
        }
        return SendPageAsync(context, log, new JsonPage("[", messages, "]"), cancellationToken);
    }

    private ChangeStream Events(HttpContext context, int after) =>
        new()
        {
            ContentType = "text/event-stream",
            After = after,
            Greeting = after >= Log.Count ? EventText.Frame(UpToDate(after), type: null) : "",
            Frame = change => EventText.Frame(Message(context, change)),
            CaughtUp = at => EventText.Frame(UpToDate(at), type: null),
            Heartbeat = _ => ": keep-alive\n\n",
            Interval = Options.HeartbeatInterval,
            Lasts = TimeSpan.FromMinutes(1),
        };

    private ReadOnlyMemory<byte> Message(HttpContext context, Change change)
    {
        var operation =
            change.IsRemoval ? "delete"
            : change.IsCreation ? "insert"
            : "update";
        var isWhole = operation == "insert" || Query(context, "replica") == "full";
        var value = JsonBody.Read(isWhole ? change.Json : change.Given);
        if (operation == "delete" && !isWhole)
            value = new JsonObject { ["id"] = value["id"]?.DeepClone() };
        var message = new JsonObject
        {
            ["key"] = $"\"public\".\"{Table}\"/\"{change.Key}\"",
            ["value"] = Row(value),
            ["headers"] = new JsonObject
            {
                ["operation"] = operation,
                ["relation"] = new JsonArray("public", Table),
                ["lsn"] = change.Sequence.ToString(CultureInfo.InvariantCulture),
                ["op_position"] = 0,
            },
        };
        return JsonBody.Write(message);
    }

    /// <summary>Values as PostgreSQL prints them: text, whatever their type.</summary>
    private static JsonObject Row(JsonObject value)
    {
        var row = new JsonObject();
        foreach ((var name, var cell) in value)
            row[name] = JsonBody.Text(cell);
        return row;
    }

    private string Schema()
    {
        var columns = new JsonObject();
        foreach (var change in Log.Read(0, Options.PageSize))
        {
            foreach ((var name, var cell) in change.ToObject())
            {
                if (cell is not null)
                    columns[name] = Column(name, cell);
            }
        }
        return columns.ToJsonString();
    }

    private static JsonObject Column(string name, JsonNode cell)
    {
        var type = cell.GetValueKind() switch
        {
            JsonValueKind.String => "text",
            JsonValueKind.True or JsonValueKind.False => "bool",
            JsonValueKind.Number => long.TryParse(cell.ToJsonString(), out _) ? "int8" : "numeric",
            _ => "jsonb",
        };
        return name == "id"
            ? new JsonObject
            {
                ["type"] = type,
                ["pk_index"] = 0,
                ["not_null"] = true,
            }
            : new JsonObject { ["type"] = type };
    }

    private static string UpToDate(int sequence) =>
        $$$"""{"headers":{"control":"up-to-date","global_last_seen_lsn":"{{{sequence.ToString(CultureInfo.InvariantCulture)}}}"}}""";

    private static Task RefetchAsync(HttpContext context, TestRequest log, string handle, CancellationToken cancellationToken)
    {
        context.Response.Headers["electric-handle"] = handle;
        return SendAsync(context, log, 409, """[{"headers":{"control":"must-refetch"}}]""", cancellationToken);
    }

    private protected override string? KeyOf(JsonObject record) => JsonBody.Text(At(record, Id));

    private static string Offset(int sequence) => sequence.ToString(CultureInfo.InvariantCulture) + "_0";

    private bool TryParse(string offset, out int sequence)
    {
        sequence = 0;
        return offset.EndsWith("_0", StringComparison.Ordinal)
            && int.TryParse(offset.AsSpan(0, offset.Length - 2), NumberStyles.None, CultureInfo.InvariantCulture, out sequence)
            && sequence <= Log.Count;
    }
}
