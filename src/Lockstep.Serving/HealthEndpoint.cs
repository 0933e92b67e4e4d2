using Lockstep.Serving.Hosting;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving;

/// <summary>
/// Whether the server is alive, and whether all feeds or a single one can be read now. Reveals only that something is wrong, and requires a
/// credential only if a feed is named.
/// </summary>
internal sealed class HealthEndpoint(ServedFeeds feeds, FeedAccess access)
{
    public const string LivePath = "/livez";
    public const string ReadyPath = "/readyz";

    public static Task SayOkAsync(HttpContext context)
    {
        context.Response.Headers.CacheControl = "no-store";
        context.Response.ContentType = "text/plain";
        return context.Response.WriteAsync("ok\n", context.RequestAborted);
    }

    public async Task ReadyAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        var name = path.StartsWith(ReadyPath + "/", StringComparison.Ordinal) ? path[(ReadyPath.Length + 1)..].Trim('/') : "";
        var expectsFeeds = access.ExpectsFeeds;
        var asked = feeds.All;
        if (name.Length > 0)
        {
            name = name.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
            if (asked.FirstOrDefault(feed => feed.Source.Name == name) is not { } one)
            {
                await access.RefuseUnknownAsync(context, expectsFeeds).ConfigureAwait(false);
                return;
            }

            if (!await access.AdmitAsync(context, name).ConfigureAwait(false))
                return;
            asked = [one];
        }

        var ready = await Task.WhenAll(asked.Select(feed => feed.Health.IsReadyAsync(context.RequestAborted))).ConfigureAwait(false);
        if (ready.All(isReady => isReady))
        {
            await SayOkAsync(context).ConfigureAwait(false);
            return;
        }

        await Answer
            .WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "unavailable", "A feed cannot be read at the moment.")
            .ConfigureAwait(false);
    }
}
