namespace Lockstep.Gossip.Clock;

/// <summary>
/// An update whose change does not belong to the data type: kept and passed on, so that nodes that know better get it, and never applied. A
/// separate type, so that the many others need no field for it.
/// </summary>
internal sealed class MisfitUpdate(GossipUpdate update, string why) : GossipUpdate(update, update.Change.ToArray())
{
    public override string? Misfit => why;
}
