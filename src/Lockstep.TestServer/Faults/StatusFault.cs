using System.ComponentModel;
using Lockstep.Engine.Feed;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Faults;

/// <summary>Answers with a status instead of the feed.</summary>
[Description("Answers with a status instead of the feed.")]
public sealed class StatusFault : Fault
{
    /// <summary>The status code, 200 to 599.</summary>
    [Description("The status code. Default: 503.")]
    public int Code { get; init; } = StatusCodes.Status503ServiceUnavailable;

    /// <summary>The header Retry-After: seconds or a date. Null for none.</summary>
    [Description("The header Retry-After: seconds or a date.")]
    public string? RetryAfter { get; init; }

    /// <summary>Further headers.</summary>
    [Description("Further headers, by name.")]
    public IReadOnlyDictionary<string, string>? Headers { get; init; }

    /// <summary>The body, as text.</summary>
    [Description("The body. Default: a line that says that a test wants it so.")]
    public string Body { get; init; } = "A test wants this status.";

    internal override string Describe() => $"Answer {Code}" + (RetryAfter is null ? "" : $" with Retry-After {RetryAfter}");

    internal override void Apply(FaultedResponse response) =>
        response.AnswerWith(cancellationToken =>
        {
            response.ChangeHead(head =>
            {
                foreach ((var name, var value) in Headers ?? new Dictionary<string, string>())
                    head.Headers[name] = value;
                if (RetryAfter is not null)
                    head.Headers.RetryAfter = RetryAfter;
            });
            return Refusal.SendAsync(response.Context, response.Log, Code, Body, cancellationToken);
        });

    internal override void Validate()
    {
        base.Validate();
        if (Code is < 200 or > 599)
            throw new ArgumentException($"Code must be between 200 and 599, but is {Code}.");
        foreach ((var name, var value) in Headers ?? new Dictionary<string, string>())
        {
            if (RequestHeader.Fault(name, value) is { } fault)
                throw new ArgumentException(fault);
        }

        if (RequestHeader.Fault("Retry-After", RetryAfter ?? "") is { } wrong)
            throw new ArgumentException(wrong);
    }
}
