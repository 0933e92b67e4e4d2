using System.Globalization;
using System.Text.Json.Nodes;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Foreign;

/// <summary>
/// Server-sent events: all of them for a client without an id, then each as it occurs; a removal is an event named <c>delete</c>.
/// </summary>
internal sealed class EventStreamFeed(DialectFeedOptions options, TimeProvider time, Pulse delivered)
    : DialectFeed(FeedKind.EventStream, "/events", options, time, delivered)
{
    private const string Header = "Last-Event-ID";

    public override string? CursorOf(HttpRequest request) =>
        request.Headers[Header].ToString() is { Length: > 0 } id ? id
        : request.Query["lastEventID"].ToString() is { Length: > 0 } asked ? asked
        : null;

    /// <summary>A hub that no longer has the event continues with the next one to occur, and says after which event.</summary>
    public override Task ExpireAsync(HttpContext context, TestRequest log, ExpiryForm form, CancellationToken cancellationToken)
    {
        if (form is ExpiryForm.Gone or ExpiryForm.Location or ExpiryForm.Error)
            return base.ExpireAsync(context, log, form, cancellationToken);
        var there = Log.Count;
        context.Response.Headers[Header] = Id(there);
        return FollowAsync(context, log, From(there), cancellationToken);
    }

    private protected override Task AnswerAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        var after = 0;
        if (CursorOf(context.Request) is { } id && !TryParse(id, out after))
            return ExpireAsync(context, log, ExpiryForm.Auto, cancellationToken);
        return FollowAsync(context, log, From(Replay(context, after)), cancellationToken);
    }

    private ChangeStream From(int after) =>
        new()
        {
            ContentType = "text/event-stream",
            After = after,
            Greeting = ": welcome\nretry: 1000\n\n",
            Frame = change => EventText.Frame(change.Given, Id(change.Sequence), change.IsRemoval ? "delete" : null),
            Heartbeat = _ => ": heartbeat\n\n",
            Interval = Options.HeartbeatInterval,
        };

    /// <summary>Events without a key form a log: each is an entry of its own.</summary>
    private protected override string? KeyOf(JsonObject record) => base.KeyOf(record) ?? Guid.NewGuid().ToString();

    private static string Id(int sequence) => "event-" + sequence.ToString(CultureInfo.InvariantCulture);

    private bool TryParse(string id, out int sequence)
    {
        sequence = 0;
        return id.StartsWith("event-", StringComparison.Ordinal)
            && int.TryParse(id.AsSpan(6), NumberStyles.None, CultureInfo.InvariantCulture, out sequence)
            && sequence <= Log.Count;
    }
}
