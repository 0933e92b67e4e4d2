using Lockstep.Gossip.Clock;

namespace Lockstep.Gossip.Nodes;

public abstract partial class GossipNode
{
    /// <summary>One count for all nodes of the process, since clones share their updates.</summary>
    private static long _lastArrival;

    private readonly List<GossipSession> _sessions = [];
    private readonly Strangers.Budget _strangers = new();

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

    /// <summary>
    /// Starts talking to a peer over a duplex stream, and returns at once. The stream is disposed at the end, unless the options say
    /// otherwise.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The node is disposed.</exception>
    /// <exception cref="GossipException">The node could not write its file.</exception>
    public GossipStream Attach(Stream stream, GossipStreamOptions? options = null) => Attach(stream, options, null);

    internal GossipStream Attach(Stream stream, GossipStreamOptions? options, PeerBuffer? received)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var attached = new GossipStream(this, stream, options ?? new GossipStreamOptions(), received);
        attached.Start();
        return attached;
    }

    /// <summary>Talks to a peer until the stream ends.</summary>
    /// <exception cref="GossipProtocolException">The peer sent something that is not a message.</exception>
    /// <exception cref="IOException">The stream broke.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public Task RunAsync(Stream stream, GossipStreamOptions? options = null, CancellationToken cancellationToken = default) =>
        RunAsync(stream, options, null, cancellationToken);

    internal async Task RunAsync(Stream stream, GossipStreamOptions? options, PeerBuffer? received, CancellationToken cancellationToken)
    {
        var attached = Attach(stream, options, received);
        await using (attached.ConfigureAwait(false))
        {
            await attached.Completion.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>To be called before a peer is told what there is.</summary>
    internal void PrepareHeader()
    {
        using var batch = BeginBatch();
        Shorten();
    }

    internal void Register(GossipSession session)
    {
        lock (Gate)
        {
            if (_container is not null)
            {
                throw new InvalidOperationException($"This node is the part '{_partName}' of another one, which has the streams.");
            }

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
                _holds.End(session);
                session.End();
                NotifyStreamCount();
            }
        }
    }

    /// <summary>A new clock for a peer, over the sources that the node knows.</summary>
    internal GossipClock NewPeerClock() => new(_sources, _strangers);

    /// <summary>A peer has read everything: where its clock equals the node's, the two share memory.</summary>
    internal void Share(GossipClock peers) => peers.Share(_clock, _history.HasNothingSince);

    internal IEnumerable<GossipUpdate> HistoryFor(GossipClock since) => History(since);

    /// <summary>The <see cref="GossipUpdate.Arrival"/> of the newest update; under the lock, none of this node's is newer.</summary>
    internal static long LastArrival => Interlocked.Read(ref _lastArrival);

    internal GossipClock ClockUnderLock => _clock;

    private void NotifyStreamCount()
    {
        var count = _sessions.Count;
        Notify(observer => observer.OnStreamCount(count));
    }
}
