using System.Net.Http.Headers;
using System.Text;
using Lockstep.Serving.Hosting;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving;

/// <summary>
/// Admits a request or answers it: 401 with the authentication schemes for a missing or wrong credential, 403 for a valid one that does not
/// open this feed.
/// </summary>
internal sealed class FeedAccess(IReadOnlyList<FeedCredential> credentials)
{
    private volatile IReadOnlyList<FeedCredential> _credentials = credentials;
    private volatile bool _expectsFeeds;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Whether no credential is needed.</summary>
    public bool IsOpen => _credentials.Count == 0;

    /// <summary>Replaces the credentials that admit requests.</summary>
    public void Use(IReadOnlyList<FeedCredential> credentials) => _credentials = credentials;

    /// <summary>Whether the request may read the feed; if not, the answer is written.</summary>
    public async Task<bool> AdmitAsync(HttpContext context, string feed)
    {
        if (IsOpen)
            return true;
        if (Find(context.Request.Headers.Authorization) is not { } credential)
        {
            await RefuseAsync(context, isBrowser: false).ConfigureAwait(false);
            return false;
        }

        if (credential.Opens(feed))
            return true;
        await Answer
            .WriteAsync(context, StatusCodes.Status403Forbidden, "forbidden", "The credential does not open this feed.")
            .ConfigureAwait(false);
        return false;
    }

    /// <summary>Whether a feed that is missing may still be added, so that clients are told to retry rather than give up.</summary>
    public bool ExpectsFeeds
    {
        get => _expectsFeeds;
        set => _expectsFeeds = value;
    }

    /// <summary>
    /// Answers a request for a path without a feed as if the client lacked a credential, so that the names of the feeds stay secret.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="expectsFeeds">The value of <see cref="ExpectsFeeds"/> before the feed was looked up.</param>
    public Task RefuseUnknownAsync(HttpContext context, bool expectsFeeds)
    {
        if (!IsOpen && Find(context.Request.Headers.Authorization) is null)
            return RefuseAsync(context, isBrowser: false);
        if (expectsFeeds)
        {
            context.Response.Headers.RetryAfter = "2";
            return Answer.WriteAsync(
                context,
                StatusCodes.Status503ServiceUnavailable,
                "starting",
                "Not all feeds of this server are known yet. Come back soon."
            );
        }

        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }

    /// <summary>
    /// The request's credential, if it opens any feed; if not, the answer is written. A browser asks its user only for a name and a
    /// password, so a token is accepted as the password.
    /// </summary>
    public async Task<FeedCredential?> AuthenticateBrowserAsync(HttpContext context)
    {
        var credential = Find(context.Request.Headers.Authorization, tokenAsPassword: true);
        if (credential is null)
            await RefuseAsync(context, isBrowser: true).ConfigureAwait(false);
        return credential;
    }

    private Task RefuseAsync(HttpContext context, bool isBrowser)
    {
        if (isBrowser || _credentials.Any(c => !c.IsBearer))
            context.Response.Headers.Append("WWW-Authenticate", "Basic realm=\"lockstep\", charset=\"UTF-8\"");
        if (_credentials.Any(c => c.IsBearer))
            context.Response.Headers.Append("WWW-Authenticate", "Bearer realm=\"lockstep\"");
        return Answer.WriteAsync(
            context,
            StatusCodes.Status401Unauthorized,
            "unauthorized",
            $"This {(isBrowser ? "page" : "feed")} needs a credential, and the request has no valid one."
        );
    }

    private FeedCredential? Find(string? header, bool tokenAsPassword = false)
    {
        if (!AuthenticationHeaderValue.TryParse(header, out var value) || value.Parameter is not { } parameter)
            return null;
        var isBearer = value.Scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase);
        if (!isBearer && !value.Scheme.Equals("Basic", StringComparison.OrdinalIgnoreCase))
            return null;
        string secret;
        try
        {
            secret = isBearer ? parameter : Strict.GetString(Convert.FromBase64String(parameter));
        }
        catch (Exception e) when (e is FormatException or DecoderFallbackException)
        {
            return null;
        }

        // All are compared, so that the time taken does not reveal which one matches.
        var digest = FeedCredential.Digest(secret);
        var token =
            !isBearer && tokenAsPassword ? FeedCredential.Digest(secret[(secret.IndexOf(':', StringComparison.Ordinal) + 1)..]) : null;
        FeedCredential? found = null;
        foreach (var credential in _credentials)
        {
            if (credential.Matches(isBearer, digest) | (token is not null && credential.Matches(isBearer: true, token)))
                found = credential;
        }

        return found;
    }
}
