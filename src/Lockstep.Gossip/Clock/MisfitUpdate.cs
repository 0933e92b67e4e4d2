namespace Lockstep.Gossip.Clock;

/// <summary>
/// An update whose change is none of the data type: kept and passed on, so that nodes that know better get it, and never applied. A type of
/// its own, so that the many others need not say that they are none.
/// </summary>
internal sealed class MisfitUpdate(GossipUpdate update, string why) : GossipUpdate(update, update.Change.ToArray())
{
    public override string? Misfit => why;
}
