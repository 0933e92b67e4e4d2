using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// A table or view by polling. One poller per feed, however many clients; it keeps no state of its own beyond the last changes, so any number of feeds over one database (or
/// its replicas) serve the same clients.
/// </summary>
internal sealed class PollingFeed : IPostgresFeed
{
    private readonly FeedPoller _poller;
    private readonly CancellationTokenSource _stop = new();
    private Task _polling = Task.CompletedTask;

    private PollingFeed(string connectionString, PostgresFeedOptions options, TimeProvider time)
    {
        Options = options;
        Time = time;
        Name = options.Name ?? options.Table.Name;
        Readers = new DatabaseReaders(connectionString, options, time, _stop.Token);
        Metrics = new FeedMetrics(Name, time);
        Log = new LiveLog(options.LiveBytes);
        Database = new FeedDatabase(options.Table, (connection, token) => TableCatalog.DescribeAsync(connection, options.Table, options.Key, token));
        _poller = new FeedPoller(Readers.Source, Database, Log, options, Metrics, time);
    }

    public string Name { get; }

    public Exception? Error => _poller.Error;

    public (long Transactions, TimeSpan Age) HorizonLag => Metrics.HorizonLag;

    public PostgresSlotState? Slot => null;

    internal DatabaseReaders Readers { get; }

    internal PostgresFeedOptions Options { get; }

    internal TimeProvider Time { get; }

    internal FeedMetrics Metrics { get; }

    internal LiveLog Log { get; }

    internal FeedDatabase Database { get; }

    /// <summary>Returns once the table has been looked at.</summary>
    public static async Task<PollingFeed> StartAsync(string connectionString, PostgresFeedOptions options, TimeProvider time, CancellationToken cancellationToken)
    {
        var feed = new PollingFeed(connectionString, options, time);
        try
        {
            feed._polling = Task.Run(() => feed._poller.RunAsync(feed._stop.Token), CancellationToken.None);
            await feed._poller.Seen.WaitAsync(cancellationToken).ConfigureAwait(false);
            if (feed.Error is { } error) throw error;
            return feed;
        }
        catch
        {
            await feed.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken)
    {
        if (Error is { } error) throw Unavailable(error);
        var stamp = _poller.Last!;
        return ValueTask.FromResult(new FeedState(stamp.Identity, stamp.Snapshot.Xmin, KeyNames(stamp.Table), stamp.Table.Pages));
    }

    public async ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (Error is { } error) throw Unavailable(error);

        // The poller may not have looked since the table was altered: a client that has to resync is to hear it from the status, not from a body cut off.
        var stamp = await ProbeAsync(cancellationToken).ConfigureAwait(false);
        Admit(stamp, request.Identity, request.Since);
        var reader = new ClientReader(this, stamp.Table, stamp.Identity, request.Since, request.HeartbeatInterval);
        return new FeedReading(stamp.Identity, KeyNames(stamp.Table), reader.ReadAsync(cancellationToken));
    }

    public async ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var last = _poller.Last ?? throw Unavailable(Error);
        if (!last.Table.Pages) throw new NotSupportedException($"{Options.Table} has no unique key to page by.");
        Admit(last, request.Identity, request.Horizon ?? 0);
        var after = PagePosition.Parse(request.After, last.Table.Key.Count);
        var page = await Readers.ReadAsync(
            (c, token) => FeedPages.ReadKeysAsync(Database, c, after, request.Horizon, Options.PageRows, token), cancellationToken).ConfigureAwait(false);
        Admit(page.Stamp, request.Identity ?? last.Identity, request.Horizon ?? 0);
        Metrics.Read(page.Lines);
        return new SnapshotPage(
            page.Stamp.Identity, request.Horizon ?? page.Stamp.Snapshot.Xmin, KeyNames(page.Stamp.Table), page.Lines.Take(),
            PagePosition.Format(page.Next));
    }

    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested) return;
        await _stop.CancelAsync().ConfigureAwait(false);
        await _polling.ConfigureAwait(false);
        await Readers.DisposeAsync().ConfigureAwait(false);
        Metrics.Dispose();
    }

    /// <summary>What the database would serve at this moment.</summary>
    internal Task<FeedStamp> ProbeAsync(CancellationToken cancellationToken) =>
        Readers.ReadAsync(Database.LookAsync, cancellationToken);

    private void Admit(FeedStamp stamp, string? identity, long cursor)
    {
        // From the start nothing is assumed, so nothing can be wrong.
        if (cursor > 0 && identity is not null && identity != stamp.Identity) throw new FeedIdentityChangedException(stamp.Identity);
        if (cursor > stamp.Snapshot.Xmin) throw new FeedBehindException(cursor, stamp.Snapshot.Xmin, Options.RetryAfter);
    }

    private FeedUnavailableException Unavailable(Exception? error) =>
        error as FeedUnavailableException ?? new FeedUnavailableException(error?.Message ?? $"{Options.Table} has not been looked at yet.", Options.RetryAfter, error);

    private static string[] KeyNames(TableDescription table) => [.. table.Key.Select(k => k.Name)];
}
