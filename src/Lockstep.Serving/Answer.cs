using System.Globalization;
using System.Text.Json;
using Lockstep.Engine;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving;

/// <summary>Answers that are not a feed: a status and a JSON object that says why, for people and programs.</summary>
internal static class Answer
{
    public static async Task WriteAsync(HttpContext context, int status, string error, string message)
    {
        using var body = new MemoryStream();
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            json.WriteString("error", error);
            json.WriteString("message", message);
            json.WriteEndObject();
        }

        var response = context.Response;
        response.StatusCode = status;
        response.ContentType = "application/json";
        response.ContentLength = body.Length;
        response.Headers.CacheControl = "no-store";
        if (!HttpMethods.IsHead(context.Request.Method))
            await response.Body.WriteAsync(body.GetBuffer().AsMemory(0, (int)body.Length), context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>Why a source cannot give what was asked for.</summary>
    public static Task WriteAsync(HttpContext context, FeedServingException error, string? filter)
    {
        var response = context.Response;
        switch (error)
        {
            case FeedIdentityChangedException e:
                response.Headers[WireNames.FeedIdentityHeader] = FeedName.Join(e.Identity, filter);
                return WriteAsync(context, StatusCodes.Status409Conflict, "feed_changed", Text(e));
            case FeedBehindException e:
                RetryAfter(e.RetryAfter);
                return WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "behind", Text(e));
            case FeedCursorExpiredException e:
                return WriteAsync(context, StatusCodes.Status410Gone, "cursor_expired", Text(e));
            case FeedUnavailableException { InnerException: LockstepException { Kind: ErrorKind.AccessDenied } }:
                return WriteAsync(
                    context,
                    StatusCodes.Status403Forbidden,
                    "forbidden",
                    "The server may not read what this feed comes from."
                );
            case FeedUnavailableException e:
                RetryAfter(e.RetryAfter);
                return WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "unavailable", "The feed cannot be read for now.");
            default:
                return WriteAsync(context, StatusCodes.Status400BadRequest, "bad_request", Text(error));
        }

        void RetryAfter(TimeSpan time) =>
            response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(time.TotalSeconds)).ToString(CultureInfo.InvariantCulture);

        static string Text(FeedServingException e) => $"{e.Message} {e.RecommendedAction}";
    }
}
