namespace Lockstep.Gossip.Clock;

/// <summary>
/// Updates that their source has and this node never got, as the source's signed count shows. Either a peer withholds them, or another
/// node's change replaced them before their source knew of it. Other peers are asked for them.
/// </summary>
/// <param name="Source">The id of the node that wrote them.</param>
/// <param name="Count">The least number of them: if there are many gaps, only the newest are known.</param>
/// <param name="Numbers">Which of the source's updates of this model they are, as <c>3-5,8</c>.</param>
public sealed record GossipMissing(string Source, long Count, string Numbers);
