using Lockstep.Engine.Serving;
using Lockstep.Serving.Hosting;
using Lockstep.Serving.Status;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Lockstep.Serving;

/// <summary>
/// Serves feeds over HTTP: each source under <c>/name</c>, a status page under <c>/_lockstep/</c>, and <c>/healthz</c>, which is 200 while
/// all sources can be read and 503 otherwise. Thread-safe.
/// </summary>
public sealed class FeedServer : IAsyncDisposable
{
    /// <summary>The meter through which servers report connections, bytes and refusals.</summary>
    public const string MeterName = ServingMetrics.MeterName;

    private readonly IReadOnlyList<IFeedSource> _sources;
    private readonly IReadOnlyList<ServedFeed> _feeds;
    private readonly HttpHost _host;
    private readonly ServingMetrics _metrics;
    private readonly CancellationTokenSource _stopping;
    private readonly ILogger _logger;

    private FeedServer(
        IReadOnlyList<ServedFeed> feeds,
        HttpHost host,
        Uri uri,
        ServingMetrics metrics,
        CancellationTokenSource stopping,
        ILogger logger
    )
    {
        (_feeds, _host, Uri, _metrics, _stopping, _logger) = (feeds, host, uri, metrics, stopping, logger);
        _sources = [.. feeds.Select(feed => feed.Source)];
    }

    /// <summary>The server's root; a feed is at this address followed by its name.</summary>
    public Uri Uri { get; }

    /// <summary>The sources being served.</summary>
    public IReadOnlyList<IFeedSource> Sources => _sources;

    /// <summary>Starts to serve.</summary>
    /// <param name="sources">At least one, of different names. The server takes them over, and disposes them when it stops or fails to
    /// start.</param>
    /// <param name="options">Address, credentials, intervals.</param>
    /// <param name="time">The clock; null for the system's.</param>
    /// <param name="cancellationToken">Gives up the start.</param>
    /// <exception cref="PortInUseException">The port is taken.</exception>
    /// <exception cref="ListenException">The address cannot be listened on.</exception>
    /// <exception cref="ArgumentException">Two sources have one name, or one is called healthz or _lockstep.</exception>
    public static async Task<FeedServer> StartAsync(
        IReadOnlyList<IFeedSource> sources,
        FeedServerOptions options,
        TimeProvider? time = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentNullException.ThrowIfNull(options);
        ServingMetrics metrics = new();
        CancellationTokenSource stopping = new();
        try
        {
            HttpEndpoint endpoint = new()
            {
                Address = options.Address,
                Port = options.Port,
                Certificate = options.Certificate,
                Site = new SiteRules
                {
                    AllowedHosts = options.AllowedHosts,
                    AllowedOrigins = options.AllowedOrigins,
                    AnyNameBeyondLoopback = options.Credentials.Count > 0,
                }.Checked(),
            };
            FeedAccess access = new(options.Credentials);
            time ??= TimeProvider.System;
            ArgumentOutOfRangeException.ThrowIfLessThan(options.BufferBytes, 1 << 20);
            SendBudget budget = new(options.BufferBytes, time);
            metrics.Watch(budget);
            ServedFeed[] feeds =
            [
                .. sources.Select(source => new ServedFeed(source, new FeedClients(time), new LatestRecords(source, time, stopping.Token))),
            ];
            endpoint.Routes.Add("/", access.RefuseUnknownAsync);
            endpoint.Routes.Add("/healthz", context => HealthAsync(context, sources));
            if (options.StatusPage)
                endpoint.Routes.Add(StatusPage.Prefix, new StatusEndpoint(feeds, options, access, time).HandleAsync);
            foreach (var feed in feeds)
            {
                endpoint.Routes.Add(
                    FeedEndpoint.PathOf(feed.Source.Name),
                    new FeedEndpoint(feed.Source, options, access, metrics, feed.Clients, budget, time, stopping.Token).HandleAsync
                );
            }

            var host = await HttpHost.StartAsync([endpoint], options.Connections, cancellationToken).ConfigureAwait(false);
            var logger = options.LoggerFactory.CreateLogger(ServingLog.Category);
            ServingLog.Started(logger, host.GetUri(endpoint), string.Join(", ", feeds.Select(feed => feed.Source.Name)));
            return new FeedServer(feeds, host, host.GetUri(endpoint), metrics, stopping, logger);
        }
        catch
        {
            foreach (var source in sources)
                await source.DisposeAsync().ConfigureAwait(false);
            metrics.Dispose();
            stopping.Dispose();
            throw;
        }
    }

    /// <summary>Stops listening, cuts the streams off and disposes the sources.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
            return;
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _host.DisposeAsync().ConfigureAwait(false);
        foreach (var feed in _feeds)
            await feed.Latest.Following.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var source in _sources)
            await source.DisposeAsync().ConfigureAwait(false);
        _metrics.Dispose();
        ServingLog.Stopped(_logger, Uri);
    }

    /// <summary>Says no more than that something is wrong: it asks for no credential.</summary>
    private static async Task HealthAsync(HttpContext context, IReadOnlyList<IFeedSource> sources)
    {
        try
        {
            foreach (var source in sources)
                await source.GetStateAsync(context.RequestAborted).ConfigureAwait(false);
            context.Response.Headers.CacheControl = "no-store";
            context.Response.ContentType = "text/plain";
            await context.Response.WriteAsync("ok\n", context.RequestAborted).ConfigureAwait(false);
        }
        catch (FeedServingException)
        {
            await Answer
                .WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "unavailable", "A feed cannot be read for now.")
                .ConfigureAwait(false);
        }
    }
}

/// <summary>A source that is being served: who reads it, and its newest records.</summary>
internal sealed record ServedFeed(IFeedSource Source, FeedClients Clients, LatestRecords Latest);
