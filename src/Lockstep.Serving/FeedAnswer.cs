using System.Globalization;
using Lockstep.Engine;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Serving.Hosting;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving;

/// <summary>The answer that says why a source cannot deliver what was requested.</summary>
internal static class FeedAnswer
{
    public static Task WriteAsync(HttpContext context, FeedServingException error, string? filter)
    {
        var response = context.Response;
        switch (error)
        {
            case FeedIdentityChangedException e:
                response.Headers[WireNames.FeedIdentityHeader] = FeedName.Join(e.Identity, filter);
                return Answer.WriteAsync(context, StatusCodes.Status409Conflict, "feed_changed", Text(e));
            case FeedBehindException e:
                RetryAfter(e.RetryAfter);
                return Answer.WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "behind", Text(e));
            case FeedCursorExpiredException e:
                return Answer.WriteAsync(context, StatusCodes.Status410Gone, "cursor_expired", Text(e));
            case FeedUnavailableException { InnerException: LockstepException { Kind: ErrorKind.AccessDenied } }:
                return Answer.WriteAsync(
                    context,
                    StatusCodes.Status403Forbidden,
                    "forbidden",
                    "The server may not read what this feed comes from."
                );
            case FeedUnavailableException e:
                RetryAfter(e.RetryAfter);
                return Answer.WriteAsync(
                    context,
                    StatusCodes.Status503ServiceUnavailable,
                    "unavailable",
                    "The feed cannot be read at the moment."
                );
            default:
                return Answer.WriteAsync(context, StatusCodes.Status400BadRequest, "bad_request", Text(error));
        }

        void RetryAfter(TimeSpan time) =>
            response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(time.TotalSeconds)).ToString(CultureInfo.InvariantCulture);

        static string Text(FeedServingException e) => $"{e.Message} {e.RecommendedAction}";
    }
}
