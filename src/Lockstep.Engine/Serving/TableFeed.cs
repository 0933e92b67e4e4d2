using System.Buffers.Text;
using Lockstep.Engine.Tables;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Serving;

/// <summary>
/// A table file as a feed, live while this or another process syncs it: for trees of servers, and for mirrors that outlive their source. It
/// sends the transaction dialect with the table's own sequence (I11) in the place of transactions, since the order values of the table's
/// source would miss late and swept records, and has an identity of its own, which the file keeps.
/// </summary>
/// <remarks>
/// A cursor is refused with <see cref="FeedIdentityChangedException"/> where the table was emptied, replaced or put back, and with
/// <see cref="FeedCursorExpiredException"/> where tombstones after it were cleared away. A file that was put back by other means than
/// <see cref="Table.Backup"/> is known by its sequence having gone back, if it is looked at before it has passed the clients' cursors
/// again. A table whose first load has not ended is refused with <see cref="FeedUnavailableException"/>.
/// </remarks>
public sealed class TableFeed : IFeedSource
{
    /// <summary>How long it can go unnoticed that a file was replaced by another.</summary>
    private static readonly TimeSpan Reopening = TimeSpan.FromSeconds(1);

    /// <summary>When a client should ask again for a table that is still being loaded.</summary>
    private static readonly TimeSpan LoadRetry = TimeSpan.FromSeconds(2);

    /// <summary>Not a version of SQLite's.</summary>
    private const long Unknown = -1;

    private readonly TableFeedOptions _options;
    private readonly TableFeedFile _file;
    private readonly RowLimits _limits;
    private readonly SemaphoreSlim _readers;
    private readonly CancellationTokenSource _stop = new();
    private Task _watching = Task.CompletedTask;
    private TableStamp? _last;
    private FeedUnavailableException? _error;
    private int _followers;

