using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Feed;

/// <summary>What polling and replication share when they read a database for one client.</summary>
internal abstract class DatabaseSteps<TPosition>(DatabaseFeed feed, LiveLog<TPosition> live) : IFeedSteps<TPosition>
    where TPosition : class, IFeedPosition<TPosition>
{
    public string Name => feed.Name;

    public LiveLog<TPosition> Live { get; } = live;

    public TimeProvider Time => feed.Time;

    public TimeSpan PollInterval => feed.Options.PollInterval;

    public abstract bool PositionsAreWhole { get; }

    public abstract IAsyncEnumerable<FeedStep<TPosition>> ReadSnapshotAsync(CancellationToken cancellationToken);

    public abstract IAsyncEnumerable<FeedStep<TPosition>> ReadChangesAsync(TPosition known, CancellationToken cancellationToken);

    public void Came() => feed.Came();

    public void SentBack() => feed.Metrics.SentBack();

    public void Left() => feed.Left();
}
