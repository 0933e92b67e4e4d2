using System.Net;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// A web server in this process: Kestrel with its socket transport and nothing around it (no generic host, no dependency injection, no
/// configuration), which starts in a few milliseconds and needs few assemblies. HTTP/1.1 with upgrade to WebSocket
/// (<see cref="ServerWebSocket"/>). Thread-safe.
/// </summary>
public sealed class HttpHost : IAsyncDisposable
{
    private static readonly TimeSpan StopPatience = TimeSpan.FromMilliseconds(250);

    private readonly KestrelServer _server;
    private readonly Dictionary<HttpEndpoint, ListenOptions> _bound = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _gate = new();
    private Task? _stopped;

    private HttpHost(IReadOnlyList<HttpEndpoint> endpoints, ConnectionLimits limits)
    {
        KestrelServerOptions options = new() { AddServerHeader = false, ApplicationServices = EmptyServices.Instance };
        // A feed may be silent for hours, and a test may read as slowly as it likes.
        options.Limits.MinResponseDataRate = null;
        options.Limits.MinRequestBodyDataRate = null;
        foreach (var endpoint in endpoints)
            options.Listen(endpoint.Address, endpoint.Port, listen => Configure(listen, endpoint));
        ConnectionCount count = new(limits.Within(OpenFiles.Left, new IPEndPoint(endpoints[0].Address, endpoints[0].Port)));
        _server = new KestrelServer(Options.Create(options), new CountedTransport(count), NullLoggerFactory.Instance);
    }

    /// <summary>
    /// Cancelled when the host starts to stop: a handler that never ends must end now, or is cut off a quarter of a second later.
    /// </summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>Binds all endpoints, then serves them.</summary>
    /// <param name="endpoints">At least one; each with port 0 gets a free port of its own.</param>
    /// <param name="cancellationToken">Cancels the start.</param>
    /// <exception cref="PortInUseException">A port is taken.</exception>
    /// <exception cref="ListenException">An address cannot be listened on.</exception>
    public static Task<HttpHost> StartAsync(IReadOnlyList<HttpEndpoint> endpoints, CancellationToken cancellationToken = default) =>
        StartAsync(endpoints, new ConnectionLimits(), cancellationToken);

    /// <inheritdoc cref="StartAsync(IReadOnlyList{HttpEndpoint}, CancellationToken)"/>
    /// <param name="endpoints">At least one; each with port 0 gets a free port of its own.</param>
    /// <param name="limits">How many connections all of them may have together.</param>
    /// <param name="cancellationToken">Cancels the start.</param>
    public static async Task<HttpHost> StartAsync(
        IReadOnlyList<HttpEndpoint> endpoints,
        ConnectionLimits limits,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(limits);
        HttpHost host = new(endpoints, limits);
        try
        {
            await host._server.StartAsync(new HostedApplication(), cancellationToken).ConfigureAwait(false);
            return host;
        }
        catch
        {
            await host.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>An endpoint's root URI with the bound port. A wildcard address becomes loopback, where this machine can reach it.</summary>
    /// <exception cref="KeyNotFoundException">The endpoint is not one of this host.</exception>
    public Uri GetUri(HttpEndpoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        var address = endpoint.Address;
        if (address.Equals(IPAddress.Any))
            address = IPAddress.Loopback;
        else if (address.Equals(IPAddress.IPv6Any))
            address = IPAddress.IPv6Loopback;
        var scheme = endpoint.Certificate is null ? Uri.UriSchemeHttp : Uri.UriSchemeHttps;
        return new Uri($"{scheme}://{new IPEndPoint(address, _bound[endpoint].IPEndPoint!.Port)}/");
    }

    /// <summary>
    /// Stops listening, closes idle connections at once and cuts off the others after a quarter of a second. May be called more than once.
    /// </summary>
    public Task StopAsync()
    {
        lock (_gate)
            return _stopped ??= StopOnceAsync();
    }

    /// <summary>The same as <see cref="StopAsync"/>.</summary>
    public async ValueTask DisposeAsync() => await StopAsync().ConfigureAwait(false);

    private async Task StopOnceAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        using CancellationTokenSource patience = new(StopPatience);
        await _server.StopAsync(patience.Token).ConfigureAwait(false);
        _server.Dispose();
    }

    private void Configure(ListenOptions listen, HttpEndpoint endpoint)
    {
        _bound[endpoint] = listen;
        listen.Protocols = HttpProtocols.Http1;
        listen.Use(next =>
            async connection =>
            {
                var transport = connection.Transport;
                var hosted = HostedConnection.Attach(connection, endpoint);
                try
                {
                    if (endpoint.Certificate is null)
                        await next(connection).ConfigureAwait(false);
                    else
                        await TlsConnection.RunAsync(connection, hosted, next).ConfigureAwait(false);
                }
                finally
                {
                    connection.Transport = transport;
                }
            }
        );
    }
}
