using Lockstep.Engine.Records;

namespace Lockstep.Engine.Conformance;

/// <summary>One object of a feed, as far as the rules need it.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Offset">Its offset in the body.</param>
/// <param name="Key">The key's JSON text; null where there is none.</param>
/// <param name="Order">The order value.</param>
/// <param name="Deleted">Whether it is a tombstone.</param>
/// <param name="Missing">The required fields that are missing or of the wrong type, in words; null when all is well.</param>
internal sealed record FeedItem(
    FeedItemKind Kind,
    long Offset,
    string? Key = null,
    OrderValue Order = default,
    bool Deleted = false,
    string? Missing = null
);

internal enum FeedItemKind
{
    Record,
    Transaction,
    Heartbeat,
    SnapshotCompleted,

    /// <summary>Not an object, or not valid JSON; <see cref="FeedItem.Missing"/> says what is wrong.</summary>
    Malformed,
}
