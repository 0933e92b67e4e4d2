using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lockstep.Engine.Dialects;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Foreign;

/// <summary>
/// What the feeds in other servers' dialects share: a test's records as changes, in pages, in streams, or awaited. The dialect's
/// description defines where the key is, what marks a removal, and whether a change is merged into the record. Thread-safe.
/// </summary>
internal abstract class DialectFeed : IRecordFeed
{
    private readonly Pulse _delivered;
    private readonly HeartbeatAsks _asks = new();
    private readonly string _path;
    private (string? Word, FanOut? FanOut) _shared;

    private protected DialectFeed(FeedKind kind, string usualPath, DialectFeedOptions options, TimeProvider time, Pulse delivered)
    {
        Options = options;
        Time = time;
        _delivered = delivered;
        Description =
            options.Description
            ?? BuiltInDialects.Find(kind.ToString())
            ?? throw new ArgumentOutOfRangeException(nameof(kind), kind, "There is no such dialect.");
        Path = options.Path is null ? usualPath : "/" + options.Path.TrimStart('/');
        _path = Path.Split('?')[0];
    }

    public string Path { get; }

    public int RecordCount => Log.Count;

    public virtual string? OrderField => null;

    public virtual bool HasIdentity => false;

    public virtual bool HasChanges => true;

    public virtual bool HasCursor => true;

    /// <summary>How to read the feed.</summary>
    public DialectDescription Description { get; }

    private protected DialectFeedOptions Options { get; }

    private protected TimeProvider Time { get; }

    private protected RecordChanges Log { get; } = new();

    private protected DialectRules Rules => Description.Snapshot;

    public virtual string? CursorOf(HttpRequest request) => null;

