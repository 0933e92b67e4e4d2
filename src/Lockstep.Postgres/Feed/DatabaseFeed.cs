using Lockstep.Engine.Serving;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// What the ways to follow a table share: the connections, one task that follows the table, and how they start and end.
/// </summary>
internal abstract class DatabaseFeed : IPostgresFeed
{
    private readonly RowLimits _limits;
    private Task _following = Task.CompletedTask;

    /// <param name="connectionString">For Npgsql.</param>
    /// <param name="options">What to serve, and how.</param>
    /// <param name="time">The clock for intervals.</param>
    /// <param name="describe">Describes the table.</param>
    protected DatabaseFeed(
        string connectionString,
        PostgresFeedOptions options,
        TimeProvider time,
        Func<NpgsqlConnection, CancellationToken, Task<TableDescription>> describe
    )
    {
        Options = options;
        Time = time;
        Name = options.Name ?? options.Table.Name;
        Readers = new DatabaseReaders(connectionString, options, time, Stop.Token);
        Metrics = new FeedMetrics(Name, time);
        _limits = new RowLimits(Name, options.MaximumRowBytes, checksJson: false, options.Logger);
        Database = new FeedDatabase(options.Table, describe, Readers.Pool.Flush, _limits);
    }

    public string Name { get; }

    public LeftOutRows LeftOut => _limits.LeftOut;

    public abstract Exception? Error { get; }

    public (long Transactions, TimeSpan Age) HorizonLag => Metrics.HorizonLag;

    public virtual PostgresSlotState? Slot => null;

    internal PostgresFeedOptions Options { get; }

    internal TimeProvider Time { get; }

    internal FeedMetrics Metrics { get; }

    internal FeedDatabase Database { get; }

    internal DatabaseReaders Readers { get; }

    /// <summary>How large pages should be, for all clients: what one has learned about the rows helps the next one.</summary>
    internal PageSize Pages { get; } = new(PageSize.Bytes, rowBytes: 2 << 10);

    /// <summary>
    /// The most rows of a page that caches may hold. Twice what is expected, so that a page usually ends by its size: then all servers
    /// split the table into the same pages.
    /// </summary>
    protected int PageRows => Math.Min(Options.PageRows, Math.Max(16, 2 * Pages.Rows));

    /// <summary>Cancelled when the feed is disposed.</summary>
    protected CancellationTokenSource Stop { get; } = new();

    public abstract ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken);

    /// <inheritdoc/>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        await GetStateAsync(cancellationToken).ConfigureAwait(false);
        await Readers.LookAsync(Database.LookAsync, cancellationToken).ConfigureAwait(false);
    }

    public abstract ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken);

    public abstract ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (Stop.IsCancellationRequested)
            return;
        await Stop.CancelAsync().ConfigureAwait(false);
        await _following.ConfigureAwait(false);
        await Readers.DisposeAsync().ConfigureAwait(false);
        Close();
        Metrics.Dispose();
    }

    /// <summary>Begins to follow the table and returns once it has been examined; a feed that could not be started is disposed.</summary>
    /// <param name="follow">Follows it until the feed is disposed.</param>
    /// <param name="seen">
    /// Completes when the table has been examined, whether or not that succeeded; or fails with <see cref="TimeoutException"/>, which
    /// <see cref="Error"/> then reports.
    /// </param>
    protected async Task BeginAsync(Func<CancellationToken, Task> follow, Func<Task> seen)
    {
        try
        {
            _following = Task.Run(() => follow(Stop.Token), CancellationToken.None);
            try
            {
                await seen().ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                return;
            }

            if (Error is { } error)
                throw error;
        }
        catch
        {
            await DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Records a page that was read.</summary>
    internal void Learn(FeedLines lines)
    {
        Metrics.Read(lines);
        Pages.Learn(lines);
    }

    /// <summary>A client's journey begins.</summary>
    internal virtual void Came() => Metrics.ClientCame();

    /// <summary>A client's journey is over.</summary>
    internal virtual void Left() => Metrics.ClientLeft();

    /// <summary>Releases what this way of following holds in addition.</summary>
    protected virtual void Close() { }

    /// <summary>What a client gets while the table cannot be served.</summary>
    /// <param name="error">Why; null for what is said by <paramref name="otherwise"/>.</param>
    /// <param name="otherwise">What to report if there is no error.</param>
    protected FeedUnavailableException Unavailable(Exception? error, string otherwise) =>
        error as FeedUnavailableException
        ?? new FeedUnavailableException(error?.Message ?? $"{Options.Table} {otherwise}", Options.RetryAfter, error);
}
