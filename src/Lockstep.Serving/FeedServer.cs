using System.Security.Cryptography.X509Certificates;
using Lockstep.Engine.Serving;
using Lockstep.Serving.Hosting;
using Lockstep.Serving.Status;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Lockstep.Serving;

/// <summary>
/// Serves feeds over HTTP: each source under <c>/name</c>, a status page under <c>/_lockstep/</c>, and <c>/healthz</c>, which is 200 while
/// all sources can be read and 503 otherwise. Unless a feed has one of these names: <c>/livez</c>, which is 200 while the server runs,
/// <c>/readyz</c> for all feeds and <c>/readyz/name</c> for one, and <c>/metrics</c> in Prometheus text format. Thread-safe.
/// </summary>
public sealed class FeedServer : IAsyncDisposable
{
    /// <summary>The meter through which servers report connections, bytes and refusals.</summary>
    public const string MeterName = ServingMetrics.MeterName;

    /// <summary>The category of a server's log.</summary>
    public const string LogCategory = ServingLog.Category;

    private static readonly string[] OperatorPaths = [HealthEndpoint.LivePath, HealthEndpoint.ReadyPath, MetricsEndpoint.Path];

    private readonly ServedFeeds _feeds = new();
    private readonly FeedServerOptions _options;
    private readonly FeedAccess _access;
    private readonly TimeProvider _time;
    private readonly ServingMetrics _metrics = new();
    private readonly MetricsEndpoint _operating;
    private readonly CancellationTokenSource _stopping = new();
    private readonly RouteTable _routes;
    private readonly SendBudget _budget;
    private readonly ContentCodings _codings;
    private readonly ILogger _logger;
    private HttpEndpoint? _endpoint;
    private HttpHost? _host;

    private FeedServer(FeedServerOptions options, RouteTable routes, TimeProvider time)
    {
        (_options, _routes, _time) = (options, routes, time);
        _access = new FeedAccess(options.Credentials) { ExpectsFeeds = options.ExpectsFeeds };
        _operating = new MetricsEndpoint(_feeds, _access);
        _budget = new SendBudget(options.BufferBytes, time);
        _codings = new ContentCodings(options.Compress);
        _metrics.Watch(_budget, _feeds);
        _logger = options.LoggerFactory.CreateLogger(ServingLog.Category);
        Uri = new Uri("http://localhost/");
    }

    /// <summary>The server's root; a feed's address is this followed by its name.</summary>
    public Uri Uri { get; private set; }

    /// <summary>The sources being served.</summary>
    public IReadOnlyList<IFeedSource> Sources => _feeds.Sources;

    /// <summary>
    /// Whether feeds that are missing may still be added: a client that asks for one is told to retry (503) instead of that it does not
    /// exist (404), after which clients give up.
    /// </summary>
    public bool ExpectsFeeds
    {
        get => _access.ExpectsFeeds;
        set => _access.ExpectsFeeds = value;
    }

