using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving.Hosting;

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
}
