using Lockstep.Engine.Records;

namespace Lockstep.Engine.Serving;

/// <summary>Lines on their way to a client.</summary>
/// <param name="Lines">Whole lines; there may be none.</param>
/// <param name="Position">The client's position once it has them; null for the previous one.</param>
internal readonly record struct FeedStep<TPosition>(ReadOnlyMemory<byte> Lines, TPosition? Position = null)
    where TPosition : class, IFeedPosition<TPosition>
{
    /// <summary>The page at which a snapshot continues for a client that has all lines so far; null if this does not say.</summary>
    public SnapshotPageRequest? Page { get; init; }

    /// <summary>How far in the origin's history the lines reach; null if the position says so.</summary>
    public FeedMark? Mark { get; init; }

    /// <summary>Only says where the snapshot continues.</summary>
    public static FeedStep<TPosition> At(string identity, long horizon, string? after) =>
        new(default) { Page = new SnapshotPageRequest(identity, horizon, after) };
}

/// <summary>
/// What differs between sources in one client's journey: how they read. Between two steps a source holds nothing open that a slow client
/// would keep from others. Created for one client, and used by one thread at a time.
/// </summary>
internal interface IFeedSteps<TPosition>
    where TPosition : class, IFeedPosition<TPosition>
{
    /// <summary>The source's name.</summary>
    string Name { get; }

    /// <summary>The changes of the last moments, shared by all clients.</summary>
    LiveLog<TPosition> Live { get; }

    /// <summary>The clock for intervals.</summary>
    TimeProvider Time { get; }

    /// <summary>How long it takes until the live log has seen what a client has read.</summary>
    TimeSpan PollInterval { get; }

    /// <summary>
    /// Whether a position identifies everything that its client has, so that it can be found in the live log. Otherwise the client gets
    /// twice what comes while it reads.
    /// </summary>
    bool PositionsAreWhole { get; }

    /// <summary>
    /// Everything. Lines may be newer than the position that the last step names: what changed meanwhile comes again with the changes after
    /// it, before the snapshot is called complete.
    /// </summary>
    /// <inheritdoc cref="IFeedSource.OpenAsync" path="/exception"/>
    IAsyncEnumerable<FeedStep<TPosition>> ReadSnapshotAsync(CancellationToken cancellationToken);

    /// <summary>What changed after a position, up to everything that was committed before the call.</summary>
    /// <inheritdoc cref="IFeedSource.OpenAsync" path="/exception"/>
    IAsyncEnumerable<FeedStep<TPosition>> ReadChangesAsync(TPosition known, CancellationToken cancellationToken);

    /// <summary>The journey begins.</summary>
    void Came();

    /// <summary>The client was too slow for the live log, and reads changes again.</summary>
    void SentBack();

    /// <summary>The journey is over.</summary>
    void Left();
}