    /// <summary>Starts serving.</summary>
    /// <param name="sources">
    /// The sources, with different names; more may be added later. The server owns them, and disposes them when it stops or fails to start.
    /// </param>
    /// <param name="options">Address, credentials, intervals.</param>
    /// <param name="time">The clock; null for the system's.</param>
    /// <param name="cancellationToken">Cancels the start.</param>
    /// <exception cref="PortInUseException">The port is taken.</exception>
    /// <exception cref="ListenException">The address cannot be listened on.</exception>
    /// <exception cref="ArgumentException">Two sources have the same name, or one is called healthz or _lockstep.</exception>
    public static async Task<FeedServer> StartAsync(
        IReadOnlyList<IFeedSource> sources,
        FeedServerOptions options,
        TimeProvider? time = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.BufferBytes, 1 << 20);
        HttpEndpoint endpoint = new()
        {
            Address = options.Address,
            Port = options.Port,
            Certificate = options.Certificate,
            CertificateChain = options.CertificateChain,
            Site = new SiteRules
            {
                AllowedHosts = options.AllowedHosts,
                AllowedOrigins = options.AllowedOrigins,
                AnyNameBeyondLoopback = options.Credentials.Count > 0,
            }.Checked(),
        };
        var server = new FeedServer(options, endpoint.Routes, time ?? TimeProvider.System) { _endpoint = endpoint };
        try
        {
            server.AddRoutes();
            foreach (var source in sources)
                server.Add(source);
            server._host = await HttpHost.StartAsync([endpoint], options.Connections, cancellationToken).ConfigureAwait(false);
            server.Uri = server._host.GetUri(endpoint);
            await WarmUp.RunAsync(server.Uri, cancellationToken).ConfigureAwait(false);
            ServingLog.Started(server._logger, server.Uri);
            return server;
        }
        catch
        {
            foreach (var source in sources.Except(server.Sources).ToArray())
                await source.DisposeAsync().ConfigureAwait(false);
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Adds a source, which the server then owns.</summary>
    /// <exception cref="ArgumentException">Its name is taken, or is healthz or _lockstep.</exception>
    public void Add(IFeedSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        ServedFeed feed = new(
            source,
            new FeedClients(_time),
            new LatestRecords(source, _time, _stopping.Token),
            new FeedHealth(source, _time, _stopping.Token),
            new SharedUpdates(source, _options.HeartbeatInterval, _time, _stopping.Token)
        );
        var path = FeedEndpoint.PathOf(source.Name);

        // A table may be called metrics: it takes precedence over the operators' path.
        if (OperatorPaths.Contains(path) && _feeds.All.All(other => other.Source.Name != source.Name))
            _routes.Remove(path);
        _routes.Add(
            path,
            new FeedEndpoint(
                source,
                _options,
                _access,
                _metrics,
                feed.Clients,
                feed.Shared,
                _budget,
                _codings,
                _time,
                _stopping.Token
            ).HandleAsync
        );
        _feeds.Add(feed);
        ServingLog.Added(_logger, source.Name);
    }

    /// <summary>Stops serving a source: cuts off its streams and disposes it. Does nothing if there is none of that name.</summary>
    public async Task RemoveAsync(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (_feeds.Remove(name) is not { } feed)
            return;
        _routes.Remove(FeedEndpoint.PathOf(name));
        await feed.Source.DisposeAsync().ConfigureAwait(false);
        await feed.Following.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ServingLog.Removed(_logger, name);
    }

    /// <summary>Replaces the credentials from the next request on; none admits everybody.</summary>
    public void UseCredentials(IReadOnlyList<FeedCredential> credentials)
    {
        ArgumentNullException.ThrowIfNull(credentials);
        _access.Use(credentials);
    }

    /// <summary>
    /// Replaces the certificate from the next connection on. The caller keeps both, because handshakes may still use the first.
    /// </summary>
    /// <param name="certificate">With its private key.</param>
    /// <param name="chain">As <see cref="FeedServerOptions.CertificateChain"/>.</param>
    /// <exception cref="InvalidOperationException">The server was started without one, so it does not use TLS.</exception>
    public void UseCertificate(X509Certificate2 certificate, X509Certificate2Collection chain)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        ArgumentNullException.ThrowIfNull(chain);
        if (_options.Certificate is null)
            throw new InvalidOperationException("The server was started without a certificate.");
        _endpoint!.UseCertificate(certificate, chain);
    }

    /// <summary>Stops listening, cuts off the streams and disposes the sources.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
            return;
        await _stopping.CancelAsync().ConfigureAwait(false);
        if (_host is not null)
            await _host.DisposeAsync().ConfigureAwait(false);
        foreach (var feed in _feeds.All)
            await feed.Following.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var source in _feeds.Sources)
            await source.DisposeAsync().ConfigureAwait(false);
        _operating.Dispose();
        _metrics.Dispose();
        ServingLog.Stopped(_logger, Uri);
    }

    /// <summary>
    /// Answers a request without a feed. The feed may have been added since the request was routed here, and may be the last one expected.
    /// </summary>
    internal Task RefuseUnknownAsync(HttpContext context)
    {
        var expectsFeeds = ExpectsFeeds;
        return _routes.Find(context.Request.Path) is { Prefix.HasValue: true } route
            ? route.Handler(context)
            : _access.RefuseUnknownAsync(context, expectsFeeds);
    }

    private void AddRoutes()
    {
        _routes.Add("/", RefuseUnknownAsync);
        HealthEndpoint health = new(_feeds, _access);
        _routes.Add(HealthEndpoint.LivePath, HealthEndpoint.SayOkAsync, anySite: true);
        _routes.Add(HealthEndpoint.ReadyPath, health.ReadyAsync);
        _routes.Add("/healthz", health.ReadyAsync);
        _routes.Add(MetricsEndpoint.Path, _operating.HandleAsync);
        if (_options.StatusPage)
            _routes.Add(StatusPage.Prefix, new StatusEndpoint(_feeds, _options, _access, _time).HandleAsync);
    }
}

/// <summary>A source being served: its readers, its newest records, whether it can be read, and the updates that clients share.</summary>
internal sealed record ServedFeed(IFeedSource Source, FeedClients Clients, LatestRecords Latest, FeedHealth Health, SharedUpdates Shared)
{
    /// <summary>Ends when nothing of the server's own reads the source any more.</summary>
    public Task Following => Task.WhenAll(Latest.Following, Shared.Following);
}
