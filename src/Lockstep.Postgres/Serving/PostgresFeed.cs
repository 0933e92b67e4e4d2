using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;

namespace Lockstep.Postgres.Serving;

/// <summary>A table or view as a feed in the transaction dialect, by polling or by logical replication.</summary>
public sealed class PostgresFeed : IFeedSource
{
    /// <summary>
    /// The meter through which feeds report polls, rows, clients, how long the horizon has been held back, and the lag of replication
    /// slots.
    /// </summary>
    public const string MeterName = FeedMetrics.MeterName;

    private readonly IPostgresFeed _feed;

    private PostgresFeed(IPostgresFeed feed) => _feed = feed;

    /// <inheritdoc/>
    public string Name => _feed.Name;

    /// <summary>The error of the last poll of the table; null if it succeeded. The feed keeps trying.</summary>
    public Exception? Error => _feed.Error;

    /// <summary>
    /// How many transactions, and for how long, the oldest open writing transaction holds back cursors (with replication: the slot).
    /// </summary>
    public (long Transactions, TimeSpan Age) HorizonLag => _feed.HorizonLag;

    /// <inheritdoc/>
    public TimeSpan Lag => HorizonLag.Age;

    /// <inheritdoc/>
    public LeftOutRows LeftOut => _feed.LeftOut;

    /// <summary>The replication slot; null for a polling feed, and while there is no slot.</summary>
    public PostgresSlotState? Slot => _feed.Slot;

    /// <summary>
    /// Starts serving a table or view; returns after the first look at it. With replication that means once the slot exists, for which
    /// PostgreSQL waits for all open transactions; after <see cref="PostgresFeedOptions.Patience"/> the feed is returned without a slot,
    /// and has an <see cref="Error"/> until it gets one.
    /// </summary>
    /// <param name="connectionString">For Npgsql. Never shown (I9).</param>
    /// <param name="options">What to serve, and how.</param>
    /// <param name="time">The clock for intervals; null for the system's.</param>
    /// <param name="cancellationToken">Ends the wait for the first look.</param>
    /// <exception cref="ArgumentException">The connection string is malformed, or an option is out of range or missing.</exception>
    /// <exception cref="PostgresAccessException">The login or a privilege is refused.</exception>
    /// <exception cref="PostgresTableException">The table, or what a feed needs of it, is missing.</exception>
    /// <exception cref="PostgresReplicationException">The server is not set up for logical replication, or the slot is
    /// another's.</exception>
    /// <exception cref="FeedUnavailableException">The database cannot be reached.</exception>
    public static async Task<PostgresFeed> StartAsync(
        string connectionString,
        PostgresFeedOptions options,
        TimeProvider? time = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        time ??= TimeProvider.System;
        IPostgresFeed feed =
            options.Mode == PostgresFeedMode.Polling
                ? await PollingFeed.StartAsync(connectionString, options, time, cancellationToken).ConfigureAwait(false)
                : await Replication.ReplicationFeed.StartAsync(connectionString, options, time, cancellationToken).ConfigureAwait(false);
        return new PostgresFeed(feed);
    }

    /// <summary>
    /// Removes what a replication feed has left on the server: the table from the publication, and with the last table the publication and
    /// the slot. If a publication was named, only the slot. The feed must be stopped. Does nothing for what does not exist.
    /// </summary>
    /// <param name="connectionString">For Npgsql. Never shown (I9).</param>
    /// <param name="options">Those of the feed.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentException">The connection string is malformed, or the options are not for replication.</exception>
    /// <exception cref="PostgresAccessException">The login or a privilege is refused.</exception>
    /// <exception cref="FeedUnavailableException">The database cannot be reached, or the slot is in use.</exception>
    public static Task RemoveReplicationAsync(
        string connectionString,
        PostgresFeedOptions options,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        return Replication.ReplicationSetup.RemoveAsync(connectionString, options, cancellationToken);
    }

    /// <inheritdoc/>
    public Task CheckAsync(CancellationToken cancellationToken) => _feed.CheckAsync(cancellationToken);

    internal ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken) => _feed.GetStateAsync(cancellationToken);

    internal ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken) =>
        _feed.OpenAsync(request, cancellationToken);

    internal ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken) =>
        _feed.ReadPageAsync(request, cancellationToken);

    ValueTask<FeedState> IFeedSource.GetStateAsync(CancellationToken cancellationToken) => GetStateAsync(cancellationToken);

    ValueTask<FeedReading> IFeedSource.OpenAsync(FeedRequest request, CancellationToken cancellationToken) =>
        OpenAsync(request, cancellationToken);

    ValueTask<SnapshotPage> IFeedSource.ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken) =>
        ReadPageAsync(request, cancellationToken);

    /// <summary>
    /// Stops following and closes the connections. Clients still reading are cut off. A replication slot is kept for the feed's next start.
    /// </summary>
    public ValueTask DisposeAsync() => _feed.DisposeAsync();
}
