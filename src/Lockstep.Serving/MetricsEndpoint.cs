using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving;

/// <summary>
/// <c>/metrics</c> in Prometheus text format. It needs a credential if feeds do, and shows the feeds that the credential opens.
/// </summary>
internal sealed class MetricsEndpoint(ServedFeeds feeds, FeedAccess access) : IDisposable
{
    public const string Path = "/metrics";
    private readonly PrometheusMeters _meters = new("Lockstep.Serving", "Lockstep.Postgres");

    public async Task HandleAsync(HttpContext context)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (access.IsOpen)
            await MetricsAsync(context, _ => true).ConfigureAwait(false);
        else if (await access.AuthenticateBrowserAsync(context).ConfigureAwait(false) is { } credential)
            await MetricsAsync(context, credential.Opens).ConfigureAwait(false);
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
