namespace Lockstep.Gossip.Clock;

/// <summary>
/// An update whose change does not fit the data type: kept and passed on, so that nodes that can apply it get it, but never applied here. A
/// separate type, so that ordinary updates need no field for it.
/// </summary>
internal sealed class MisfitUpdate(GossipUpdate update, string why) : GossipUpdate(update, update.Change.ToArray())
{
    public override string? Misfit => why;
}
