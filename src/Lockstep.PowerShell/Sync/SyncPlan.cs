using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Tables;

namespace Lockstep.Sync;

/// <summary>
/// A cmdlet's source, destination and options for a sync: one of the module's own types, because no member of a cmdlet may expose the
/// engine's.
/// </summary>
/// <param name="Feed">The feed.</param>
/// <param name="Destination">The table.</param>
internal sealed record SyncPlan(FeedOptions Feed, TableDestination Destination)
{
    /// <summary>What is wanted besides the result.</summary>
    public SyncWishes Wishes { get; init; } = new();

    /// <summary>All options for the engine; null until they are known.</summary>
    public SyncOptions? Options { get; init; }
}

/// <summary>What is wanted of a sync besides its result: anything not requested costs nothing.</summary>
internal sealed record SyncWishes
{
    /// <summary>The changes, as they are committed.</summary>
    public bool Changes { get; init; }

    /// <summary>Every version of the changes, not only the newest in each commit.</summary>
    public bool EveryVersion { get; init; }

    /// <summary>The records received.</summary>
    public bool Records { get; init; }

    /// <summary>Whether to change records before they are applied.</summary>
    public bool Transforms { get; init; }
}
