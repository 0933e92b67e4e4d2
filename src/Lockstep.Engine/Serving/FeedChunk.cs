using Lockstep.Engine.Records;

namespace Lockstep.Engine.Serving;

/// <summary>What a chunk means to the client that has received it and everything before it.</summary>
internal enum FeedChunkKind
{
    /// <summary>Rows, with more to follow at once. Says nothing about the position.</summary>
    Rows,

    /// <summary>
    /// Rows of a snapshot that the client cannot have heard of before: one that does not match its filter may be left out.
    /// </summary>
    SnapshotRows,

    /// <summary>
    /// No rows: a client that has everything before it can continue with the snapshot's page <see cref="FeedChunk.Page"/>.
    /// </summary>
    SnapshotPage,

    /// <summary>After these rows the snapshot is complete, and the client is at <see cref="FeedChunk.Since"/>.</summary>
    SnapshotCompleted,

    /// <summary>After these rows (there may be none) the client is at <see cref="FeedChunk.Since"/>: a heartbeat says so.</summary>
    CaughtUp,
}

/// <summary>
/// A piece of a feed: whole lines of UTF-8, each ended by a line feed. The memory is shared by all clients and never written again;
/// a receiver may keep it as long as it likes.
/// </summary>
/// <param name="Kind">What follows from having received it.</param>
/// <param name="Lines">The rows; empty when only the position moves.</param>
/// <param name="Since">The client's cursor after the chunk; 0 for kinds with only rows, which carry their own.</param>
internal readonly record struct FeedChunk(FeedChunkKind Kind, ReadOnlyMemory<byte> Lines, long Since)
{
    /// <summary>The page at which a snapshot continues, for <see cref="FeedChunkKind.SnapshotPage"/>; null for all others.</summary>
    public SnapshotPageRequest? Page { get; init; }

    /// <summary>Up to where this chunk brings the client, when that is further than before; null otherwise.</summary>
    internal FeedMark? Mark { get; init; }
}
