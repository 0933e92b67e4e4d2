using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;

namespace Lockstep.Gossip;

/// <summary>Hides the engine's connector from public types. Thread-safe.</summary>
internal sealed class SessionConnection : IModelConnectionState, IAsyncDisposable
{
    private readonly GossipConnector _connector;

    /// <summary>Starts connecting at once.</summary>
    /// <exception cref="ArgumentException">The engine does not know the URI's form.</exception>
    public SessionConnection(
        string model,
        GossipNode node,
        Uri uri,
        ModelDirection direction,
        int? maximumRetryCount,
        GossipDialOptions dial
    )
    {
        var stream = new GossipStreamOptions { Direction = (GossipDirection)direction, AwaitClock = direction == ModelDirection.SendOnly };
        _connector = new GossipConnector(
            node,
            uri,
            new GossipConnectorOptions
            {
                Stream = stream,
                MaximumRetryCount = maximumRetryCount,
                Dial = dial,
            }
        );
        Model = model;
        Uri = new Uri(uri.GetLeftPart(UriPartial.Path)); // a query may hold a token (I9)
        Direction = direction;
    }

    public string Model { get; }

    public Uri Uri { get; }

    public ModelDirection Direction { get; }

    public bool IsConnected => _connector.Current is not null;

    public bool IsSynced => _connector.Current?.Synced.IsCompletedSuccessfully ?? false;

    public bool IsEnded => _connector.Completion.IsCompleted;

    public int ConnectionCount => _connector.Connections;

    public Exception? LastError => _connector.LastError;

    /// <summary>The connection behind an object that the user holds.</summary>
    public static SessionConnection Of(ModelConnectionInfo connection) => (SessionConnection)connection.State;

    public Task WaitForSyncAsync(CancellationToken cancellationToken) => _connector.WaitForSyncAsync(cancellationToken);

    public ValueTask DisposeAsync() => _connector.DisposeAsync();
}
