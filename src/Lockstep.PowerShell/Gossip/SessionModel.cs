using Lockstep.Engine;
using Lockstep.Errors;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Hosting;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;

namespace Lockstep.Gossip;

/// <summary>Hides the engine's node, and its connections, from public types. Thread-safe.</summary>
internal sealed class SessionModel : IModelState, IAsyncDisposable
{
    private static readonly Dictionary<ModelKind, string> Types = new()
    {
        [ModelKind.Model] = "model",
        [ModelKind.Events] = "events",
        [ModelKind.RValue] = "r-value",
        [ModelKind.CrdtDoc] = "crdt",
        [ModelKind.ExpiryModel] = "expiry-model",
    };
    private readonly Lock _gate = new();
    private readonly GossipNode _node;
    private readonly IDisposable? _keys;
    private readonly List<ModelConnectionInfo> _connections = [];
    private readonly List<SessionListener> _listeners = [];
    private SyncedPeers? _peers;
    private bool _removed;

    /// <param name="name">The model's name; null for the node's id.</param>
    /// <param name="kind">What it holds.</param>
    /// <param name="options">How to create the node. Its keys are disposed with the model.</param>
    /// <param name="retention">How much of the past a model of events keeps.</param>
    /// <exception cref="GossipException">The id or the file cannot be used.</exception>
    public SessionModel(string? name, ModelKind kind, GossipNodeOptions options, EventRetention retention)
    {
        _keys = options.Security as IDisposable;
        try
        {
            _node = GossipTypes.Create(Types[kind], options, retention);
        }
        catch
        {
            _keys?.Dispose();
            throw;
        }

        Name = name ?? _node.Id;
        Kind = kind;
        Path = options.Path;
    }

    public string Name { get; }

    public string Id => _node.Id;

    public ModelKind Kind { get; }

    public string? Path { get; }

    public int Count =>
        IsRemoved ? 0
        : _node is IGossipValues values ? values.Keys.Count
        : _node.HistoryCount - _node.MisfitCount;

    public int PeerCount => _node.StreamCount;

    public ModelHold[] Held => [.. _node.GetHeld().Select(static hold => new ModelHold(hold.Source, hold.Due?.LocalDateTime, hold.Count))];

    public ModelMissing[] Missing =>
        [.. _node.GetMissing().Select(static missing => new ModelMissing(missing.Source, missing.Count, missing.Numbers))];

    public long RefusedCount => _node.RefusedUpdateCount;

    public bool IsRemoved => Volatile.Read(ref _removed);

    /// <summary>Its connections, oldest first.</summary>
    public ModelConnectionInfo[] Connections
    {
        get
        {
            lock (_gate)
                return [.. _connections];
        }
    }

    /// <summary>The engine's node, until the model is removed.</summary>
    /// <exception cref="ModelNotFoundException">The model was removed.</exception>
    public GossipNode Node =>
        IsRemoved ? throw new ModelNotFoundException($"The model '{Name}' was removed.", "Create it again with New-LockstepModel.") : _node;

    /// <summary>Its keys and values.</summary>
    /// <exception cref="InvalidOptionException">It holds events.</exception>
    public IGossipValues Values =>
        Node as IGossipValues
        ?? throw new InvalidOptionException(
            $"The model '{Name}' holds events, not values.",
            "Use Send-LockstepEvent and Receive-LockstepEvent, or make a model of -Kind Model."
        );

    /// <summary>Its events.</summary>
    /// <exception cref="InvalidOptionException">It holds values.</exception>
    public LockstepEmitter Events =>
        Node as LockstepEmitter
        ?? throw new InvalidOptionException(
            $"The model '{Name}' holds values, not events.",
            "Use the LockstepModelValue cmdlets and Watch-LockstepModel, or make a model of -Kind Events."
        );

    /// <summary>The model behind an object that the user holds.</summary>
    public static SessionModel Of(ModelInfo model) => (SessionModel)model.State;

