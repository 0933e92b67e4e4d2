using Lockstep.Gossip.Clock;

namespace Lockstep.Gossip.Nodes;

public abstract partial class GossipNode
{
    private readonly GossipWatchers _watchers = new();

    /// <summary>
    /// The updates that a clock lacks, followed by new ones, forever. It reads the history at the consumer's pace: what is replaced before
    /// the consumer reads it is left out, and nothing piles up.
    /// </summary>
    /// <param name="since">Where to start; null for now.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="GossipException">The node forgot events before the consumer read them: it needs a longer retention.</exception>
    public IAsyncEnumerable<GossipUpdate> WatchUpdatesAsync(GossipClock? since = null, CancellationToken cancellationToken = default)
    {
        lock (Gate)
        {
            ThrowIfUnusable();
            var clock = (since ?? _clock).Copy();
            if (since is { Count: 0 })
            {
                clock.Advance(_forgotten);
            }

            return _watchers.WatchAsync(Gate, clock, ReadForWatcher, cancellationToken);
        }
    }

    private IEnumerable<GossipUpdate>? ReadForWatcher(GossipClock clock)
    {
        if (_disposed)
        {
            return null;
        }

        ThrowIfUnusable();
        ThrowIfForgotten(clock);
        return History(clock);
    }

    private void ThrowIfForgotten(GossipClock clock)
    {
        foreach (var (source, timestamp) in _forgotten)
        {
            if (timestamp > clock[source])
            {
                throw new GossipException($"Events of '{source}' were forgotten before they were read.", "Read faster, or keep more.");
            }
        }
    }
}
