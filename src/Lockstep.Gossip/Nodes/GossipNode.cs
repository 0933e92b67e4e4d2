using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Json;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Nodes;

/// <summary>
/// Replicated data that any node may change, reconciled peer to peer; wire-compatible with npm <c>scuttlebutt</c>. This is the base of data
/// types: a derived type defines what applying an update does (<see cref="Apply"/>) and, if the default will not do, what the history is
/// (<see cref="History"/>). All members may be called from any thread; the two operations are called under the node's lock.
/// </summary>
/// <example>
/// A set to which any node may add, <c>examples/gossip/GossipSet.cs</c>:
/// <code>
/// public sealed class GossipSet : GossipNode
/// {
///     private readonly HashSet&lt;string&gt; _items = new(StringComparer.Ordinal);
///
///     public GossipSet(GossipNodeOptions? options = null)
///         : base(options)
///     {
///         OpenFile("set");
///     }
///
///     public IReadOnlyList&lt;string&gt; Items =&gt; Read(() =&gt; _items.ToArray());
///
///     public void Add(string item) =&gt; LocalUpdate(JsonSerializer.SerializeToUtf8Bytes(item));
///
///     public GossipSet Clone() =&gt; AdoptClone(new GossipSet(CloneOptions));
///
///     protected override void Validate(ReadOnlySpan&lt;byte&gt; change)
///     {
///         if (change[0] != '"')
///         {
///             throw new GossipProtocolException("A set's change must be a string.");
///         }
///     }
///
///     protected override bool Apply(GossipUpdate update)
///     {
///         if (!_items.Add(update.GetChange().GetString()!))
///         {
///             return false; // known from another source: nothing to keep, nothing to pass on
///         }
///
///         Keep(update);
///         return true;
///     }
/// }
/// </code>
/// </example>
public abstract partial class GossipNode : IAsyncDisposable
{
    private const string UnpairedSurrogate = "A text has an unpaired surrogate, which not every store can hold.";
    private readonly SourceIndex _sources = new();
    private readonly GossipClock _clock;
    private readonly GossipHistory _history;
    private readonly NotificationQueue _notifications = new();
    private readonly FutureBound _future;
    private GossipFamily _family;
    private int _misfits;
    private long _ignoredLines;
    private long _refusedUpdates;
    private bool _dirty;
    private bool _disposed;

    /// <summary>
    /// A node without history. A derived type whose state does not exist before its constructor has run calls <see cref="OpenFile"/> at the
    /// end of its constructor.
    /// </summary>
    /// <exception cref="GossipIdentityException">The id cannot be used.</exception>
    protected GossipNode(GossipNodeOptions? options)
    {
        Options = options ?? new GossipNodeOptions();
        if (Options.Security is { } security && Options.Id is { } wanted && wanted != security.Id)
        {
            throw new GossipIdentityException(
                $"With security the id follows from the public key: it is '{security.Id}', not '{wanted}'.",
                "Leave out the id."
            );
        }

        CheckSignatures(Options);
        Id = CheckId(Options.Security?.Id ?? Options.Id ?? Convert.ToHexString(RandomNumberGenerator.GetBytes(16)));
        _clock = new GossipClock(_sources);
        _forgotten = new GossipClock(_sources);
        _gaps = new GossipClock(_sources);
        _history = new GossipHistory(_sources);
        _timestamps = MonotonicTimestamps.For(Options.TimeProvider);
        _future = new FutureBound(Options.TimeProvider, Options.MaxFuture);
        _holds = new HoldBook<GossipSession>(Options.MaxHeldUpdates);
        _holdTimer = new DueTimer(Options.TimeProvider, OnHoldTimer);
        _family = new GossipFamily(this);
        if (Options.Security is { } keys)
        {
            keys.KeysChanged += OnKeysChanged;
        }
    }

    /// <summary>The node's id: the source of updates written here.</summary>
    public string Id { get; private set; }

    /// <summary>The number of updates kept.</summary>
    public int HistoryCount
    {
        get
        {
            lock (Gate)
            {
                return _history.Count;
            }
        }
    }

    /// <summary>
    /// How many of the kept updates this data type cannot apply: it passes them on to nodes that may be able to. See
    /// <see cref="GossipUpdate.Misfit"/>.
    /// </summary>
    public int MisfitCount
    {
        get
        {
            lock (Gate)
            {
                return _misfits;
            }
        }
    }

    /// <summary>How many lines from peers did not belong to the protocol, and were ignored as in npm's scuttlebutt.</summary>
    public long IgnoredLineCount
    {
        get
        {
            lock (Gate)
            {
                return _ignoredLines;
            }
        }
    }

    /// <summary>
    /// How many updates were refused because their source would have exceeded <see cref="GossipNodeOptions.MaxSources"/>. They are
    /// requested again when a peer connects.
    /// </summary>
    public long RefusedUpdateCount
    {
        get
        {
            lock (Gate)
            {
                return _refusedUpdates;
            }
        }
    }

    /// <summary>The options with which the node was created.</summary>
    protected internal GossipNodeOptions Options { get; }

    internal bool IsDisposed => Volatile.Read(ref _disposed);

    internal Lock Gate => _family.Gate;

    /// <summary>A copy of what the node knows about each source.</summary>
    public GossipClock GetClock()
    {
        lock (Gate)
        {
            return _clock.Copy();
        }
    }

    /// <summary>A copy of what the clock lacks (null: of everything kept), in order of time.</summary>
    public IReadOnlyList<GossipUpdate> GetHistory(GossipClock? since = null)
    {
        lock (Gate)
        {
            return [.. History(since ?? new GossipClock())];
        }
    }

