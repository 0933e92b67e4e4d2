using Lockstep.Engine.Serving;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// What polling and replication share: the connections, the one task that follows the table, and how it starts and stops.
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
        Database = new FeedDatabase(options.Table, describe, Readers.Pool.Flush, _limits, Metrics);
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

    /// <summary>The size of pages, for all clients: what one client learns about the rows helps the next.</summary>
    internal PageSize Pages { get; } = new(PageSize.Bytes, rowBytes: 2 << 10);

    /// <summary>
    /// The most rows of a page that caches may hold: twice the expected number, so that a page usually ends by its size. Then all servers
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

    /// <summary>Starts following the table and returns after the first look at it; a feed that could not be started is disposed.</summary>
    /// <param name="follow">Follows it until the feed is disposed.</param>
    /// <param name="seen">
    /// Completes after the first look, whether or not that succeeded; or fails with <see cref="TimeoutException"/>, which
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

    /// <summary>Releases what the derived feed holds in addition.</summary>
    protected virtual void Close() { }

    /// <summary>The error for a client while the table cannot be served.</summary>
    /// <param name="error">Why; null to report <paramref name="otherwise"/>.</param>
    /// <param name="otherwise">The message if there is no error.</param>
    protected FeedUnavailableException Unavailable(Exception? error, string otherwise) =>
        error as FeedUnavailableException
        ?? new FeedUnavailableException(error?.Message ?? $"{Options.Table} {otherwise}", Options.RetryAfter, error);
}
