using Lockstep.Gossip.Clock;

namespace Lockstep.Gossip.Nodes;

/// <summary>
/// What a stream brought from one source since an update of it was refused for now: the refused one first, then everything later, in order,
/// so that nothing is applied with a gap before it. Other streams may bring the source without that gap; once the clock has passed what is
/// held, the hold ends.
/// </summary>
internal sealed class HeldSource(string source)
{
    public string Source { get; } = source;

    public Queue<GossipUpdate> Updates { get; } = new();

    /// <summary>
    /// Set when there were too many to keep. Then <see cref="LastDropped"/> says how far the clock must come by other ways; otherwise the
    /// stream is closed when due, and its renewal asks for them again.
    /// </summary>
    public bool Overflowed { get; private set; }

    public double LastDropped { get; private set; } = double.NegativeInfinity;

    /// <summary>When to check again; null to wait for a key or for the clock to pass.</summary>
    public DateTimeOffset? Due { get; set; }

    /// <summary>The clock or the keys have changed: check again at once.</summary>
    public bool LookAgain { get; set; }

    /// <summary>Something other than the clock's advance made it check again.</summary>
    public bool MayAskAgain { get; set; }

    public bool Busy { get; set; }

    public void Drop(GossipUpdate update)
    {
        Overflowed = true;
        Updates.Clear();
        LastDropped = Math.Max(LastDropped, update.Timestamp);
    }
}