    private TableFeed(TableFeedOptions options, TimeProvider time, TableFeedFile file, RowLimits limits)
    {
        var stamp = file.ReadStamp();
        _options = options;
        _file = file;
        _limits = limits;
        _readers = new SemaphoreSlim(options.MaxReaders);
        _last = stamp;
        Time = time;
        Name = options.Name ?? stamp.Table;
        Live = new LiveLog<LogPosition>(options.LiveBytes);
        Live.Restart(stamp.Identity, new LogPosition(stamp.Sequence));
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public LeftOutRows LeftOut => _limits.LeftOut;

    /// <summary>The table file's full path.</summary>
    public string Path => _options.Path;

    /// <summary>Why the file could not be read the last time; null if it could. The feed keeps trying.</summary>
    public Exception? Error => Volatile.Read(ref _error);

    internal string? RecordOrderField => _options.Dialect == ServedDialect.Record ? _file.OrderField : null;

    string? IFeedSource.RecordOrderField => RecordOrderField;

    internal TimeProvider Time { get; }

    internal TimeSpan PollInterval => _options.PollInterval;

    internal LiveLog<LogPosition> Live { get; }

    /// <summary>Starts to serve a table file, which a sync may be writing meanwhile.</summary>
    /// <param name="options">What to serve, and how.</param>
    /// <param name="time">The clock for intervals; null for the system's.</param>
    /// <param name="cancellationToken">Cancels the start.</param>
    /// <exception cref="TableNotFoundException">There is no such file.</exception>
    /// <exception cref="TableFileException">It is no table file, or cannot be read and written: its identity is kept in it.</exception>
    public static async Task<TableFeed> StartAsync(
        TableFeedOptions options,
        TimeProvider? time = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(options);
        time ??= TimeProvider.System;
        var settings = options.Checked();
        var begun = time.GetTimestamp();
        while (true)
        {
            try
            {
                ServingMark.Ensure(settings.Path);
                var limits = new RowLimits(settings.Name ?? settings.Path, settings.MaximumRowBytes, checksJson: true, settings.Logger);
                var feed = new TableFeed(settings, time, new TableFeedFile(settings.Path, settings.PageBytes, limits), limits);
                feed._watching = Task.Run(() => feed.WatchAsync(feed._stop.Token), CancellationToken.None);
                return feed;
            }
            catch (TableFileException e)
                when (e.InnerException is SqliteException { SqliteErrorCode: Tables.Native.NativeSqlite.Busy }
                    && time.GetElapsedTime(begun) < settings.Patience
                )
            {
                await Task.Delay(settings.PollInterval, time, cancellationToken).ConfigureAwait(false);
            }
            catch (FeedUnavailableException e) when (e.InnerException is LockstepException cause)
            {
                throw cause;
            }
        }
    }

    internal ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _error) is { } error)
            throw error;
        var stamp = RequireLoaded(Volatile.Read(ref _last)!);
        return ValueTask.FromResult(
            new FeedState(stamp.Identity, stamp.Sequence, stamp.KeyFields, Pages: _options.Dialect == ServedDialect.Transaction)
            {
                Floor = stamp.Range.Floor,
                Columns = stamp.Columns,
            }
        );
    }

    /// <inheritdoc/>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _error) is { } error)
            throw error;
        RequireLoaded(await ReadAsync(file => file.ReadStamp(), cancellationToken).ConfigureAwait(false));
    }

    internal async ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);

        // The watch may not have looked since the table was emptied: a client that must resync should learn it from the status, not from a
        // body cut off.
        var stamp = RequireLoaded(await ReadAsync(file => file.ReadStamp(), cancellationToken).ConfigureAwait(false));
        stamp.Range.Admit(request.Identity, request.Since);
        var journey = new FeedJourney<LogPosition>(
            new TableFeedSteps(this, stamp.Identity, request.InOrder),
            stamp.Identity,
            new LogPosition(request.InOrder ? Math.Max(0, request.Since - 1) : request.Since),
            request
        );
        return new FeedReading(stamp.Identity, stamp.KeyFields, journey.ReadAsync(cancellationToken));
    }

    internal async ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (_options.Dialect == ServedDialect.Record)
            throw new NotSupportedException("The record dialect has no pages.");
        var after = request.After is null ? null : ParsePosition(request.After);
        var page = await ReadAsync(file => file.ReadKeys(after, request.Horizon), cancellationToken).ConfigureAwait(false);
        RequireLoaded(page.Stamp);
        var horizon = request.Horizon ?? page.Stamp.Sequence;
        page.Stamp.Range.Check(request.Identity ?? page.Stamp.Identity, horizon);
        return new SnapshotPage(page.Stamp.Identity, horizon, page.Stamp.KeyFields, page.Lines.Take(), FormatPosition(page.Next));
    }

    ValueTask<FeedState> IFeedSource.GetStateAsync(CancellationToken cancellationToken) => GetStateAsync(cancellationToken);

    ValueTask<FeedReading> IFeedSource.OpenAsync(FeedRequest request, CancellationToken cancellationToken) =>
        OpenAsync(request, cancellationToken);

    ValueTask<SnapshotPage> IFeedSource.ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken) =>
        ReadPageAsync(request, cancellationToken);

    /// <summary>Stops watching the file. Clients that still read are cut off.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
            return;
        await _stop.CancelAsync().ConfigureAwait(false);
        await _watching.ConfigureAwait(false);
        Live.Close();
    }

    /// <summary>Counts a client, for whom the live log is filled.</summary>
    internal void Came() => Interlocked.Increment(ref _followers);

    /// <summary>It has gone.</summary>
    internal void Left() => Interlocked.Decrement(ref _followers);

    /// <summary>Reads from the file, when it is this client's turn.</summary>
    internal async Task<T> ReadAsync<T>(Func<TableFeedFile, T> read, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
        try
        {
            await _readers.WaitAsync(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw Stopped();
        }

        try
        {
            // SQLite's work is synchronous and may take a while: not on the thread that serves the connection.
            return await Task.Run(() => read(_file), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _readers.Release();
        }
    }

    private async Task WatchAsync(CancellationToken cancellationToken)
    {
        using LookPace pace = new(_options.Path, _options.PollInterval, Time);
        SqliteConnection? connection = null;
        long opened = 0,
            version = Unknown;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                if (connection is null || Time.GetElapsedTime(opened) > Reopening)
                {
                    // The last connection to close removes the write-ahead log and its index, which the next one would create again.
                    using var before = connection;
                    connection = null;
                    connection = ReadConnection.Open(_options.Path, CancellationToken.None);
                    (opened, version) = (Time.GetTimestamp(), Unknown);
                }

                var now = TableFile.Guard(_options.Path, () => TableFile.Scalar(connection, "PRAGMA data_version"));
                if (now != version)
                {
                    Look();
                    if (version != Unknown)
                        pace.Found();
                }

                version = now;
                Volatile.Write(ref _error, null);
            }
            catch (LockstepException e)
            {
                connection?.Dispose();
                connection = null;
                Volatile.Write(
                    ref _error,
                    e as FeedUnavailableException
                        ?? new FeedUnavailableException(
                            $"The table file '{_options.Path}' cannot be read at the moment: {e.Message}",
                            TimeSpan.FromSeconds(1),
                            e
                        )
                );
            }

            await pace.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        connection?.Dispose();
    }

    /// <summary>Something was committed: brings the live log up to it.</summary>
    private void Look()
    {
        var stamp = _file.ReadStamp();
        var end = Live.End!;
        if (stamp.Identity == Live.Identity && stamp.Sequence < end.Cursor)
        {
            // The file was restored to an earlier state: numbers above these have been given out, and will be given out again to other
            // changes.
            _file.Renew(stamp.Identity);
            stamp = _file.ReadStamp();
        }

        Volatile.Write(ref _last, stamp);
        if (stamp.Identity != Live.Identity || stamp.Cleared > end.Cursor || Volatile.Read(ref _followers) == 0)
        {
            if (stamp.Identity != Live.Identity || stamp.Sequence != end.Cursor)
                Live.Restart(stamp.Identity, new LogPosition(stamp.Sequence));
            return;
        }

        for (var isEnd = stamp.Sequence == end.Cursor; !isEnd; )
        {
            var page = _file.ReadChanges(end.Cursor);
            if (page.Stamp.Identity != stamp.Identity || page.Stamp.Cleared > end.Cursor)
            {
                Live.Restart(page.Stamp.Identity, new LogPosition(page.Stamp.Sequence));
                return;
            }

            // Restored between the two reads: the next look sees it.
            if (page.To < end.Cursor)
                return;
            var to = new LogPosition(page.To);
            Live.Append(new LiveBatch<LogPosition>(end, to, page.Lines.Take(), page.Lines.Bytes));
            (end, isEnd) = (to, page.IsEnd);
        }
    }

    /// <summary>
    /// A client takes the end of a snapshot for the end of the set, and removes what it lacks: that of a table which is still filled, or
    /// whose first load was cut off, would remove everything that has not come yet.
    /// </summary>
    /// <exception cref="FeedUnavailableException">No sync of the table has ended well since it was created or emptied.</exception>
    private TableStamp RequireLoaded(TableStamp stamp) =>
        stamp.IsLoaded
            ? stamp
            : throw new FeedUnavailableException(
                $"The table '{Name}' is not served yet: its first load has not ended.",
                "Sync it until that load has ended.",
                LoadRetry,
                inner: null
            );

    private FeedUnavailableException Stopped() => new($"The table '{Name}' is no longer served here.", TimeSpan.FromSeconds(1));

    /// <summary>A page's position as it stands in its address; null stays null.</summary>
    internal static string? FormatPosition(byte[]? key) => key is null ? null : Base64Url.EncodeToString(key);

    private static byte[] ParsePosition(string text)
    {
        try
        {
            var key = Base64Url.DecodeFromChars(text);
            return Records.KeyEncoding.Read(key).Parts.Count > 0 ? key : throw new FormatException();
        }
        catch (Exception e) when (e is FormatException or InvalidDataException)
        {
            throw new FeedPositionException(e);
        }
    }
}
