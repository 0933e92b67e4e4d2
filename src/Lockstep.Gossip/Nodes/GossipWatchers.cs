using System.Runtime.CompilerServices;
using Lockstep.Gossip.Clock;

namespace Lockstep.Gossip.Nodes;

/// <summary>
/// The readers of a node's history who wait for more. Each reads at its own pace, by a clock of what it has seen: what is replaced before it
/// comes to it is left out, and nothing piles up for it.
/// </summary>
internal sealed class GossipWatchers
{
    private const int AtATime = 256;
    private readonly List<AsyncSignal> _waiting = [];

    /// <summary>There is something to read, or the node has ended. Under the node's lock.</summary>
    public void Wake()
    {
        foreach (var signal in _waiting)
        {
            signal.Set();
        }
    }

    /// <summary>What a clock lacks and then what comes.</summary>
    /// <param name="gate">The node's lock.</param>
    /// <param name="clock">What the reader has seen; it advances.</param>
    /// <param name="read">What a clock lacks now, in order of time; null at the end. Called and enumerated under the lock.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<GossipUpdate> WatchAsync(
        Lock gate,
        GossipClock clock,
        Func<GossipClock, IEnumerable<GossipUpdate>?> read,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var signal = new AsyncSignal();
        var updates = new List<GossipUpdate>(AtATime);
        lock (gate)
        {
            _waiting.Add(signal);
        }

        try
        {
            while (true)
            {
                updates.Clear();
                lock (gate)
                {
                    if (read(clock) is not { } lacking)
                    {
                        yield break;
                    }

                    foreach (var update in lacking.Take(AtATime))
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
            lock (gate)
            {
                _waiting.Remove(signal);
            }
        }
    }
}
