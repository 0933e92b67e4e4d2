using Lockstep.Engine.Records;

namespace Lockstep.Engine.Serving;

/// <summary>What a source serves at one moment.</summary>
/// <param name="Identity">Changes whenever cursors given out before mean nothing any more; visible ASCII without white space or
/// quotes.</param>
/// <param name="Horizon">The cursor of a client that has everything.</param>
/// <param name="KeyColumns">The members of <c>data</c> that identify a record, in key order; empty if the source does not know.</param>
/// <param name="Pages">Whether <see cref="IFeedSource.ReadPageAsync"/> works.</param>
internal sealed record FeedState(string Identity, long Horizon, IReadOnlyList<string> KeyColumns, bool Pages)
{
    /// <summary>The lowest cursor from which a client can continue.</summary>
    public long Floor { get; init; }

    /// <summary>All members that <c>data</c> may have; null if the source does not know. A filter on another one is refused.</summary>
    public IReadOnlyList<string>? Columns { get; init; }
}

/// <summary>What to send to an admitted client.</summary>
/// <param name="Identity">The feed's identity, for the client to store with its cursor.</param>
/// <param name="KeyColumns">As in <see cref="FeedState"/>.</param>
/// <param name="Chunks">
/// To be enumerated once. Throws what <see cref="IFeedSource.OpenAsync"/> throws when that becomes true later; a body that
/// ends so must be cut off, not ended: a clean end would pass for the end of a snapshot (I6).
/// </param>
internal sealed record FeedReading(string Identity, IReadOnlyList<string> KeyColumns, IAsyncEnumerable<FeedChunk> Chunks)
{
    /// <summary>How far the client has heard of anything before the first chunk; null if the source cannot say.</summary>
    internal FeedMark? Mark { get; init; }

    /// <summary>The identity that the client named, if it is to continue under another one; null otherwise.</summary>
    internal string? Continues { get; init; }
}

/// <summary>One page of a snapshot.</summary>
/// <param name="Identity">The feed's identity.</param>
/// <param name="Horizon">The horizon that the snapshot's first page fixed: the cursor to continue from once all pages are there.</param>
/// <param name="KeyColumns">As in <see cref="FeedState"/>.</param>
/// <param name="Lines">The rows, whole lines each ended by a line feed, in pieces to be sent one after the other.</param>
/// <param name="Next">The position of the next page; null if this is the last one.</param>
internal sealed record SnapshotPage(
    string Identity,
    long Horizon,
    IReadOnlyList<string> KeyColumns,
    IReadOnlyList<ReadOnlyMemory<byte>> Lines,
    string? Next
)
{
    /// <summary>How far a client with the page has heard of anything; null if the source cannot say.</summary>
    internal FeedMark? Mark { get; init; }
}
