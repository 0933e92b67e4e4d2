using System.Buffers.Text;
using System.Text.Json;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;
using Npgsql;

namespace Lockstep.Postgres;

/// <summary>
/// A table or view as a feed in the transaction dialect, by polling. One poller per feed, however many clients; it keeps no state of its own beyond
/// the last changes, so any number of feeds over one database (or its replicas) serve the same clients.
/// </summary>
public sealed class PostgresFeed : IFeedSource
{
    /// <summary>The meter through which feeds report: polls, rows, clients, and how long the horizon has been held back.</summary>
    public const string MeterName = FeedMetrics.MeterName;

    private readonly NpgsqlDataSource _source;
    private readonly FeedPoller _poller;
    private readonly SemaphoreSlim _readers;
    private readonly CancellationTokenSource _stop = new();
    private Task _polling = Task.CompletedTask;

    private PostgresFeed(string connectionString, PostgresFeedOptions options, TimeProvider time)
    {
        Options = options;
        Time = time;
        Name = options.Name ?? options.Table.Name;
        _source = PostgresConnection.CreateSource(connectionString, options.MaxReaders + 1);
        _readers = new SemaphoreSlim(options.MaxReaders);
        Metrics = new FeedMetrics(Name, time);
        Log = new LiveLog(options.LiveBytes);
        Database = new FeedDatabase(options.Table, options.Key);
        _poller = new FeedPoller(_source, Database, Log, options, Metrics, time);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>What the last look at the table failed of; null when it did not. The feed goes on trying.</summary>
    public Exception? Error => _poller.Error;

    /// <summary>How many transactions, and for how long, the oldest open writing transaction holds cursors back.</summary>
    public (long Transactions, TimeSpan Age) HorizonLag => Metrics.HorizonLag;

    internal PostgresFeedOptions Options { get; }

    internal TimeProvider Time { get; }

    internal FeedMetrics Metrics { get; }

    internal LiveLog Log { get; }

    internal FeedDatabase Database { get; }

    /// <summary>Starts to serve a table or view: returns once it has been looked at.</summary>
    /// <param name="connectionString">For Npgsql. Never shown (I9).</param>
    /// <param name="options">What to serve, and how.</param>
    /// <param name="time">The clock for intervals; null for the system's.</param>
    /// <param name="cancellationToken">Ends the wait for the first look.</param>
    /// <exception cref="ArgumentException">The connection string is malformed.</exception>
    /// <exception cref="PostgresAccessException">The login or a privilege is refused.</exception>
    /// <exception cref="PostgresTableException">The table, or a column that a feed needs, is missing.</exception>
    /// <exception cref="FeedUnavailableException">The database cannot be reached.</exception>
    public static async Task<PostgresFeed> StartAsync(
        string connectionString, PostgresFeedOptions options, TimeProvider? time = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var feed = new PostgresFeed(connectionString, options.Checked(), time ?? TimeProvider.System);
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

    /// <inheritdoc/>
    public ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken)
    {
        if (Error is { } error) throw Unavailable(error);
        var stamp = _poller.Last!;
        return ValueTask.FromResult(new FeedState(stamp.Identity, stamp.Snapshot.Xmin, KeyNames(stamp.Table), stamp.Table.Pages));
    }

    /// <inheritdoc/>
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

    /// <inheritdoc/>
    public async ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var last = _poller.Last ?? throw Unavailable(Error);
        if (!last.Table.Pages) throw new NotSupportedException($"{Options.Table} has no unique key to page by.");
        Admit(last, request.Identity, request.Horizon ?? 0);
        var after = request.After is null ? [] : ParsePosition(request.After, last.Table.Key.Count);
        var page = await ReadAsync(
            (c, token) => FeedPages.ReadKeysAsync(Database, c, after, request.Horizon, Options.PageRows, token), cancellationToken).ConfigureAwait(false);
        Admit(page.Stamp, request.Identity ?? last.Identity, request.Horizon ?? 0);
        Metrics.Read(page.Lines);
        return new SnapshotPage(
            page.Stamp.Identity, request.Horizon ?? page.Stamp.Snapshot.Xmin, KeyNames(page.Stamp.Table), page.Lines.Take(),
            page.Next is null ? null : Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(page.Next)));
    }

    /// <summary>Stops the poller and closes the connections. Clients that still read are cut off.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested) return;
        await _stop.CancelAsync().ConfigureAwait(false);
        await _polling.ConfigureAwait(false);
        await _source.DisposeAsync().ConfigureAwait(false);
        Metrics.Dispose();
    }

    /// <summary>What the database would serve at this moment.</summary>
    internal Task<FeedStamp> ProbeAsync(CancellationToken cancellationToken) =>
        ReadAsync((c, token) => Database.ReadAsync(c, _ => null, (_, _) => Task.CompletedTask, token), cancellationToken);

    /// <summary>Runs a read on a connection, one of a limited number, and again while the database is away and patience lasts.</summary>
    /// <param name="read">The read; may run several times.</param>
    /// <param name="cancellationToken">Ends it.</param>
    internal Task<T> ReadAsync<T>(Func<NpgsqlConnection, CancellationToken, Task<T>> read, CancellationToken cancellationToken) =>
        ReadAsync(read, () => true, cancellationToken);

    /// <inheritdoc cref="ReadAsync{T}(Func{NpgsqlConnection, CancellationToken, Task{T}}, CancellationToken)"/>
    internal async Task<T> ReadAsync<T>(Func<NpgsqlConnection, CancellationToken, Task<T>> read, Func<bool> mayRepeat, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
        var started = Time.GetTimestamp();
        for (var delay = TimeSpan.FromMilliseconds(100); ; delay *= 2)
        {
            try
            {
                await _readers.WaitAsync(either.Token).ConfigureAwait(false);
                try
                {
                    var connection = await _source.OpenConnectionAsync(either.Token).ConfigureAwait(false);
                    await using (connection.ConfigureAwait(false)) return await read(connection, either.Token).ConfigureAwait(false);
                }
                finally
                {
                    _readers.Release();
                }
            }
            catch (Exception e) when (e is not OperationCanceledException and not FeedServingException)
            {
                if (!PostgresErrors.IsPassing(e) || !mayRepeat() || Time.GetElapsedTime(started) + delay > Options.Patience)
                    throw PostgresErrors.Translate(e, Options.Table.ToString());
            }

            await Task.Delay(delay, Time, either.Token).ConfigureAwait(false);
        }
    }

    private void Admit(FeedStamp stamp, string? identity, long cursor)
    {
        // From the start nothing is assumed, so nothing can be wrong.
        if (cursor > 0 && identity is not null && identity != stamp.Identity) throw new FeedIdentityChangedException(stamp.Identity);
        if (cursor > stamp.Snapshot.Xmin) throw new FeedBehindException(cursor, stamp.Snapshot.Xmin, Options.RetryAfter);
    }

    private FeedUnavailableException Unavailable(Exception? error) =>
        error as FeedUnavailableException ?? new FeedUnavailableException(error?.Message ?? $"{Options.Table} has not been looked at yet.", Options.RetryAfter, error);

    private static string[] KeyNames(TableDescription table) => [.. table.Key.Select(k => k.Name)];

    private static string[] ParsePosition(string text, int parts)
    {
        try
        {
            return JsonSerializer.Deserialize<string[]>(Base64Url.DecodeFromChars(text)) is { } key && key.Length == parts && !key.Contains(null)
                ? key
                : throw new FormatException();
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            throw new FeedPositionException(e);
        }
    }
}
