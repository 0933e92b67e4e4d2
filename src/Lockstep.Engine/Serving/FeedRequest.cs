using Lockstep.Engine.Records;

namespace Lockstep.Engine.Serving;

/// <summary>A client's position.</summary>
/// <param name="Since">The cursor; 0 for the whole set.</param>
/// <param name="Identity">The identity that the client stored with its cursor; null if it has none or does not say.</param>
/// <param name="HeartbeatInterval">The longest silence between two chunks once the client is caught up; above zero.</param>
internal sealed record FeedRequest(long Since, string? Identity, TimeSpan HeartbeatInterval)
{
    /// <summary>The client's share of what a server may hold in memory, which remains the caller's; null if nothing limits it.</summary>
    public SendShare? Share { get; init; }

    /// <summary>
    /// Whether the client's cursor is that of the last row it got: rows come in the order of their transactions, even in a snapshot, and
    /// those at the cursor come again.
    /// </summary>
    public bool InOrder { get; init; }

    /// <summary>How far the client has heard of anything; null if it does not say.</summary>
    internal FeedMark? Mark { get; init; }

    /// <summary>
    /// What the client wants; null for everything. Rows of a snapshot that do not match may be left out, since the caller filters the rest.
    /// </summary>
    public FeedFilter? Filter { get; init; }

    /// <summary>Whether the client wants to know where a snapshot continues after a cut.</summary>
    public bool WantsPages { get; init; }
}

/// <summary>A page of a snapshot.</summary>
/// <param name="Identity">The feed that the first page named; null for the first page.</param>
/// <param name="Horizon">The horizon that the first page fixed; null for the first page.</param>
/// <param name="After">The previous page's <see cref="SnapshotPage.Next"/>; null for the first page.</param>
internal sealed record SnapshotPageRequest(string? Identity, long? Horizon, string? After)
{
    /// <inheritdoc cref="FeedRequest.Filter"/>
    public FeedFilter? Filter { get; init; }
}
