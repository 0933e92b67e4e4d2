using System.Collections.Concurrent;
using System.Net;
using System.Net.WebSockets;
using Lockstep.Engine.Serving;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Serving.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lockstep.Serving;

/// <summary>Options of a <see cref="GossipEndpoint"/>.</summary>
public sealed record GossipEndpointOptions
{
    /// <summary>The options of each stream.</summary>
    public GossipStreamOptions Stream { get; init; } = new();

    /// <summary>Called for each connection that ended with an error, with its address (IPv6: its /64), from any thread.</summary>
    public Action<IPAddress?, Exception>? ConnectionFailed { get; init; }
}

/// <summary>
/// Accepts peers over WebSocket and connects them to the nodes of a hub, until it is disposed: a node at the path that is its name and, if
/// it is the only one, at the root. Thread-safe.
/// </summary>
public sealed class GossipEndpoint : IAsyncDisposable
{
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(30);

    private readonly GossipHub _hub;
    private readonly GossipEndpointOptions _options;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<Task, byte> _connections = new();
    private HttpHost? _host;

    private GossipEndpoint(GossipHub hub, GossipEndpointOptions options)
    {
        _hub = hub;
        _options = options;
    }

    /// <summary>The root, with the bound port: <c>ws</c>, or <c>wss</c> if the endpoint has a certificate.</summary>
    public Uri Uri { get; private set; } = null!;

    /// <summary>Binds the address, then accepts peers.</summary>
    /// <param name="endpoint">
    /// Address, port and certificate. It may have other routes too; requests that those do not handle are handled here.
    /// </param>
    /// <param name="hub">The nodes to offer.</param>
    /// <param name="options">The options; null for the defaults.</param>
    /// <param name="cancellationToken">Cancels the start.</param>
    /// <exception cref="PortInUseException">The port is taken.</exception>
    /// <exception cref="ListenException">The address cannot be listened on.</exception>
    /// <exception cref="ArgumentException">The endpoint has a route for <c>/</c>.</exception>
    public static async Task<GossipEndpoint> StartAsync(
        HttpEndpoint endpoint,
        GossipHub hub,
        GossipEndpointOptions? options = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        ArgumentNullException.ThrowIfNull(hub);
        GossipEndpoint started = new(hub, options ?? new GossipEndpointOptions());
        endpoint.Routes.Add("/", started.HandleAsync);
        started._host = await HttpHost.StartAsync([endpoint], cancellationToken).ConfigureAwait(false);
        var root = started._host.GetUri(endpoint);
        started.Uri = new UriBuilder(root)
        {
            Scheme = root.Scheme == System.Uri.UriSchemeHttps ? System.Uri.UriSchemeWss : System.Uri.UriSchemeWs,
        }.Uri;
        return started;
    }

    /// <summary>Stops listening and ends the streams that it accepted. May be called more than once.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _host!.StopAsync().ConfigureAwait(false);
        await Task.WhenAll(_connections.Keys).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task HandleAsync(HttpContext context)
    {
        var name = NameIn(context);
        if (name is not null && !_hub.Names.Contains(name))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }
        var socket = await ServerWebSocket.AcceptAsync(context, KeepAlive).ConfigureAwait(false);
        if (socket is null)
            return;
        using (socket)
        {
            var connection = SpeakAsync(socket, name, context.Connection.RemoteIpAddress);
            _connections.TryAdd(connection, 0);
            await connection.ConfigureAwait(false);
            _connections.TryRemove(connection, out _);
        }
    }

    private async Task SpeakAsync(WebSocket socket, string? name, IPAddress? from)
    {
        try
        {
            await _hub.RunAsync(GossipDialer.OverWebSocket(socket), name, _options.Stream with { From = from }, _stopping.Token)
                .ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Ended from our side.
        }
        catch (Exception error)
        {
            _options.ConnectionFailed?.Invoke(from is null ? null : ClientAddress.Of(from), error);
        }
    }

    /// <summary>
    /// The model named by the path; null for the root. It is taken from the request line, because Kestrel leaves some escapes in the path
    /// and not others.
    /// </summary>
    private static string? NameIn(HttpContext context)
    {
        var path = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.Split('?')[0].Trim('/');
        return path.Length == 0 ? null : System.Uri.UnescapeDataString(path);
    }
}
