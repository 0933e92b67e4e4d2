using System.ComponentModel;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Faults;

/// <summary>Points somewhere else instead of sending the feed.</summary>
[Description("Points somewhere else instead of sending the feed.")]
public sealed class RedirectFault : Fault
{
    /// <summary>The header Location as it is sent: absolute, or relative to the request. Empty for the request's own address.</summary>
    [Description("The header Location as it is sent: absolute, or relative to the request. Default: the request's own address (a loop).")]
    public string To { get; init; } = "";

    /// <summary>The status code, 300 to 399.</summary>
    [Description("The status code. Default: 307.")]
    public int Code { get; init; } = StatusCodes.Status307TemporaryRedirect;

    internal override string Describe() => $"Redirect ({Code}) to {(To.Length > 0 ? To : "itself")}";

    internal override void Apply(FaultedResponse response) =>
        response.AnswerWith(cancellationToken =>
        {
            var request = response.Context.Request;
            var to = To.Length > 0 ? To : request.Path.ToUriComponent() + request.QueryString.ToUriComponent();
            response.ChangeHead(head => head.Headers.Location = to);
            return Refusal.SendAsync(response.Context, response.Log, Code, $"See {to}", cancellationToken);
        });

    internal override void Validate()
    {
        base.Validate();
        if (Code is < 300 or > 399)
            throw new ArgumentException($"Code must be between 300 and 399, but is {Code}.");
    }
}
