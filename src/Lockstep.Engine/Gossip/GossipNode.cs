using System.Buffers;
using System.Security.Cryptography;

namespace Lockstep.Engine.Gossip;

/// <summary>
/// Replicated data that any node may change, reconciled peer to peer; wire-compatible with npm <c>scuttlebutt</c>. This is the base of data types: one derives from it and says what applying an update does
/// (<see cref="Apply"/>) and, where the default will not do, what the history is (<see cref="History"/>). All members may be called from any thread; the two operations are called under the node's lock.
/// </summary>
/// <example>
/// A set to which any node may add:
/// <code>
/// public sealed class GossipSet(GossipNodeOptions? options = null) : GossipNode(options)
/// {
///     private readonly HashSet&lt;string&gt; _items = [];
///
///     public void Add(string item) =&gt; LocalUpdate(JsonSerializer.SerializeToUtf8Bytes(item));
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
    private readonly GossipClock _clock = new();
    private readonly GossipHistory _history = new();
    private readonly List<GossipSession> _sessions = [];
    private readonly List<AsyncSignal> _watchers = [];
    private readonly NotificationQueue _notifications = new();
    private readonly MonotonicTimestamps _timestamps;
    private readonly ArrayBufferWriter<byte> _scratch = new(256);
    private readonly ArrayBufferWriter<byte> _changeScratch = new(256);
    private GossipFamily _family;
    private GossipStore? _store;
    private GossipStoreException? _failure;
    private bool _dirty;
    private bool _disposed;

    /// <summary>A node without history. A derived type whose state does not exist before its constructor ran calls <see cref="OpenFile"/> at the end of it.</summary>
    /// <exception cref="GossipIdentityException">The id cannot be used.</exception>
    protected GossipNode(GossipNodeOptions? options)
    {
        Options = options ?? new GossipNodeOptions();
        if (Options.Security is { } security && Options.Id is { } wanted && wanted != security.Id)
        {
            throw new GossipIdentityException($"With security the id follows from the public key: it is '{security.Id}', not '{wanted}'.", "Leave out the id.");
        }

        Id = CheckId(Options.Security?.Id ?? Options.Id ?? Convert.ToHexString(RandomNumberGenerator.GetBytes(16)));
        _timestamps = MonotonicTimestamps.For(Options.TimeProvider);
        _family = new GossipFamily(this);
        if (Options.Security is { } keys)
        {
            keys.KeysChanged += OnKeysChanged;
        }
    }

    /// <summary>The node's id: the source of what is written here.</summary>
    public string Id { get; private set; }

    /// <summary>The number of streams attached.</summary>
    public int StreamCount
    {
        get
        {
            lock (Gate)
            {
                return _sessions.Count;
            }
        }
    }

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

    internal GossipNodeOptions Options { get; }

    internal bool IsDisposed => Volatile.Read(ref _disposed);

    internal Lock Gate => _family.Gate;

    /// <summary>A copy of what the node knows of each source.</summary>
    public GossipClock GetClock()
    {
        lock (Gate)
        {
            return _clock.Copy();
        }
    }

    /// <summary>A copy of what the clock lacks (null: of everything that is kept), in order of time.</summary>
    public IReadOnlyList<GossipUpdate> GetHistory(GossipClock? since = null)
    {
        lock (Gate)
        {
            return [.. History(since ?? new GossipClock())];
        }
    }

    /// <summary>Has an observer told of what happens from now on, until the result is disposed.</summary>
    public IDisposable Subscribe(IGossipObserver observer)
    {
        ArgumentNullException.ThrowIfNull(observer);
        return _notifications.Subscribe(observer);
    }

    /// <summary>Starts to speak with a peer over a duplex stream, and returns at once. The stream is disposed at the end, unless the options say otherwise.</summary>
    /// <exception cref="ObjectDisposedException">The node is disposed.</exception>
    /// <exception cref="GossipException">The node could not write its file.</exception>
    public GossipStream Attach(Stream stream, GossipStreamOptions? options = null) => Attach(stream, options, default);

    internal GossipStream Attach(Stream stream, GossipStreamOptions? options, ReadOnlyMemory<byte> received)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var attached = new GossipStream(this, stream, options ?? new GossipStreamOptions(), received);
        attached.Start();
        return attached;
    }

    /// <summary>Speaks with a peer until the stream ends.</summary>
    /// <exception cref="GossipProtocolException">The peer sent what is no message.</exception>
    /// <exception cref="IOException">The stream broke.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public Task RunAsync(Stream stream, GossipStreamOptions? options = null, CancellationToken cancellationToken = default) => RunAsync(stream, options, default, cancellationToken);

    internal async Task RunAsync(Stream stream, GossipStreamOptions? options, ReadOnlyMemory<byte> received, CancellationToken cancellationToken)
    {
        var attached = Attach(stream, options, received);
        await using (attached.ConfigureAwait(false))
        {
            await attached.Completion.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Ends all streams and closes the file. A clone is disposed by itself.</summary>
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

        foreach (var session in sessions)
        {
            if (session.Owner is { } stream)
            {
                await stream.DisposeAsync().ConfigureAwait(false);
            }
        }

        lock (Gate)
        {
            _holdTimer?.Dispose();
            _store?.Dispose();
            LeaveFamily();
            foreach (var watcher in _watchers)
            {
                watcher.Set();
            }
        }

        _notifications.Deliver();
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Applies an update that is new to the clock: a local one, one from a peer, or one from the node's file. Call <see cref="Keep"/> for what is to be passed on and remembered, and <see cref="Drop"/> for what it replaces.
    /// Called under the node's lock, in order within each source.
    /// </summary>
    /// <returns>Whether it had an effect.</returns>
    protected abstract bool Apply(GossipUpdate update);

    /// <summary>
    /// The updates that a clock lacks, in order of time. Called under the node's lock; the caller takes as many as it has room for and asks again with an advanced clock. The default gives what was kept.
    /// </summary>
    protected virtual IEnumerable<GossipUpdate> History(GossipClock since) => _history.Since(since);

    /// <summary>Refuses a peer's change that <see cref="Apply"/> could not take. Called outside the lock.</summary>
    /// <exception cref="GossipProtocolException">The change is not one of this data type; it closes the stream that it came from.</exception>
    protected virtual void Validate(ReadOnlySpan<byte> change)
    {
    }

    /// <summary>Remembers an update, so that peers get it and the file keeps it. Only within <see cref="Apply"/>.</summary>
    protected void Keep(GossipUpdate update)
    {
        _history.Add(update);
        _store?.Add(update);
    }

    /// <summary>Takes back an update that another replaces. Only within <see cref="Apply"/>.</summary>
    protected void Drop(GossipUpdate update)
    {
        if (_history.Remove(update))
        {
            _store?.Remove(update);
        }
    }

    /// <summary>Makes an update of this node's own, applies it and sends it to the peers.</summary>
    /// <param name="change">One JSON value.</param>
    /// <param name="floor">The update's timestamp will be above this one, and above now and all that is known of this node.</param>
    /// <exception cref="System.Text.Json.JsonException">The change is not one JSON value.</exception>
    /// <exception cref="ObjectDisposedException">The node is disposed.</exception>
    /// <exception cref="GossipStoreException">The file could not be written.</exception>
    protected GossipUpdate LocalUpdate(ReadOnlySpan<byte> change, double floor = double.NegativeInfinity)
    {
        using var batch = BeginBatch();
        _changeScratch.ResetWrittenCount();
        WriteValue(change, _changeScratch);
        return LocalUpdateOf(_changeScratch.WrittenSpan, floor);
    }

    /// <summary>Writes one JSON value as it goes into a local update: without white space, and as JavaScript would write it where it is to be signed.</summary>
    /// <exception cref="System.Text.Json.JsonException">The text is not one JSON value.</exception>
    private protected void WriteValue(ReadOnlySpan<byte> json, IBufferWriter<byte> output)
    {
        if (Options.Security is null)
        {
            GossipJson.WriteCompact(json, output);
        }
        else
        {
            GossipJson.WriteCanonical(json, output);
        }
    }

    /// <summary>A local update of a change that <see cref="WriteValue"/> wrote the values of.</summary>
    private protected GossipUpdate LocalUpdateOf(ReadOnlySpan<byte> change, double floor = double.NegativeInfinity)
    {
        using var batch = BeginBatch();
        ThrowIfUnusable();
        var timestamp = _timestamps.Next(Math.Max(Math.Max(floor, _clock[Id]), _peersClockOfMine));
        var update = Build(change, timestamp, Id, Options.Security, null);
        Commit(update);
        return update;
    }

    /// <summary>Holds the node's lock over several operations, which then go to the file in one transaction. Dispose the result on the same thread.</summary>
    protected IDisposable Batch() => BeginBatch();

    /// <summary>What is due before a peer is told what there is. Under the lock.</summary>
    private protected virtual void BeforeHeader()
    {
    }

    internal void PrepareHeader()
    {
        using var batch = BeginBatch();
        BeforeHeader();
    }

    private protected void Notify(Action<IGossipObserver> notification)
    {
        if (_notifications.Any)
        {
            _notifications.Add(notification);
        }
    }

    private protected bool HasObservers => _notifications.Any;

    internal void Notify(GossipSession? session, Action<GossipStream?, IGossipObserver> notification) =>
        Notify(observer => notification(session?.Owner, observer));

    internal void Deliver() => _notifications.Deliver();

    internal void Register(GossipSession session)
    {
        lock (Gate)
        {
            ThrowIfUnusable();
            _sessions.Add(session);
            NotifyStreamCount();
        }
    }

    internal void Unregister(GossipSession session)
    {
        lock (Gate)
        {
            if (_sessions.Remove(session))
            {
                _heldSources -= session.Held.Count;
                session.Held.Clear();
                NotifyStreamCount();
            }
        }
    }

    internal IEnumerable<GossipUpdate> HistoryFor(GossipClock since) => History(since);

    internal GossipClock ClockUnderLock => _clock;

    internal static string CheckId(string id)
    {
        if (id == GossipJson.ForbiddenName)
        {
            throw new GossipIdentityException("\"__proto__\" is refused as an id.", "Choose another.");
        }

        return id.Length > 0 && GossipMessageParser.IsWellFormed(id)
            ? id
            : throw new GossipIdentityException("An id must not be empty and must not have unpaired surrogates.", "Choose another.");
    }

    /// <summary>Writes the line of an update, signing it where a signer is given.</summary>
    private GossipUpdate Build(ReadOnlySpan<byte> change, double timestamp, string source, GossipSecurity? signer, string? signature)
    {
        lock (_scratch)
        {
            _scratch.ResetWrittenCount();
            WriteSignedPart(change, timestamp, source, _scratch);
            signature = signer?.Sign(_scratch.WrittenSpan) ?? signature;
            if (signature is not null)
            {
                // The text so far ends with the bracket that the signature comes before.
                var unsigned = _scratch.WrittenSpan[..^1].ToArray();
                _scratch.ResetWrittenCount();
                _scratch.Write(unsigned);
                _scratch.Write(","u8);
                GossipJson.WriteString(signature, _scratch);
                _scratch.Write("]"u8);
            }

            return new GossipUpdate(_scratch.WrittenSpan.ToArray(), 1, change.Length, timestamp, source, signature);
        }
    }

    private static void WriteSignedPart(ReadOnlySpan<byte> change, double timestamp, string source, IBufferWriter<byte> output)
    {
        output.Write("["u8);
        output.Write(change);
        output.Write(","u8);
        GossipJson.WriteNumber(timestamp, output);
        output.Write(","u8);
        GossipJson.WriteString(source, output);
        output.Write("]"u8);
    }

    private void NotifyStreamCount()
    {
        var count = _sessions.Count;
        Notify(observer => observer.OnStreamCount(count));
    }

    internal void ThrowIfUnusable()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_failure is not null)
        {
            throw new GossipStoreException(_failure.Message, _failure.RecommendedAction, _failure);
        }
    }
}