    public async Task ServeAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        if (IsForFeed(context.Request.Path))
            await AnswerAsync(context, log, cancellationToken).ConfigureAwait(false);
        else
            await RefuseAsync(context, log, 404, "not_found", $"The feed is at {Path}", cancellationToken).ConfigureAwait(false);
    }

    public virtual Task ExpireAsync(HttpContext context, TestRequest log, ExpiryForm form, CancellationToken cancellationToken) =>
        RefuseAsync(context, log, 410, "gone", "This cursor is too old. Start over without it.", cancellationToken);

    public virtual bool TakeIdentity(HttpContext context, string identity)
    {
        Distort(context).Identity = identity;
        return true;
    }

    public IReadOnlyList<ReadOnlyMemory<byte>> Latest(int count)
    {
        var there = Log.Count;
        return [.. Log.Read(Math.Max(0, there - count), count).Reverse().Select(change => change.Json)];
    }

    public void SendHeartbeat(HeartbeatKind kind, long requests) => _asks.Add(kind, requests);

    public void Add(IEnumerable<ReadOnlyMemory<byte>> records, bool removes) =>
        Log.Append(
            (find, add) =>
            {
                var sequence = Log.Count;
                foreach (var json in records)
                    add(Make(json, removes, ++sequence, find));
            }
        );

    /// <summary>Answers a request for the feed.</summary>
    private protected abstract Task AnswerAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken);

    /// <summary>Sends an error in the dialect's form.</summary>
    private protected Task RefuseAsync(
        HttpContext context,
        TestRequest log,
        int status,
        string code,
        string reason,
        CancellationToken cancellationToken
    ) => SendAsync(context, log, status, RefusalOf(status, code, reason), cancellationToken);

    /// <summary>The body of an error.</summary>
    private protected virtual string RefusalOf(int status, string code, string reason) =>
        $$"""{"error":{{JsonBody.Quote(code)}},"message":{{JsonBody.Quote(reason)}}}""";

    /// <summary>Adds to a record what the dialect's servers add, such as an id, a version or a revision.</summary>
    private protected virtual void Complete(JsonObject record, int sequence, bool isRemoval, Func<string, Change?> find) { }

    /// <summary>The record's key; null if it has none.</summary>
    private protected virtual string? KeyOf(JsonObject record)
    {
        List<string> parts = [];
        foreach (var key in Rules.Key)
        {
            if (At(record, key.Place) is not JsonValue value)
                return null;
            parts.Add(JsonBody.Text(value)!);
        }
        return string.Join('\n', parts);
    }

    /// <summary>The key for a change whose record has none; null if every record needs one.</summary>
    private protected virtual string? KeyOf(int sequence) => null;

    /// <summary>The value at a field or a JSON Pointer of a record; null if there is none.</summary>
    private protected static JsonNode? At(JsonObject record, Place place)
    {
        JsonNode? found = record;
        foreach (var segment in place.Segments)
            found = found is JsonObject there ? there[segment] : null;
        return found;
    }

    private protected virtual bool IsForFeed(PathString path) => path.Value == _path;

    private protected static Distortion Distort(HttpContext context)
    {
        if (context.Features.Get<Distortion>() is not { } there)
            context.Features.Set(there = new Distortion());
        return there;
    }

    /// <summary>Goes back by as many changes as a fault wants repeated.</summary>
    private protected static int Replay(HttpContext context, int sequence) =>
        Math.Max(0, sequence - (context.Features.Get<Distortion>()?.Replayed ?? 0));

    private protected static string? Query(HttpContext context, string name) =>
        context.Request.Query.TryGetValue(name, out var value) ? value.ToString() : null;

    /// <summary>The size of a page: the server's own, or less if the client asks for less.</summary>
    private protected int PageSize(string? asked) =>
        int.TryParse(asked, NumberStyles.None, CultureInfo.InvariantCulture, out var most) && most > 0
            ? Math.Min(most, Options.PageSize)
            : Options.PageSize;

    private protected static string Root(HttpContext context) => $"{context.Request.Scheme}://{context.Request.Host}";

    /// <summary>Sends an existing body.</summary>
    private protected static Task SendAsync(
        HttpContext context,
        TestRequest log,
        int status,
        string body,
        CancellationToken cancellationToken
    )
    {
        context.Response.StatusCode = status;
        return SendPageAsync(context, log, new JsonPage(body, [], ""), cancellationToken);
    }

    /// <summary>Sends items, with the text before, between and after them.</summary>
    private protected static async Task SendPageAsync(
        HttpContext context,
        TestRequest log,
        JsonPage page,
        CancellationToken cancellationToken
    )
    {
        context.Response.ContentType ??= "application/json";
        var body = await ResponseBody.StartAsync(context, log, page.Length, cancellationToken).ConfigureAwait(false);
        if (HttpMethods.IsHead(context.Request.Method))
            return;
        if (page.Head.Length > 0)
            body.Write(page.Head.Span);
        body.WriteList(page.Items, page.Separator);
        if (page.Tail.Length > 0)
            body.WriteBehindList(page.Tail.Span);
        await body.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Waits for a change after a sequence. False if none arrives in time.</summary>
    private protected async Task<bool> WaitAsync(TestRequest log, int after, TimeSpan most, CancellationToken cancellationToken)
    {
        log.LivePosition = after;
        _delivered.Raise();
        var began = Time.GetTimestamp();
        while (true)
        {
            var grown = Log.Grown;
            if (Log.Count > after)
                return true;
            var left = most - Time.GetElapsedTime(began);
            if (left <= TimeSpan.Zero)
                return false;
            await CompletesAsync(grown, left, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Sends changes as they arrive, until the client disconnects or the time is up.</summary>
    private protected async Task FollowAsync(HttpContext context, TestRequest log, ChangeStream stream, CancellationToken cancellationToken)
    {
        context.Response.ContentType ??= stream.ContentType;
        var body = await ResponseBody.StartAsync(context, log, length: null, cancellationToken).ConfigureAwait(false);
        if (stream.Greeting.Length > 0)
            body.Write(Encoding.UTF8.GetBytes(stream.Greeting));
        var (began, asked) = (Time.GetTimestamp(), _asks.Before(log.Number));
        for (var position = stream.After; ; )
        {
            var stirred = Task.WhenAny(Log.Grown, _asks.Next);
            var changes = Log.Read(position, stream.Batch);
            if (changes.Count > 0)
            {
                ReadOnlyMemory<byte>[] framed = [.. changes.Select(stream.Frame).Where(bytes => bytes.Length > 0)];
                position = changes[^1].Sequence;
                if (framed.Length > 0)
                    body.Write(framed, chunkEach: false);
                if (Log.Count <= position && stream.CaughtUp(position) is { Length: > 0 } sign)
                    body.Write(Encoding.UTF8.GetBytes(sign));
                await body.FlushAsync(cancellationToken).ConfigureAwait(false);
                continue;
            }

            await body.FlushAsync(cancellationToken).ConfigureAwait(false);
            log.LivePosition = position;
            _delivered.Raise();
            var left = stream.Lasts - Time.GetElapsedTime(began);
            if (left <= TimeSpan.Zero)
            {
                if (stream.Farewell(position) is { Length: > 0 } farewell)
                    body.Write(Encoding.UTF8.GetBytes(farewell));
                await body.FlushAsync(cancellationToken).ConfigureAwait(false);
                return;
            }

            if (
                stream.Shared is not null
                && body.SharedSocket is { } socket
                && await FanOutOf(stream).JoinAsync(socket, log, position, asked.Count, left, Time, cancellationToken).ConfigureAwait(false)
                    is { } rest
            )
            {
                if (rest.IsGone)
                    throw new ConnectionAbortedException();
                await body.SendFramedAsync(rest.Bytes, cancellationToken).ConfigureAwait(false);
                (position, asked.Count) = (rest.Position, rest.Heartbeats);
                continue;
            }

            var silence = left < stream.Interval ? left : stream.Interval;
            var isSilent = !await CompletesAsync(stirred, silence, cancellationToken).ConfigureAwait(false);
            var isDue = isSilent && silence == stream.Interval;
            if ((_asks.TryTake(asked, out _) || isDue) && stream.Heartbeat(position) is { Length: > 0 } beat)
                body.Write(Encoding.UTF8.GetBytes(beat));
        }
    }

    /// <summary>
    /// The loop that serves all live clients of a stream. A stream with another text starts another loop; the old one keeps running.
    /// </summary>
    private FanOut FanOutOf(ChangeStream stream)
    {
        lock (_asks)
        {
            if (_shared.Word != stream.Shared || _shared.FanOut is null)
                _shared = (stream.Shared, new FanOut(new SharedChanges(stream, Log, _asks, Time), _delivered));
            return _shared.FanOut;
        }
    }

    private async Task<bool> CompletesAsync(Task task, TimeSpan within, CancellationToken cancellationToken)
    {
        try
        {
            await task.WaitAsync(within, Time, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private Change Make(ReadOnlyMemory<byte> json, bool removes, int sequence, Func<string, Change?> find)
    {
        var record = JsonBody.Read(json);
        var isRemoval = removes || IsRemoval(json);
        Complete(record, sequence, isRemoval, find);
        var key =
            KeyOf(record)
            ?? KeyOf(sequence)
            ?? throw new InvalidRecordException($"A record of this feed needs a string or a number as '{Rules.Key[0].Field}', its key.");
        var before = find(key);
        var given = JsonBody.Write(record);
        var whole = given;
        if (before is { IsRemoval: false } && (isRemoval || Rules.Merges))
        {
            var merged = before.ToObject();
            if (!isRemoval)
                JsonBody.LayOver(merged, record, isWhole: true);
            whole = JsonBody.Write(merged);
        }
        return new Change(sequence, key, whole, given, isRemoval, before);
    }

    private bool IsRemoval(ReadOnlyMemory<byte> json)
    {
        if (RecordTraits.Read(json.Span, "").Deleted)
            return true;
        var item = new ItemPlaces();
        item.Item.Read(json.Span);
        return Rules.Deleted?.Holds(item) == true || Description.Live?.Deleted?.Holds(item) == true;
    }
}
