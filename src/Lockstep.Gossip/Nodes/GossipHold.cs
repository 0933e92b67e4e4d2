namespace Lockstep.Gossip.Nodes;

/// <summary>
/// A source whose updates have arrived but are not applied, because one of them is refused for now: those after it would leave a gap.
/// </summary>
/// <param name="Source">The id of the node that made the updates.</param>
/// <param name="Due">
/// When the first of them may be applied, if it is stamped too far ahead; null if it is not verified: its signature is missing, wrong, or
/// from an untrusted key.
/// </param>
/// <param name="Count">How many updates are kept until then; others are requested again.</param>
public sealed record GossipHold(string Source, DateTimeOffset? Due, int Count);
