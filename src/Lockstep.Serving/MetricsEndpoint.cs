using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving;

/// <summary>
/// What operators and their programs ask for. Whether the server lives and a feed can be read is told to everybody, as by <c>/healthz</c>;
/// metrics need a credential where feeds do, and are those of the feeds that it opens.
/// </summary>
internal sealed class MetricsEndpoint(ServedFeeds feeds, FeedAccess access) : IDisposable
{
    public const string Live = "/livez";
    private const string Health = "/healthz";
    private const string Ready = "/readyz";
    private const string Metrics = "/metrics";
    private readonly PrometheusMeters _meters = new("Lockstep.Serving", "Lockstep.Postgres");

    public static IReadOnlyList<string> Paths { get; } = [Live, Health, Ready, Metrics];

    public async Task HandleAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        context.Response.Headers.CacheControl = "no-store";
        if (path.StartsWith(Metrics, StringComparison.Ordinal))
        {
            if (access.IsOpen)
                await MetricsAsync(context, _ => true).ConfigureAwait(false);
            else if (await access.AuthenticateBrowserAsync(context).ConfigureAwait(false) is { } credential)
                await MetricsAsync(context, credential.Opens).ConfigureAwait(false);
            return;
        }

        var name = path.StartsWith(Ready, StringComparison.Ordinal) ? path[Ready.Length..].Trim('/') : "";
        name = name.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        ServedFeed[] asked = path.StartsWith(Live, StringComparison.Ordinal)
            ? []
            : [.. feeds.All.Where(feed => name.Length == 0 || feed.Source.Name == name)];
        if (name.Length > 0 && asked.Length == 0)
        {
            await Answer.WriteAsync(context, StatusCodes.Status404NotFound, "not_found", "There is no such feed.").ConfigureAwait(false);
            return;
        }

        var ready = await Task.WhenAll(asked.Select(feed => feed.Health.IsReadyAsync(context.RequestAborted))).ConfigureAwait(false);
        if (ready.Contains(false))
        {
            await Answer
                .WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "unavailable", "A feed cannot be read for now.")
                .ConfigureAwait(false);
            return;
        }

        context.Response.ContentType = "text/plain";
        await context.Response.WriteAsync("ok\n", context.RequestAborted).ConfigureAwait(false);
    }

    public void Dispose() => _meters.Dispose();

    private async Task MetricsAsync(HttpContext context, Func<string, bool> isShown)
    {
        var text = _meters.Collect(isShown);
        foreach (var feed in feeds.All.Where(feed => isShown(feed.Source.Name)))
        {
            var labels = new KeyValuePair<string, object?>[] { new("feed", feed.Source.Name) };
            var isReady = await feed.Health.IsReadyAsync(context.RequestAborted).ConfigureAwait(false);
            var lag = feed.Clients.Open.Select(client => client.Lag.TotalSeconds).DefaultIfEmpty(0).Max();
            text.Gauge("lockstep_feed_ready", "Whether the feed can be read.", labels, isReady ? 1 : 0);
            text.Gauge("lockstep_feed_lag_seconds", "How long the feed is held back at its origin.", labels, feed.Source.Lag.TotalSeconds);
            text.Gauge("lockstep_feed_client_lag_seconds", "For how long the slowest client has not taken what is there.", labels, lag);
        }

        context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        await context.Response.WriteAsync(text.ToString(), context.RequestAborted).ConfigureAwait(false);
    }
}
