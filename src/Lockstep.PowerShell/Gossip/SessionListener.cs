using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Lockstep.Errors;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Serving;
using Lockstep.Serving.Hosting;

namespace Lockstep.Gossip;

/// <summary>Where to listen, and how.</summary>
/// <param name="Address">The address, unless it is a pipe.</param>
/// <param name="PipeName">The named pipe; null for the address.</param>
/// <param name="WebSocket">WebSocket instead of plain TCP.</param>
/// <param name="Certificate">The certificate with its key, which the caller keeps and disposes; null for no TLS.</param>
internal sealed record ListeningPlace(IPEndPoint Address, string? PipeName, bool WebSocket, X509Certificate2? Certificate)
{
    /// <summary>For WebSocket: the names under which clients may reach it, and the web pages from which.</summary>
    public SiteRules Site { get; init; } = new();
}

/// <summary>Hides a listener of any kind and its hub from public types. Thread-safe.</summary>
internal sealed class SessionListener : IModelListenerState, IAsyncDisposable
{
    private readonly GossipHub _hub = new();
    private readonly List<string> _names = [];
    private readonly Lock _gate = new();
    private IAsyncDisposable? _listener;
    private Exception? _lastError;
    private int _failures;

    private SessionListener() { }

    public Uri Uri { get; private set; } = null!;

    /// <summary>The names of the models, in the order in which they were given.</summary>
    public string[] Names
    {
        get
        {
            lock (_gate)
                return [.. _names];
        }
    }

    public Uri[] ModelUris =>
        [.. Names.Select(name => new Uri($"{Uri.GetLeftPart(UriPartial.Path).TrimEnd('/')}/{Uri.EscapeDataString(name)}"))];

    public bool IsListening => Volatile.Read(ref _listener) is not null;

    public int FailureCount => Volatile.Read(ref _failures);

    public Exception? LastError => Volatile.Read(ref _lastError);

    /// <summary>The listener behind an object that the user holds.</summary>
    public static SessionListener Of(ModelListenerInfo listener) => (SessionListener)listener.State;

    /// <summary>Listens, and offers each model by its name.</summary>
    /// <exception cref="ModelNameInUseException">Two of the models share a name.</exception>
    /// <exception cref="ListenException">It cannot listen on the address.</exception>
    public static async Task<SessionListener> StartAsync(
        ListeningPlace place,
        ModelDirection direction,
        IReadOnlyList<SessionModel> models,
        CancellationToken cancellationToken
    )
    {
        var session = new SessionListener();
        foreach (var model in models)
            session.Offer(model);

        var stream = new GossipStreamOptions { Direction = (GossipDirection)direction, AwaitClock = direction == ModelDirection.SendOnly };
        if (place.WebSocket)
        {
            var endpoint = await GossipEndpoint
                .StartAsync(
                    new HttpEndpoint
                    {
                        Address = place.Address.Address,
                        Port = place.Address.Port,
                        Certificate = place.Certificate,
                        Site = place.Site,
                    },
                    session._hub,
                    new GossipEndpointOptions { Stream = stream, ConnectionFailed = session.NoteFailure },
                    cancellationToken
                )
                .ConfigureAwait(false);
            session.Uri = endpoint.Uri;
            session._listener = endpoint;
        }
        else
        {
            var options = new GossipListenerOptions
            {
                Stream = stream,
                ConnectionFailed = session.NoteFailure,
                Tls = place.Certificate is { } certificate ? new SslServerAuthenticationOptions { ServerCertificate = certificate } : null,
            };
            var listener = place.PipeName is { } pipe
                ? GossipListener.StartPipe(pipe, session._hub, options)
                : Listen(place.Address, session._hub, options);
            session.Uri = listener.Uri;
            session._listener = listener;
        }

        foreach (var model in models)
            model.OfferBy(session);

        return session;
    }

    private static GossipListener Listen(IPEndPoint address, GossipHub hub, GossipListenerOptions options)
    {
        try
        {
            return GossipListener.Start(address, hub, options);
        }
        catch (SocketException error)
        {
            throw ListenException.Of(address, error);
        }
    }

    /// <summary>Stops offering a model; the listener ends with the last one.</summary>
    public async Task WithdrawAsync(string name)
    {
        bool last;
        lock (_gate)
        {
            _hub.Remove(name);
            last = _names.Remove(name) && _names.Count == 0;
        }

        if (last)
            await DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Stops listening and ends the streams that peers opened. May be called twice.</summary>
    public ValueTask DisposeAsync() => Interlocked.Exchange(ref _listener, null)?.DisposeAsync() ?? ValueTask.CompletedTask;

    private void Offer(SessionModel model)
    {
        if (_names.Contains(model.Name))
            throw new ModelNameInUseException(model.Name);

        _hub.Add(model.Name, model.Node);
        _names.Add(model.Name);
    }

    private void NoteFailure(IPAddress? address, Exception error)
    {
        Interlocked.Increment(ref _failures);
        Volatile.Write(ref _lastError, error);
    }
}
