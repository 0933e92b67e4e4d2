using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Tables;

namespace Lockstep.Sync;

/// <summary>
/// From where a cmdlet syncs into what, and by which options: a type of the module's own, as no member of a cmdlet may show the engine's.
/// </summary>
/// <param name="Feed">The feed.</param>
/// <param name="Destination">The table.</param>
internal sealed record SyncPlan(FeedOptions Feed, TableDestination Destination)
{
    /// <summary>All that the engine is told; null until it is known.</summary>
    public SyncOptions? Options { get; init; }
}
