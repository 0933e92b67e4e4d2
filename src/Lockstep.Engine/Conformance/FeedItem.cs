using Lockstep.Engine.Records;

namespace Lockstep.Engine.Conformance;

/// <summary>One object of a feed, as far as the rules need it.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Offset">Its offset in the body.</param>
/// <param name="Key">The key's JSON text; null where there is none.</param>
/// <param name="Order">The order value.</param>
/// <param name="Deleted">Whether it is a tombstone.</param>
/// <param name="Missing">The required fields that are missing or of the wrong type, in words; null when all is well.</param>
/// <param name="SetCursor">
/// If it is of the whole set of a transaction feed: the order value of the set's first record, which may be that of the snapshot rather
/// than of a change. Null elsewhere.
/// </param>
internal sealed record FeedItem(
    FeedItemKind Kind,
    long Offset,
    string? Key = null,
    OrderValue Order = default,
    bool Deleted = false,
    string? Missing = null,
    OrderValue? SetCursor = null
)
{
    /// <summary>
    /// Whether it comes again from its own cursor on. A client has a cursor of a transaction feed's set only with the whole set, so what is
    /// at the cursor of the snapshot need not come again.
    /// </summary>
    public bool ComesAgain => SetCursor != Order;
}

internal enum FeedItemKind
{
    Record,
    Transaction,
    Heartbeat,
    SnapshotCompleted,

    /// <summary>Not an object, or not valid JSON; <see cref="FeedItem.Missing"/> says what is wrong.</summary>
    Malformed,
}
