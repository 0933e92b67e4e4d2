using System.ComponentModel;
using Lockstep.Engine.Records;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Faults;

/// <summary>Says that a cursor is too old to go on from; cursor 0 is served.</summary>
[Description("Answers 410 to a cursor other than 0, as a feed does that no longer has what follows it.")]
public sealed class CursorExpiredFault : Fault
{
    /// <summary>Only numeric cursors below this one. Null: every cursor but 0.</summary>
    [Description("Only numeric cursors below this one. Default: every cursor but 0.")]
    public long? Below { get; init; }

    internal override string Describe() => "Call cursors " + (Below is { } limit ? $"below {limit} " : "") + "expired (410)";

    internal override void Apply(FaultedResponse response)
    {
        if (response.Log.Cursor is not (null or "" or "0") && IsBelow(response.Log.Cursor))
        {
            response.AnswerWith(cancellationToken =>
                Refusal.SendAsync(
                    response.Context,
                    response.Log,
                    StatusCodes.Status410Gone,
                    "This cursor is too old. Start over with cursor 0.",
                    cancellationToken
                )
            );
        }
    }

    private bool IsBelow(string cursor) =>
        Below is not { } limit
        || (
            RequestCursor.Parse(cursor) is { Kind: OrderKind.Number } value && OrderValue.Compare(value, OrderValue.FromInteger(limit)) < 0
        );
}
