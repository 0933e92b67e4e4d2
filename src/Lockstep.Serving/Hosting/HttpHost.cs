using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
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

    private readonly ConnectionCount _connections;

    private HttpHost(IReadOnlyList<HttpEndpoint> endpoints, ConnectionLimits limits)
    {
        _connections = new ConnectionCount(limits.Within(OpenFiles.Left, new IPEndPoint(endpoints[0].Address, endpoints[0].Port)));
        KestrelServerOptions options = new() { AddServerHeader = false, ApplicationServices = EmptyServices.Instance };
        // A feed may be silent for hours and a test may read as slowly as it likes.
        options.Limits.MinResponseDataRate = null;
        options.Limits.MinRequestBodyDataRate = null;
        foreach (var endpoint in endpoints)
            options.Listen(endpoint.Address, endpoint.Port, listen => Configure(listen, endpoint));
        SocketTransportFactory transport = new(
            Options.Create(new SocketTransportOptions { CreateBoundListenSocket = Bind }),
            NullLoggerFactory.Instance
        );
        _server = new KestrelServer(Options.Create(options), transport, NullLoggerFactory.Instance);
    }

    /// <summary>
    /// Signalled when the host begins to stop: a handler that would go on for ever ends, or is cut off a quarter of a second later.
    /// </summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>Binds all endpoints, then serves them.</summary>
    /// <param name="endpoints">At least one; each with port 0 gets a free port of its own.</param>
    /// <param name="cancellationToken">Gives up the start.</param>
    /// <exception cref="PortInUseException">A port is taken.</exception>
    /// <exception cref="ListenException">An address cannot be listened on.</exception>
    public static Task<HttpHost> StartAsync(IReadOnlyList<HttpEndpoint> endpoints, CancellationToken cancellationToken = default) =>
        StartAsync(endpoints, new ConnectionLimits(), cancellationToken);

    /// <inheritdoc cref="StartAsync(IReadOnlyList{HttpEndpoint}, CancellationToken)"/>
    /// <param name="endpoints">At least one; each with port 0 gets a free port of its own.</param>
    /// <param name="limits">How many connections all of them may have together.</param>
    /// <param name="cancellationToken">Gives up the start.</param>
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

    /// <summary>
    /// The root of an endpoint with the port that is really bound. A wildcard address is given as loopback, where this machine can reach
    /// it.
    /// </summary>
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
    /// Stops listening, ends idle connections at once and cuts the others after a quarter of a second. May be called more than once.
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
                var client = ConnectionLimits.ClientOf((connection.RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.None);
                var admission = _connections.Came(client);
                if (admission == Admission.Refused)
                {
                    connection.Abort(new ConnectionAbortedException("There are too many connections."));
                    return;
                }

                var transport = connection.Transport;
                var hosted = HostedConnection.Attach(connection, endpoint, isExcess: admission == Admission.Excess);
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
                    _connections.Left(client);
                }
            }
        );
    }

    /// <summary>Binding it here, and not in Kestrel, lets the exception say which of the endpoints it was.</summary>
    private static Socket Bind(EndPoint endPoint)
    {
        try
        {
            var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint);
            UnsentLimit.Set(socket);
            return socket;
        }
        catch (SocketException error)
        {
            var asked = (IPEndPoint)endPoint;
            throw error.SocketErrorCode == SocketError.AddressAlreadyInUse
                ? new PortInUseException(asked, error)
                : new ListenException(asked, $"Cannot listen on {asked}: {Advice(error.SocketErrorCode)}", error);
        }
    }

    private static string Advice(SocketError code) =>
        code switch
        {
            SocketError.AddressNotAvailable =>
                "it is not an address of this machine. Listen on 127.0.0.1, or on 0.0.0.0 for all of its addresses.",
            SocketError.AccessDenied =>
                "the system does not allow it. Ports below 1024 need more rights; use a higher one, or 0 for a free one.",
            _ => $"{code}. Use another address or port.",
        };
}