    /// <summary>Notifies an observer from now on, until the result is disposed.</summary>
    public IDisposable Subscribe(IGossipObserver observer)
    {
        ArgumentNullException.ThrowIfNull(observer);
        return _notifications.Subscribe(observer);
    }

    /// <summary>Ends all streams and closes the file. Clones are disposed separately.</summary>
    public async ValueTask DisposeAsync()
    {
        GossipSession[] sessions;
        lock (Gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            sessions = [.. _sessions];
        }

        if (Options.Security is { } security)
        {
            security.KeysChanged -= OnKeysChanged;
        }

        foreach (var part in Parts)
        {
            await part.DisposeAsync().ConfigureAwait(false);
        }

        foreach (var session in sessions)
        {
            if (session.Owner is { } stream)
            {
                await stream.DisposeAsync().ConfigureAwait(false);
            }
        }

        GossipNode[] others;
        lock (Gate)
        {
            _holdTimer.Dispose();
            _file.Dispose();
            others = LeaveFamily();
            _watchers.Wake();
        }

        _notifications.Deliver();
        Array.ForEach(others, static other => other.Deliver());
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Applies an update that is new to the clock: a local one, one from a peer, or one from the node's file. Call <see cref="Keep"/> for
    /// what must be passed on and remembered, and <see cref="Drop"/> for what it replaces. Called under the node's lock, in order within
    /// each source, except for updates that one peer withheld and another brought later (<see cref="GetMissing"/>).
    /// </summary>
    /// <returns>Whether it had an effect.</returns>
    protected abstract bool Apply(GossipUpdate update);

    /// <summary>
    /// The updates that a clock lacks, in order of time. Called under the node's lock; the caller takes as many as it has room for and asks
    /// again with an advanced clock. The default returns what was kept.
    /// </summary>
    protected virtual IEnumerable<GossipUpdate> History(GossipClock since) => _history.Since(since);

    /// <summary>
    /// Rejects a peer's change that <see cref="Apply"/> could not handle. Called outside the lock. Such a change is kept and passed on
    /// unchanged; so is one that contains an unpaired surrogate, which is never passed to this method.
    /// </summary>
    /// <exception cref="GossipProtocolException">The change is not one of this data type; the message becomes
    /// <see cref="GossipUpdate.Misfit"/>.</exception>
    protected virtual void Validate(ReadOnlySpan<byte> change) { }

    /// <summary>Remembers an update, so that peers get it and the file keeps it. Only within <see cref="Apply"/>.</summary>
    protected void Keep(GossipUpdate update)
    {
        if (update.Arrival == 0)
        {
            update.Arrival = Interlocked.Increment(ref _lastArrival);
        }

        _history.Add(update);
        if (update is PartUpdate part)
        {
            _container!.Keep(part.Whole);
            return;
        }

        if (update.Number is { } number && update.Source == Id)
        {
            _present.Add(number);
            if (update == _family.BeingSealed)
            {
                _writeWhenSealed = true;
                return;
            }
        }

        _file.Add(update);
    }

    /// <summary>Removes an update replaced by another. Only within <see cref="Apply"/>.</summary>
    protected void Drop(GossipUpdate update)
    {
        if (!_history.Remove(update))
        {
            return;
        }

        if (update is PartUpdate part)
        {
            _container!.Drop(part.Whole);
            return;
        }

        if (update.Number is { } number && update.Source == Id)
        {
            _present.Remove(number);
        }

        if (update == _family.BeingSealed)
        {
            _writeWhenSealed = false;
            return;
        }

        _file.Remove(update);
    }

    /// <summary>
    /// Reads the state that <see cref="Apply"/> maintains, under the node's lock. It must not write: <see cref="LocalUpdate"/> takes the
    /// lock itself, and <see cref="Batch"/> holds it over several.
    /// </summary>
    protected TResult Read<TResult>(Func<TResult> read)
    {
        ArgumentNullException.ThrowIfNull(read);
        lock (Gate)
        {
            return read();
        }
    }

    /// <summary>A JSON value as a separate element, however deep peers may nest it.</summary>
    /// <exception cref="JsonException">The text is not one JSON value.</exception>
    protected static JsonElement Parse(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, GossipJson.ReaderOptions);
        var value = JsonElement.ParseValue(ref reader);
        reader.Read();
        return value;
    }

    /// <summary>As <see cref="Validate"/>, for data types that need only what was observed while the line was parsed.</summary>
    /// <returns>Why the change does not fit the data type; null if it does.</returns>
    /// <exception cref="GossipProtocolException">The change would harm any node that received it: it ends the stream.</exception>
    private protected virtual string? MisfitOf(ReadOnlySpan<byte> change, ChangeShape shape)
    {
        if (GossipJson.HasUnpairedSurrogate(change))
        {
            return UnpairedSurrogate;
        }

        try
        {
            Validate(change);
            return null;
        }
        catch (GossipProtocolException error)
        {
            return error.Message;
        }
    }

    internal static string CheckId(string id)
    {
        if (id == GossipJson.ForbiddenName)
        {
            throw new GossipIdentityException("\"__proto__\" is refused as an id.", "Choose another.");
        }

        return id.Length > 0 && GossipJson.IsWellFormed(id)
            ? id
            : throw new GossipIdentityException("An id must not be empty and must not have unpaired surrogates.", "Choose another.");
    }

    internal void ThrowIfUnusable()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _file.ThrowIfFailed();
    }

    internal void Notify(GossipSession? session, Action<GossipStream?, IGossipObserver> notification) =>
        Notify(observer => notification(session?.Owner, observer));

    internal void Deliver() => _notifications.Deliver();

    private void Notify(Action<IGossipObserver> notification)
    {
        if (_notifications.Any)
        {
            _notifications.Add(notification);
        }
    }
}
