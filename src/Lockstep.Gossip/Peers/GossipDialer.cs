using System.IO.Pipes;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using Lockstep.Engine.Feed;
using Lockstep.Gossip.Nodes;

namespace Lockstep.Gossip.Peers;

/// <summary>How to reach a peer.</summary>
public sealed record GossipDialOptions
{
    /// <summary>
    /// What <c>tls</c> requires of the peer's certificate; null for the system's rules. If it does not name an expected host, the URI's
    /// host is used.
    /// </summary>
    public SslClientAuthenticationOptions? Tls { get; init; }

    /// <summary>Sets headers, credentials, certificates and the like of a WebSocket.</summary>
    public Action<ClientWebSocketOptions>? WebSocket { get; init; }
}

/// <summary>
/// Opens streams to peers. <c>tcp://host:port[/model]</c>, <c>tls://host:port[/model]</c>, <c>ws://</c> and <c>wss://host[:port]/path</c>,
/// <c>pipe://host/name[/model]</c>, <c>stdio:</c>. The hosts 0.0.0.0 and [::] mean the loopback address.
/// </summary>
public static class GossipDialer
{
    private static readonly string[] Schemes = ["tcp", "tls", "ws", "wss", "pipe", "stdio"];

    /// <summary>Opens a duplex stream.</summary>
    /// <exception cref="ArgumentException">The URI has no known form.</exception>
    /// <exception cref="IOException">The peer cannot be reached.</exception>
    public static async Task<Stream> ConnectAsync(Uri uri, GossipDialOptions? options = null, CancellationToken cancellationToken = default)
    {
        Check(uri);
        uri = WildcardHost.ToLoopback(uri);
        options ??= new GossipDialOptions();
        try
        {
            return uri.Scheme switch
            {
                "tcp" => await ConnectSocketAsync(uri, cancellationToken).ConfigureAwait(false),
                "tls" => await ConnectTlsAsync(uri, options.Tls, cancellationToken).ConfigureAwait(false),
                "pipe" => await ConnectPipeAsync(uri, cancellationToken).ConfigureAwait(false),
                "stdio" => DuplexStream.StandardInputAndOutput(),
                _ => await ConnectWebSocketAsync(uri, options.WebSocket, cancellationToken).ConfigureAwait(false),
            };
        }
        catch (Exception error)
            when (error is SocketException or WebSocketException or System.Security.Authentication.AuthenticationException)
        {
            throw new IOException($"No connection to {uri.Scheme}://{uri.Authority}: {error.Message}", error);
        }
    }

    /// <summary>Refuses a URI without a known form.</summary>
    internal static void Check(Uri uri)
    {
        ArgumentNullException.ThrowIfNull(uri);
        var known = uri.IsAbsoluteUri && Schemes.Contains(uri.Scheme);
        if (!known || (uri.Scheme is "tcp" or "tls" && uri.Port <= 0) || (uri.Scheme == "pipe" && Segments(uri).Length == 0))
        {
            throw new ArgumentException(
                "A peer's URI is tcp://host:port, tls://host:port, ws://host/path, wss://host/path, pipe://host/name or stdio:",
                nameof(uri)
            );
        }
    }

    /// <summary>The model named by a URI; null if it names none, or the server takes it from the path.</summary>
    internal static string? ModelIn(Uri uri) =>
        uri.Scheme switch
        {
            "tcp" or "tls" => Segments(uri).FirstOrDefault(),
            "pipe" => Segments(uri).Skip(1).FirstOrDefault(),
            _ => null,
        };

    /// <summary>Updates are small and each is wanted at once; a peer that silently vanished is noticed within a minute or two.</summary>
    internal static void Configure(Socket socket)
    {
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 60);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 10);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 5);
    }

    private static string[] Segments(Uri uri) =>
        [.. uri.AbsolutePath.Split('/', StringSplitOptions.RemoveEmptyEntries).Select(Uri.UnescapeDataString)];

    private static async Task<NetworkStream> ConnectSocketAsync(Uri uri, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            Configure(socket);
            await socket.ConnectAsync(uri.DnsSafeHost, uri.Port, cancellationToken).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task<SslStream> ConnectTlsAsync(Uri uri, SslClientAuthenticationOptions? tls, CancellationToken cancellationToken)
    {
        var secure = new SslStream(await ConnectSocketAsync(uri, cancellationToken).ConfigureAwait(false));
        try
        {
            tls ??= new SslClientAuthenticationOptions();
            tls.TargetHost = string.IsNullOrEmpty(tls.TargetHost) ? uri.DnsSafeHost : tls.TargetHost;
            await secure.AuthenticateAsClientAsync(tls, cancellationToken).ConfigureAwait(false);
            return secure;
        }
        catch
        {
            await secure.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static async Task<NamedPipeClientStream> ConnectPipeAsync(Uri uri, CancellationToken cancellationToken)
    {
        var server = uri.IsLoopback ? "." : uri.DnsSafeHost;
        var pipe = new NamedPipeClientStream(server, Segments(uri)[0], PipeDirection.InOut, PipeOptions.Asynchronous);
        try
        {
            await pipe.ConnectAsync(TimeSpan.FromSeconds(10), cancellationToken).ConfigureAwait(false);
            return pipe;
        }
        catch (TimeoutException error)
        {
            await pipe.DisposeAsync().ConfigureAwait(false);
            throw new IOException($"No connection to {uri}: nothing listens on that pipe.", error);
        }
        catch
        {
            await pipe.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static async Task<Stream> ConnectWebSocketAsync(
        Uri uri,
        Action<ClientWebSocketOptions>? configure,
        CancellationToken cancellationToken
    )
    {
        var socket = new ClientWebSocket();
        try
        {
            socket.Options.KeepAliveInterval = TimeSpan.FromSeconds(30);
            socket.Options.KeepAliveTimeout = TimeSpan.FromSeconds(30);
            configure?.Invoke(socket.Options);
            await socket.ConnectAsync(uri, cancellationToken).ConfigureAwait(false);
            return OverWebSocket(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>
    /// An open WebSocket, of either side, as a stream for <see cref="GossipNode.Attach(Stream, GossipStreamOptions?)"/>: each write is one
    /// text message of whole lines, so that browsers can read it too.
    /// </summary>
    public static Stream OverWebSocket(WebSocket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        var stream = WebSocketStream.Create(socket, WebSocketMessageType.Text, TimeSpan.FromSeconds(5));
        return new DuplexStream(stream, stream)
        {
            BeginMessage = () => WebSocketStream.CreateWritableMessageStream(socket, WebSocketMessageType.Text),
            EndWriting = cancellationToken => socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, cancellationToken),
        };
    }
}
