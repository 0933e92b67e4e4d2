using Lockstep.Engine.Serving;
using Lockstep.Serving.Hosting;
using Lockstep.Serving.Status;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving;

/// <summary>
/// Serves feeds over HTTP: each source under <c>/name</c>, a status page under <c>/_lockstep/</c>, and <c>/healthz</c>, which is 200 while
/// all sources can be read and 503 otherwise. Thread-safe.
/// </summary>
public sealed class FeedServer : IAsyncDisposable
{
    /// <summary>The meter through which servers report connections, bytes and refusals.</summary>
    public const string MeterName = ServingMetrics.MeterName;

    private const string ReadyPath = "/readyz";

    private readonly IReadOnlyList<IFeedSource> _sources;
    private readonly IReadOnlyList<ServedFeed> _feeds;
    private readonly HttpHost _host;
    private readonly ServingMetrics _metrics;
    private readonly CancellationTokenSource _stopping;

    private FeedServer(IReadOnlyList<ServedFeed> feeds, HttpHost host, Uri uri, ServingMetrics metrics, CancellationTokenSource stopping)
    {
        (_feeds, _host, Uri, _metrics, _stopping) = (feeds, host, uri, metrics, stopping);
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
    /// <exception cref="ArgumentException">Two sources have one name, or one is called healthz, livez, readyz or _lockstep.</exception>
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
            var health = sources.ToDictionary(source => source.Name, source => new FeedHealth(source, time, stopping.Token));
            endpoint.Routes.Add("/livez", SayOkAsync, anySite: true);
            foreach (var path in (string[])["/healthz", ReadyPath])
                endpoint.Routes.Add(path, context => ReadyAsync(context, health, access));
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
            return new FeedServer(feeds, host, host.GetUri(endpoint), metrics, stopping);
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
    }

    private static Task SayOkAsync(HttpContext context)
    {
        context.Response.Headers.CacheControl = "no-store";
        context.Response.ContentType = "text/plain";
        return context.Response.WriteAsync("ok\n", context.RequestAborted);
    }

    /// <summary>Says no more than that something is wrong, and asks for a credential only where a feed is named.</summary>
    private static async Task ReadyAsync(HttpContext context, Dictionary<string, FeedHealth> health, FeedAccess access)
    {
        var path = context.Request.Path.Value!;
        var name = path.StartsWith(ReadyPath + "/", StringComparison.Ordinal) ? path[(ReadyPath.Length + 1)..].Trim('/') : "";
        IReadOnlyCollection<FeedHealth> asked = health.Values;
        if (name.Length > 0)
        {
            name = name.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
            if (!health.TryGetValue(name, out var one))
            {
                await access.RefuseUnknownAsync(context).ConfigureAwait(false);
                return;
            }

            if (!await access.AdmitAsync(context, name).ConfigureAwait(false))
                return;
            asked = [one];
        }

        var ready = await Task.WhenAll(asked.Select(feed => feed.IsReadyAsync(context.RequestAborted))).ConfigureAwait(false);
        if (ready.All(isReady => isReady))
        {
            await SayOkAsync(context).ConfigureAwait(false);
            return;
        }

        await Answer
            .WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "unavailable", "A feed cannot be read for now.")
            .ConfigureAwait(false);
    }
}

/// <summary>A source that is being served: who reads it, and its newest records.</summary>
internal sealed record ServedFeed(IFeedSource Source, FeedClients Clients, LatestRecords Latest);
