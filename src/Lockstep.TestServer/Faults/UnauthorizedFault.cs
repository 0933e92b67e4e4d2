using System.ComponentModel;
using System.Text;
using Lockstep.TestServer.Parts;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Faults;

/// <summary>Requires a token, and answers 401 until it gets it.</summary>
[Description("Answers 401 until the request has a token.")]
public sealed class UnauthorizedFault : Fault
{
    /// <summary>The token of Bearer, or user:password of Basic. Null: none is accepted.</summary>
    [Secret]
    [Description("The token for Bearer, or user:password for Basic. Default: none is accepted.")]
    public string? Token { get; init; }

    /// <summary>How it must be sent.</summary>
    [Description("The authentication scheme. Default: Bearer.")]
    public AuthenticationScheme Scheme { get; init; }

    internal override string Describe() => $"Answer 401 until {(Token is null ? "removed" : $"the right {Scheme} credentials are shown")}";

    internal override void Apply(FaultedResponse response)
    {
        var shown = response.Context.Request.Headers.Authorization.ToString();
        var wanted =
            Token is null ? null
            : Scheme == AuthenticationScheme.Basic ? Convert.ToBase64String(Encoding.UTF8.GetBytes(Token))
            : Token;
        if (
            wanted is not null
            && shown.StartsWith(Scheme + " ", StringComparison.OrdinalIgnoreCase)
            && shown[(shown.IndexOf(' ', StringComparison.Ordinal) + 1)..].Trim() == wanted
        )
        {
            return;
        }

        response.AnswerWith(cancellationToken =>
        {
            response.ChangeHead(head => head.Headers.WWWAuthenticate = $"{Scheme} realm=\"Lockstep\"");
            return Refusal.SendAsync(
                response.Context,
                response.Log,
                StatusCodes.Status401Unauthorized,
                "Provide the right credentials.",
                cancellationToken
            );
        });
    }
}

/// <summary>A scheme of the header Authorization.</summary>
public enum AuthenticationScheme
{
    /// <summary>A token as it is (RFC 6750).</summary>
    Bearer,

    /// <summary>User and password in base64 (RFC 7617).</summary>
    Basic,
}
