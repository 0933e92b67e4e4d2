using System.ComponentModel;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Faults;

/// <summary>
/// Serves under another identity, like a feed whose table was recreated: a client with the old one gets 409.
/// </summary>
[Description("Serves under another identity; a client that brings an older one gets 409.")]
public sealed class EpochFault : Fault
{
    /// <summary>The header Lockstep-Feed, or its equivalent in the feed's dialect.</summary>
    [Description("The new identity, sent as Lockstep-Feed or what the dialect has for it. Default: another-epoch.")]
    public string Identity { get; init; } = "another-epoch";

    internal override string Describe() => $"Change the feed's identity to {Identity}";

    internal override string? Misfit(IFeed feed) =>
        feed.HasIdentity ? null : "nothing in it says which feed it is, so that a client cannot see that it is another one";

    internal override void Apply(FaultedResponse response)
    {
        if (response.Feed.TakeIdentity(response.Context, Identity))
            return;
        response.ChangeHead(head => head.Headers["Lockstep-Feed"] = Identity);
        var asked = response.Context.Request.Headers;
        if (!asked.TryGetValue("Lockstep-Feed", out var identity) || identity == Identity)
        {
            // The feed itself must accept an identity that is no longer its own.
            asked.Remove("Lockstep-Feed");
            return;
        }
        response.AnswerWith(cancellationToken =>
            Refusal.SendAsync(
                response.Context,
                response.Log,
                StatusCodes.Status409Conflict,
                "This is not the feed that issued the cursor. Start over with cursor 0.",
                cancellationToken
            )
        );
    }
}
