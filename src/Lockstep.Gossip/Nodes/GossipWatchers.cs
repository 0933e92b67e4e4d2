using System.Runtime.CompilerServices;
using Lockstep.Gossip.Clock;

namespace Lockstep.Gossip.Nodes;

/// <summary>
/// The readers of a node's history that wait for more. Each reads at its own pace, with a clock of what it has seen: what is replaced
/// before it reads it is left out, and nothing piles up for it.
/// </summary>
internal sealed class GossipWatchers
{
    private const int AtATime = 256;
    private const int MostLate = 1024;
    private readonly List<Reader> _readers = [];

    /// <summary>There is something to read, or the node has ended. Under the node's lock.</summary>
    public void Wake()
    {
        foreach (var reader in _readers)
        {
            reader.Signal.Set();
        }
    }

    /// <summary>
    /// An update arrived after newer ones of its source: for readers that have already read past it. Under the node's lock.
    /// </summary>
    public void AddLate(GossipUpdate update)
    {
        foreach (var reader in _readers.Where(reader => reader.Clock.Covers(update) && reader.Late.Count <= MostLate))
        {
            reader.Late.Enqueue(update);
        }
    }

    /// <summary>What a clock lacks, followed by new updates.</summary>
    /// <param name="gate">The node's lock.</param>
    /// <param name="clock">What the reader has seen; it advances.</param>
    /// <param name="read">Returns what a clock lacks now, in order of time; null at the end. Called and enumerated under the lock.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<GossipUpdate> WatchAsync(
        Lock gate,
        GossipClock clock,
        Func<GossipClock, IEnumerable<GossipUpdate>?> read,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var reader = new Reader(clock);
        var updates = new List<GossipUpdate>(AtATime);
        lock (gate)
        {
            _readers.Add(reader);
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

                    if (reader.Late.Count > MostLate)
                    {
                        throw new GossipException("More changes came late than can be kept for a slow reader.", "Read faster.");
                    }

                    while (reader.Late.TryDequeue(out var late))
                    {
                        updates.Add(late);
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
                    await reader.Signal.WaitAsync(cancellationToken).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            lock (gate)
            {
                _readers.Remove(reader);
            }
        }
    }

    private sealed class Reader(GossipClock clock)
    {
        public GossipClock Clock { get; } = clock;

        public AsyncSignal Signal { get; } = new();

        public Queue<GossipUpdate> Late { get; } = new();
    }
}
