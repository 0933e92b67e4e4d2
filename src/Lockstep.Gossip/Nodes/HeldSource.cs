using Lockstep.Gossip.Clock;

namespace Lockstep.Gossip.Nodes;

/// <summary>
/// A source's updates on a stream since one of them was refused for now: the refused one first, then everything later, in order, so that
/// nothing is applied with a gap before it. Other streams may bring the source without that gap; once the clock has passed what is held,
/// the hold ends.
/// </summary>
internal sealed class HeldSource(string source)
{
    public string Source { get; } = source;

    public Queue<GossipUpdate> Updates { get; } = new();

    /// <summary>
    /// Set when there were too many to keep. Then <see cref="LastDropped"/> says how far the clock must advance through other streams;
    /// otherwise the stream is closed when due, and its renewal requests them again.
    /// </summary>
    public bool Overflowed { get; private set; }

    public double LastDropped { get; private set; } = double.NegativeInfinity;

    /// <summary>When to check again; null to wait for a key or for the clock to advance.</summary>
    public DateTimeOffset? Due { get; set; }

    /// <summary>The clock or the keys have changed: check again immediately.</summary>
    public bool LookAgain { get; set; }

    /// <summary>Something other than an advance of the clock triggered the check.</summary>
    public bool MayAskAgain { get; set; }

    public bool Busy { get; set; }

    public void Drop(GossipUpdate update)
    {
        Overflowed = true;
        Updates.Clear();
        LastDropped = Math.Max(LastDropped, update.Timestamp);
    }
}
