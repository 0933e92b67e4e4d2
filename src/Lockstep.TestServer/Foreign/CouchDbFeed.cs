using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Foreign;

/// <summary>
/// The changes of a CouchDB database: normal, longpoll, continuous and eventsource, with opaque sequences and only the newest change of
/// each document; the database itself reports its identity.
/// </summary>
internal sealed class CouchDbFeed(DialectFeedOptions options, TimeProvider time, Pulse delivered)
    : DialectFeed(FeedKind.CouchDb, "/db/_changes", options, time, delivered)
{
    private const string SequenceTail = "-g1AAAACReJzLYWBgYMpgTmHgz8tPSTV0MDQy1zMAQsMckEQiQ1L9____szKYE5lygQLsZimpaYapBtg";

    private readonly string _began = time.GetUtcNow().ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture) + "000";

    private string Database => Path[..Path.LastIndexOf('/')];

    public override bool HasIdentity => true;

    public override string? CursorOf(HttpRequest request) =>
        request.Query["since"].ToString() is { Length: > 0 } since && since is not ("0" or "now" or "null") ? since : null;

    public override Task ExpireAsync(HttpContext context, TestRequest log, ExpiryForm form, CancellationToken cancellationToken) =>
        RefuseAsync(context, log, 400, "bad_request", "Malformed sequence supplied in 'since' parameter.", cancellationToken);

    private protected override bool IsForFeed(PathString path) => base.IsForFeed(path) || path.Value?.TrimEnd('/') == Database;

    private protected override Task AnswerAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        if (!base.IsForFeed(context.Request.Path))
            return DescribeAsync(context, log, cancellationToken);
        var text = Query(context, "since")?.Trim('"');
        int since;
        if (text is null or "" or "0" or "null")
            since = 0;
        else if (text == "now")
            since = Log.Count;
        else if (!TryParse(text, out since))
            return ExpireAsync(context, log, ExpiryForm.Auto, cancellationToken);
        var withDocuments = Query(context, "include_docs") == "true";
        return Query(context, "feed") switch
        {
            "continuous" => FollowAsync(context, log, Continuous(context, Replay(context, since), withDocuments), cancellationToken),
            "eventsource" => FollowAsync(context, log, Events(context, Replay(context, since), withDocuments), cancellationToken),
            "longpoll" => PageAsync(context, log, since, withDocuments, waits: true, cancellationToken),
            null or "" or "normal" => PageAsync(context, log, since, withDocuments, waits: false, cancellationToken),
            _ => RefuseAsync(
                context,
                log,
                400,
                "bad_request",
                "Supported `feed` types: normal, continuous, eventsource, longpoll",
                cancellationToken
            ),
        };
    }

    private async Task PageAsync(
        HttpContext context,
        TestRequest log,
        int since,
        bool withDocuments,
        bool waits,
        CancellationToken cancellationToken
    )
    {
        if (waits)
            await WaitAsync(log, since, Milliseconds(context, "timeout") ?? Options.LongestWait, cancellationToken).ConfigureAwait(false);
        var there = Log.Count;
        var first = Replay(context, since);
        var limit = Query(context, "limit") is { } asked ? PageSize(asked) + since - first : int.MaxValue;
        var found = Log.Read(first, int.MaxValue, change => change.IsNewestAt(there));
        var rows = found.Take(limit).ToList();
        // The sequence advances even without a row, because what a filter leaves out has been read.
        var last = rows.Count == found.Count ? Math.Max(there, since) : rows[^1].Sequence;
        var page = new JsonPage(
            "{\"results\":[\n",
            [.. rows.Select(change => Row(change, withDocuments))],
            $"\n],\n\"last_seq\":\"{Sequence(last)}\",\"pending\":{(found.Count - rows.Count).ToString(CultureInfo.InvariantCulture)}}}\n",
            ",\n"
        );
        await SendPageAsync(context, log, page, cancellationToken).ConfigureAwait(false);
    }

    private ChangeStream Continuous(HttpContext context, int since, bool withDocuments) =>
        new()
        {
            ContentType = "application/json",
            After = since,
            Frame = change => IsShown(change) ? (byte[])[.. Row(change, withDocuments).Span, (byte)'\n'] : default,
            Heartbeat = _ => "\n",
            Interval = Milliseconds(context, "heartbeat") ?? Options.HeartbeatInterval,
            // A heartbeat keeps the answer open forever, whatever the timeout.
            Lasts = Query(context, "heartbeat") is null ? Milliseconds(context, "timeout") ?? Options.LongestWait : ChangeStream.Forever,
            Farewell = at => $"{{\"last_seq\":\"{Sequence(at)}\",\"pending\":0}}\n",
        };

    private ChangeStream Events(HttpContext context, int since, bool withDocuments) =>
        new()
        {
            ContentType = "text/event-stream",
            After = since,
            Frame = change =>
                IsShown(change) ? EventText.Frame(Row(change, withDocuments), id: JsonBody.Quote(Sequence(change.Sequence))) : default,
            Heartbeat = _ => "event: heartbeat\ndata: \n\n",
            Interval = Milliseconds(context, "heartbeat") ?? Options.HeartbeatInterval,
        };

    private bool IsShown(Change change) => change.IsNewestAt(Log.Count);

    private static ReadOnlyMemory<byte> Row(Change change, bool withDocument)
    {
        var document = JsonBody.Read(change.IsRemoval ? change.Given : change.Json);
        var row = new JsonObject
        {
            ["seq"] = Sequence(change.Sequence),
            ["id"] = change.Key,
            ["changes"] = new JsonArray(new JsonObject { ["rev"] = document["_rev"]?.DeepClone() }),
        };
        if (change.IsRemoval)
            row["deleted"] = true;
        if (withDocument)
        {
            row["doc"] = change.IsRemoval
                ? new JsonObject
                {
                    ["_id"] = change.Key,
                    ["_rev"] = document["_rev"]?.DeepClone(),
                    ["_deleted"] = true,
                }
                : document;
        }
        return JsonBody.Write(row);
    }

    private Task DescribeAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        var there = Log.Count;
        var documents = Log.Read(0, int.MaxValue, change => change.Next is null && !change.IsRemoval).Count;
        var description = new JsonObject
        {
            ["db_name"] = Database.Trim('/'),
            ["instance_start_time"] = context.Features.Get<Responses.Distortion>()?.Identity ?? _began,
            ["purge_seq"] = Sequence(0),
            ["update_seq"] = Sequence(there),
            ["doc_count"] = documents,
        };
        return SendAsync(context, log, 200, JsonBody.Text(JsonBody.Write(description)), cancellationToken);
    }

    private protected override string? KeyOf(JsonObject record) => JsonBody.Text(record["_id"]);

    private protected override void Complete(JsonObject record, int sequence, bool isRemoval, Func<string, Change?> find)
    {
        if (!record.ContainsKey("_id"))
        {
            if (JsonBody.Text(record["id"]) is not { } id)
                return;
            record.Insert(0, "_id", id);
        }
        if (record.ContainsKey("_rev") || KeyOf(record) is not { } key)
            return;
        var before = find(key) is { } known ? JsonBody.Text(JsonBody.Read(known.Given)["_rev"]) : null;
        var generation = int.TryParse(before?.Split('-')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var last) ? last + 1 : 1;
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{sequence} {key}")));
        record.Insert(1, "_rev", string.Create(CultureInfo.InvariantCulture, $"{generation}-{Convert.ToHexStringLower(hash)[..32]}"));
    }

    private protected override string RefusalOf(int status, string code, string reason) =>
        $$"""{"error":{{JsonBody.Quote(code)}},"reason":{{JsonBody.Quote(reason)}}}""" + "\n";

    /// <summary>In a real cluster the number does not order answers, so clients must not rely on it.</summary>
    private static string Sequence(int sequence) => sequence.ToString(CultureInfo.InvariantCulture) + SequenceTail;

    private bool TryParse(string text, out int sequence)
    {
        sequence = 0;
        return text.EndsWith(SequenceTail, StringComparison.Ordinal)
            && int.TryParse(text[..^SequenceTail.Length], NumberStyles.None, CultureInfo.InvariantCulture, out sequence)
            && sequence <= Log.Count;
    }

    private static TimeSpan? Milliseconds(HttpContext context, string name) =>
        int.TryParse(Query(context, name), NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds) && milliseconds > 0
            ? TimeSpan.FromMilliseconds(milliseconds)
            : null;
}
