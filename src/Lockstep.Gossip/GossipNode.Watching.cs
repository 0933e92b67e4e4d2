using System.Runtime.CompilerServices;

namespace Lockstep.Gossip;

public abstract partial class GossipNode
{
    /// <summary>
    /// The updates that a clock lacks and then those that come, for ever. It reads the history at the consumer's pace: what is replaced
    /// before the consumer comes to it is left out, and nothing piles up.
    /// </summary>
    /// <param name="since">Where to begin; null for now.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="GossipException">The node forgot events before the consumer came to them: it needs a longer retention.</exception>
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

            return Watch(clock, cancellationToken);
        }
    }

    private async IAsyncEnumerable<GossipUpdate> Watch(GossipClock clock, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        const int AtATime = 256;
        var signal = new AsyncSignal();
        var updates = new List<GossipUpdate>(AtATime);
        lock (Gate)
        {
            _watchers.Add(signal);
        }

        try
        {
            while (true)
            {
                updates.Clear();
                lock (Gate)
                {
                    if (_disposed)
                    {
                        yield break;
                    }

                    ThrowIfUnusable();
                    ThrowIfForgotten(clock);
                    foreach (var update in History(clock).Take(AtATime))
                    {
                        clock.Advance(update.Source, update.Timestamp);
                        updates.Add(update);
                    }
                }

                foreach (var update in updates)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    yield return update;
                }

                if (updates.Count == 0)
                {
                    await signal.WaitAsync(cancellationToken).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            lock (Gate)
            {
                _watchers.Remove(signal);
            }
        }
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
