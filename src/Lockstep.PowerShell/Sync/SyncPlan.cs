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
    /// <summary>What somebody wants of it besides its result.</summary>
    public SyncWishes Wishes { get; init; } = new();

    /// <summary>All that the engine is told; null until it is known.</summary>
    public SyncOptions? Options { get; init; }
}

/// <summary>What somebody wants of a sync besides its result: what nobody wants costs nothing.</summary>
internal sealed record SyncWishes
{
    /// <summary>The changes, as they are committed.</summary>
    public bool Changes { get; init; }

    /// <summary>Of the changes each version, not only the newest in each commit.</summary>
    public bool EveryVersion { get; init; }

    /// <summary>The records received.</summary>
    public bool Records { get; init; }

    /// <summary>To change records before they are applied.</summary>
    public bool Transforms { get; init; }
}
