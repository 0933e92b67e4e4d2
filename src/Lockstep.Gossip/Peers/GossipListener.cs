using System.IO.Pipes;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Lockstep.Gossip.Nodes;

namespace Lockstep.Gossip.Peers;

/// <summary>How a listener talks to its peers.</summary>
public sealed record GossipListenerOptions
{
    /// <summary>How to use each stream.</summary>
    public GossipStreamOptions Stream { get; init; } = new();

    /// <summary>The certificate and what goes with it; null for plain TCP.</summary>
    public SslServerAuthenticationOptions? Tls { get; init; }

    /// <summary>
    /// How many peers may be connected at once; above 0, default 1,024. Another one takes the place of the peer that has been silent
    /// longest, if that is ten minutes or more; otherwise it is disconnected at once.
    /// </summary>
    public int MaxPeers { get; init; } = 1024;

    /// <summary>How many of them from one IP address; above 0, default 512. Others are disconnected at once.</summary>
    public int MaxPeersPerAddress { get; init; } = 512;

    /// <summary>The clock that measures silence.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>
    /// Called for each connection that ended with an error, even one that never reached a node, with its address (IPv6: its /64) if that
    /// is known. Called from any thread.
    /// </summary>
    public Action<IPAddress?, Exception>? ConnectionFailed { get; init; }
}

/// <summary>Accepts peers over TCP, TLS or a named pipe and connects them to the nodes of a hub, until it is disposed.</summary>
public sealed class GossipListener : IAsyncDisposable
{
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(30);
    private readonly GossipHub _hub;
    private readonly GossipListenerOptions _options;
    private readonly CancellationTokenSource _stop = new();
    private readonly PeerPlaces _places;
    private readonly IDisposable? _socket;
    private readonly Task _accepting;

    private GossipListener(
        GossipHub hub,
        GossipListenerOptions options,
        Uri uri,
        Func<CancellationToken, Task<Stream>> accept,
        IDisposable? socket
    )
    {
        _hub = hub;
        _options = options;
        _places = new PeerPlaces(options);
        _socket = socket;
        Uri = uri;
        _accepting = AcceptAsync(accept);
    }

    /// <summary>Where peers reach it, with the chosen port.</summary>
    public Uri Uri { get; }

    /// <summary>Listens on a TCP address; port 0 chooses a free one.</summary>
    /// <exception cref="SocketException">The address is in use, or is not this machine's.</exception>
    public static GossipListener Start(IPEndPoint address, GossipHub hub, GossipListenerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentNullException.ThrowIfNull(hub);
        options ??= new GossipListenerOptions();
        var listener = new TcpListener(address);
        listener.Start();
        var scheme = options.Tls is null ? "tcp" : "tls";
        return new GossipListener(
            hub,
            options,
            new Uri($"{scheme}://{(IPEndPoint)listener.LocalEndpoint}"),
            async cancellationToken =>
            {
                var socket = await listener.AcceptSocketAsync(cancellationToken).ConfigureAwait(false);
                GossipDialer.Configure(socket);
                return new NetworkStream(socket, ownsSocket: true);
            },
            listener
        );
    }

    /// <summary>Listens on a named pipe of this machine, for this user.</summary>
    public static GossipListener StartPipe(string pipeName, GossipHub hub, GossipListenerOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(pipeName);
        ArgumentNullException.ThrowIfNull(hub);
        return new GossipListener(
            hub,
            options ?? new GossipListenerOptions(),
            new Uri("pipe://localhost/" + Uri.EscapeDataString(pipeName)),
            async cancellationToken =>
            {
                var pipe = new NamedPipeServerStream(
                    pipeName,
                    PipeDirection.InOut,
                    NamedPipeServerStream.MaxAllowedServerInstances,
                    PipeTransmissionMode.Byte,
                    PipeOptions.Asynchronous | PipeOptions.CurrentUserOnly
                );
                try
                {
                    await pipe.WaitForConnectionAsync(cancellationToken).ConfigureAwait(false);
                    return pipe;
                }
                catch
                {
                    await pipe.DisposeAsync().ConfigureAwait(false);
                    throw;
                }
            },
            null
        );
    }

    /// <summary>Stops listening and ends the streams that it accepted.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _socket?.Dispose();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_places.Connections).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task AcceptAsync(Func<CancellationToken, Task<Stream>> accept)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var stream = await accept(_stop.Token).ConfigureAwait(false);
                var address = PeerPlaces.AddressOf(stream);
                if (_places.Take(address) is { } place)
                {
                    place.Connection = ServeAsync(stream, place);
                    continue;
                }

                await stream.DisposeAsync().ConfigureAwait(false);
                _options.ConnectionFailed?.Invoke(
                    address,
                    new IOException("A peer was disconnected: the limit of connections, in total or for its address, is reached.")
                );
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception error) when (error is SocketException or IOException or ObjectDisposedException)
            {
                if (_stop.IsCancellationRequested)
                {
                    return;
                }

                // A peer that disconnected immediately, or a moment without free handles.
                _options.ConnectionFailed?.Invoke(null, error);
                await Task.Delay(100, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task ServeAsync(Stream stream, PeerPlace place)
    {
        using var leave = place;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, place.Wanted);
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            if (_options.Tls is not null)
            {
                var secure = new SslStream(stream);
                stream = secure;
                using var late = CancellationTokenSource.CreateLinkedTokenSource(ending.Token);
                late.CancelAfter(HandshakeTimeout);
                await secure.AuthenticateAsServerAsync(_options.Tls, late.Token).ConfigureAwait(false);
            }

            await _hub.RunAsync(stream, null, _options.Stream with { Heard = place.NoteHeard, From = place.Address }, ending.Token)
                .ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Ended from our side.
        }
        catch (OperationCanceledException) when (place.Wanted.IsCancellationRequested)
        {
            _options.ConnectionFailed?.Invoke(
                place.Address,
                new IOException("A peer that had long been silent was disconnected to make room for another.")
            );
        }
        catch (Exception error)
        {
            _options.ConnectionFailed?.Invoke(place.Address, error);
        }
        finally
        {
            await stream.DisposeAsync().ConfigureAwait(false);
        }
    }
}
