using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Foreign;

/// <summary>
/// A Durable Stream of JSON, for reading: offsets, long polls and server-sent events. Records are sent as given.
/// </summary>
internal sealed class DurableStreamFeed(DialectFeedOptions options, TimeProvider time, Pulse delivered)
    : DialectFeed(FeedKind.DurableStream, "/v1/stream/items", options, time, delivered)
{
    private const string Next = "Stream-Next-Offset";

    private static readonly TimeSpan LongestEvents = TimeSpan.FromMinutes(1);

    public override string? CursorOf(HttpRequest request) =>
        request.Query["offset"].ToString() is { Length: > 0 } offset and not ("-1" or "now") ? offset : null;

    private protected override Task AnswerAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        var headers = context.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        headers["Cross-Origin-Resource-Policy"] = "cross-origin";
        if (HttpMethods.IsHead(context.Request.Method))
        {
            headers[Next] = Offset(Log.Count);
            headers.CacheControl = "no-store";
            return SendPageAsync(context, log, new JsonPage("", [], ""), cancellationToken);
        }
        if (!HttpMethods.IsGet(context.Request.Method))
            return RefuseAsync(context, log, 405, "METHOD_NOT_ALLOWED", "This stream is read-only.", cancellationToken);
        var live = Query(context, "live");
        if (live is not null && Query(context, "offset") is null)
            return RefuseAsync(context, log, 400, "BAD_REQUEST", "live needs an offset", cancellationToken);
        var text = Query(context, "offset") ?? "-1";
        var after = 0;
        if (text == "now")
            after = Log.Count;
        else if (text != "-1" && !TryParse(text, out after))
            return RefuseAsync(context, log, 400, "BAD_REQUEST", "Invalid offset format", cancellationToken);
        after = Math.Min(after, Log.Count);
        return live switch
        {
            null => PageAsync(context, log, after, cancellationToken),
            "long-poll" => PollAsync(context, log, after, cancellationToken),
            "sse" => FollowAsync(context, log, Events(context, after), cancellationToken),
            _ => RefuseAsync(context, log, 400, "BAD_REQUEST", "live is long-poll or sse", cancellationToken),
        };
    }

    /// <summary>The stream has no removals of its own: a field of the record marks them.</summary>
    private protected override void Complete(JsonObject record, int sequence, bool isRemoval, Func<string, Change?> find)
    {
        if (isRemoval && record["deleted"] is null && record["deleted_at"] is null)
            record["deleted"] = true;
    }

    /// <summary>A stream is a log: a record without a key is an entry in its own right.</summary>
    private protected override string? KeyOf(int sequence) => $"#{sequence}";

    private Task PageAsync(HttpContext context, TestRequest log, int after, CancellationToken cancellationToken)
    {
        var first = Replay(context, after);
        var page = Log.Read(first, Options.PageSize + after - first);
        var last = page.Count > 0 ? page[^1].Sequence : after;
        Mark(context, last);
        if (Query(context, "live") is null)
        {
            var tag = $"\"{after}:{last}\"";
            context.Response.Headers.ETag = tag;
            if (context.Request.Headers.IfNoneMatch.ToString() == tag)
            {
                context.Response.StatusCode = StatusCodes.Status304NotModified;
                return Task.CompletedTask;
            }
        }
        return SendPageAsync(context, log, new JsonPage("[", [.. page.Select(change => change.Given)], "]"), cancellationToken);
    }

    private async Task PollAsync(HttpContext context, TestRequest log, int after, CancellationToken cancellationToken)
    {
        if (await WaitAsync(log, after, Options.LongestWait, cancellationToken).ConfigureAwait(false))
        {
            await PageAsync(context, log, after, cancellationToken).ConfigureAwait(false);
            return;
        }
        Mark(context, after);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private void Mark(HttpContext context, int sequence)
    {
        var headers = context.Response.Headers;
        headers[Next] = Offset(sequence);
        headers.CacheControl = "no-store";
        if (sequence >= Log.Count)
            headers["Stream-Up-To-Date"] = "true";
        if (Query(context, "live") is not null)
            headers["Stream-Cursor"] = Cursor(context);
    }

    private ChangeStream Events(HttpContext context, int offset)
    {
        context.Response.Headers.CacheControl = "no-cache";
        var cursor = Cursor(context);
        var after = Replay(context, offset);
        return new()
        {
            ContentType = "text/event-stream",
            After = after,
            Batch = 1,
            Greeting = after >= Log.Count ? Control(after, cursor) : "",
            Shared = cursor,
            Frame = change => Frame(change, cursor),
            Heartbeat = sequence => Control(sequence, cursor),
            Interval = Options.HeartbeatInterval,
            Lasts = LongestEvents,
        };
    }

    /// <summary>An event and its control event.</summary>
    private ReadOnlyMemory<byte> Frame(Change change, string cursor)
    {
        var data = EventText.Frame((byte[])[(byte)'[', .. change.Given.Span, (byte)']'], id: null, type: "data");
        return (byte[])[.. data.Span, .. Encoding.UTF8.GetBytes(Control(change.Sequence, cursor))];
    }

    private string Control(int sequence, string cursor)
    {
        var isUpToDate = sequence >= Log.Count ? ",\"upToDate\":true" : "";
        return $"event: control\ndata:{{\"streamNextOffset\":\"{Offset(sequence)}\",\"streamCursor\":\"{cursor}\"{isUpToDate}}}\n\n";
    }

    /// <summary>Tells requests apart for caches: the time, and always more than the value that the client sends back.</summary>
    private string Cursor(HttpContext context)
    {
        var now = Time.GetUtcNow().ToUnixTimeSeconds() / 20;
        if (long.TryParse(Query(context, "cursor"), NumberStyles.None, CultureInfo.InvariantCulture, out var sent) && sent < long.MaxValue)
            now = Math.Max(now, sent + 1);
        return now.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Offsets sort as texts.</summary>
    private static string Offset(int sequence) => sequence.ToString("D16", CultureInfo.InvariantCulture) + "_" + new string('0', 16);

    private static bool TryParse(string offset, out int sequence)
    {
        sequence = 0;
        return offset.Length == 33
            && offset[16] == '_'
            && int.TryParse(offset.AsSpan(0, 16), NumberStyles.None, CultureInfo.InvariantCulture, out sequence);
    }
}