    /// <summary>Sets a key to a JSON value.</summary>
    /// <exception cref="InvalidOptionException">The key is refused, or the model holds events.</exception>
    public void Set(string key, ReadOnlyMemory<byte> json)
    {
        var values = Values;
        WithName(key, () => values.SetJson(key, json.Span));
    }

    /// <summary>Sends an event with JSON values.</summary>
    /// <exception cref="InvalidOptionException">The name is refused, or the model holds values.</exception>
    public GossipUpdate Emit(string name, IReadOnlyList<ReadOnlyMemory<byte>> arguments)
    {
        var events = Events;
        return WithName(name, () => events.EmitJson(name, arguments));
    }

    /// <summary>Keeps the model connected to a peer from now on.</summary>
    /// <exception cref="ArgumentException">The engine does not know the URI's form.</exception>
    public ModelConnectionInfo Connect(Uri uri, ModelDirection direction, int? maximumRetryCount, GossipDialOptions dial)
    {
        var connection = new ModelConnectionInfo(new SessionConnection(Name, Node, uri, direction, maximumRetryCount, dial));
        lock (_gate)
        {
            if (!_removed)
            {
                _connections.Add(connection);
                return connection;
            }
        }

        // Removed meanwhile: a connector whose node is gone ends on its own.
        return connection;
    }

    /// <summary>Ends a connection.</summary>
    public async Task DisconnectAsync(ModelConnectionInfo connection)
    {
        lock (_gate)
            _connections.Remove(connection);

        await SessionConnection.Of(connection).DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Notes a listener that offers the model.</summary>
    public void OfferBy(SessionListener listener)
    {
        lock (_gate)
        {
            _listeners.RemoveAll(other => !other.IsListening);
            _listeners.Add(listener);
            _peers ??= new SyncedPeers(_node);
        }
    }

    /// <summary>Waits until all its connections have synced; if it has none, until a peer that connected to it has.</summary>
    /// <exception cref="ModelNotConnectedException">It has no connection and no listener.</exception>
    /// <exception cref="ModelSyncTimeoutException">It took longer than the limit.</exception>
    /// <exception cref="GossipException">A connection ended permanently.</exception>
    public async Task WaitForSyncAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        _ = Node;
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        waiting.CancelAfter(limit);
        try
        {
            if (Connections is { Length: > 0 } connections)
            {
                await Task.WhenAll(connections.Select(connection => SessionConnection.Of(connection).WaitForSyncAsync(waiting.Token)))
                    .ConfigureAwait(false);
            }
            else
            {
                await (_peers?.Any ?? throw new ModelNotConnectedException(Name)).WaitAsync(waiting.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ModelSyncTimeoutException(
                Name,
                limit,
                Connections.Select(connection => connection.LastError).FirstOrDefault(error => error is not null)
            );
        }
    }

    /// <summary>Ends its connections, makes its listeners stop offering it, and closes its file. May be called twice.</summary>
    public async ValueTask DisposeAsync()
    {
        ModelConnectionInfo[] connections;
        SessionListener[] listeners;
        lock (_gate)
        {
            if (_removed)
                return;

            _removed = true;
            connections = [.. _connections];
            listeners = [.. _listeners];
            _connections.Clear();
            _listeners.Clear();
        }

        foreach (var connection in connections)
            await SessionConnection.Of(connection).DisposeAsync().ConfigureAwait(false);

        foreach (var listener in listeners)
            await listener.WithdrawAsync(Name).ConfigureAwait(false);

        _peers?.Dispose();
        await _node.DisposeAsync().ConfigureAwait(false);
        _keys?.Dispose();
    }

    /// <summary>Reports a name that the engine refuses as an option, because the user can correct it.</summary>
    private static GossipUpdate WithName(string name, Func<GossipUpdate> use)
    {
        try
        {
            return use();
        }
        catch (ArgumentException error)
        {
            throw new InvalidOptionException($"'{name}' is refused: {PlainText.MessageOf(error)}", "Choose another.");
        }
    }
}
