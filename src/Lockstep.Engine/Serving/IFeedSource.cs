namespace Lockstep.Engine.Serving;

/// <summary>
/// What a feed endpoint serves: one table, view or log, as lines of the transaction dialect. The source knows where rows come from;
/// the endpoint knows HTTP. Neither knows the other.
/// </summary>
/// <remarks>
/// All members may be used from any thread and by any number of clients at once. How rows come out of a source is between it and the
/// endpoint, so a source is one of Lockstep's: a table file (<see cref="TableFeed"/>) or a table of PostgreSQL.
/// </remarks>
public interface IFeedSource : IAsyncDisposable
{
    /// <summary>The name under which the source is served, as a path segment before escaping.</summary>
    string Name { get; }

    /// <summary>
    /// For how long the source has been unable to hand out changes because of its origin; zero if it is able, or this cannot be known.
    /// </summary>
    TimeSpan Lag => TimeSpan.Zero;

    /// <summary>
    /// The order field of the record dialect in which the endpoint is to write the rows; null for the transaction dialect. The source
    /// gives the same lines in either case, to a <see cref="FeedRequest"/> that is <see cref="FeedRequest.InOrder"/>.
    /// </summary>
    internal string? RecordOrderField => null;

    /// <summary>The rows that no client could take, and that the source leaves out.</summary>
    LeftOutRows LeftOut => LeftOutRows.None;

    /// <summary>What the source serves at this moment. Cheap: it answers from what the source last saw.</summary>
    /// <exception cref="FeedUnavailableException">Nothing has been seen yet, or the origin cannot be reached.</exception>
    internal ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken);

    /// <summary>Reads from the feed's origin, to see whether it can be read at this moment. Throws what the read throws.</summary>
    Task CheckAsync(CancellationToken cancellationToken) => GetStateAsync(cancellationToken).AsTask();

    /// <summary>
    /// Checks a client's position against the source, and returns what follows that position. The chunks never end by themselves.
    /// </summary>
    /// <exception cref="FeedIdentityChangedException">The client's cursor belongs to another feed; it has to resync.</exception>
    /// <exception cref="FeedBehindException">This server is behind the client; it has to wait.</exception>
    /// <exception cref="FeedCursorExpiredException">What followed the cursor is no longer kept; the client has to resync.</exception>
    /// <exception cref="FeedUnavailableException">The origin cannot be reached.</exception>
    internal ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken);

    /// <summary>
    /// One page of a snapshot, in key order. The first page (no <see cref="SnapshotPageRequest.After"/>) fixes the horizon that the
    /// requests for all further pages repeat, so that a cache can hold the pages: a change made after a page was read
    /// comes again in the updates after that horizon.
    /// </summary>
    /// <exception cref="NotSupportedException">The source has no key order to page by.</exception>
    /// <exception cref="FeedPositionException">The page's position is not one that this source gave out.</exception>
    /// <exception cref="FeedIdentityChangedException">The page belongs to another feed.</exception>
    /// <exception cref="FeedBehindException">This server has not yet reached the page's horizon.</exception>
    /// <exception cref="FeedUnavailableException">The origin cannot be reached.</exception>
    internal ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken);
}
