using Lockstep.Gossip.Clock;

namespace Lockstep.Gossip.Persistence;

/// <summary>What a node's file records about a source.</summary>
/// <param name="Timestamp">The clock's entry.</param>
/// <param name="Horizon">Up to where its updates are forgotten; null if none are.</param>
/// <param name="Count">The counts of its updates; null if they have no numbers.</param>
internal readonly record struct SourceEntry(double Timestamp, double? Horizon, SourceCount? Count);
