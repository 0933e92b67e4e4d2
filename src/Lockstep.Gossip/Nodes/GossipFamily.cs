using Lockstep.Gossip.Clock;

namespace Lockstep.Gossip.Nodes;

/// <summary>
/// A node and its clones. They write under one id, so they share one lock, under which each update is applied to all of them: a peer of any
/// of them gets the id's updates without a gap.
/// </summary>
internal sealed class GossipFamily(GossipNode first)
{
    public Lock Gate { get; } = new();

    public List<GossipNode> Members { get; } = [first];

    /// <summary>The newest timestamp of their id that any peer has: it would silently ignore a local update below that.</summary>
    public double PeersClock { get; set; } = double.NegativeInfinity;

    /// <summary>The update that one of them is writing and that is not yet signed.</summary>
    public GossipUpdate? BeingSealed { get; set; }

    /// <summary>
    /// How many nested batches the holder of the lock is in; what a batch does at its end is done once, at the outermost.
    /// </summary>
    public int Depth { get; set; }
}
