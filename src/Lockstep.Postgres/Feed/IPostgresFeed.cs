using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Feed;

/// <summary>One of the ways to follow a table.</summary>
internal interface IPostgresFeed : IFeedSource
{
    /// <inheritdoc cref="Serving.PostgresFeed.Error"/>
    Exception? Error { get; }

    /// <inheritdoc cref="Serving.PostgresFeed.HorizonLag"/>
    (long Transactions, TimeSpan Age) HorizonLag { get; }

    /// <inheritdoc cref="Serving.PostgresFeed.Slot"/>
    PostgresSlotState? Slot { get; }
}
