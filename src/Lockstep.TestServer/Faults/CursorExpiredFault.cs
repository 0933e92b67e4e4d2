using System.ComponentModel;
using Lockstep.Engine.Records;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;

namespace Lockstep.TestServer.Faults;

/// <summary>Says that a cursor is too old to continue from, as servers of the feed's dialect do; a request without one is served.</summary>
[Description("Answers that a cursor is too old, as a feed does that no longer has what follows it; a request without one is served.")]
public sealed class CursorExpiredFault : Fault
{
    /// <summary>Only numeric cursors below this one. Null: every cursor but 0.</summary>
    [Description("Only numeric cursors below this one. Default: every cursor but 0.")]
    public long? Below { get; init; }

    /// <summary>How the feed says so.</summary>
    [Description("How a feed in another server's dialect signals it. Default: as such servers do.")]
    public ExpiryForm As { get; init; }

    internal override string Describe() =>
        "Call cursors " + (Below is { } limit ? $"below {limit} " : "") + "expired" + (As == ExpiryForm.Auto ? "" : $" ({As})");

    internal override string? Misfit(IFeed feed) => feed.HasCursor ? null : "its clients ask for the whole list, without a cursor";

    internal override void Apply(FaultedResponse response)
    {
        if (response.Log.Cursor is not (null or "" or "0") && IsBelow(response.Log.Cursor))
        {
            response.AnswerWith(cancellationToken => response.Feed.ExpireAsync(response.Context, response.Log, As, cancellationToken));
        }
    }

    private bool IsBelow(string cursor) =>
        Below is not { } limit
        || (
            RequestCursor.Parse(cursor) is { Kind: OrderKind.Number } value && OrderValue.Compare(value, OrderValue.FromInteger(limit)) < 0
        );
}
