using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;
using Npgsql;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// A table that a stream copies into its change log, for as long as its feed lives: gets it published, joins the stream, and rejoins after
/// dropping out.
/// </summary>
internal sealed class StreamedTable(
    ReplicationStream stream,
    NpgsqlDataSource source,
    FeedDatabase database,
    ChangeLog log,
    LiveLog<CommitPosition> live,
    TimelineHistory history,
    PostgresFeedOptions options,
    FeedMetrics metrics,
    TimeProvider time
)
{
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Exception? _error = new FeedUnavailableException("The feed has just been started.", TimeSpan.FromSeconds(1));
    private TaskCompletionSource _out = new();
    private int _lookWanted;
    private volatile bool _streams;
    private bool _hasStreamed;
    private bool _wasPublished;

    /// <summary>Completes when the stream has started, or cannot start until somebody acts.</summary>
    public Task Ready => _ready.Task;

    /// <summary>Why nothing is streamed; null while something is.</summary>
    public Exception? Error => _error;

    public PostgresSlotState? Slot => stream.Slot;

    /// <summary>Raised when the log, or the error, may have changed.</summary>
    public Signal Moved => stream.Moved;

    public FeedDatabase Database => database;

    public ChangeLog Log => log;

    public LiveLog<CommitPosition> Live => live;

    /// <summary>Where the server's earlier timelines ended.</summary>
    public TimelineHistory History => history;

    public PostgresFeedOptions Options => options;

    public FeedMetrics Metrics => metrics;

    public TimeProvider Time => time;

    /// <summary>Cancelled when the feed ends.</summary>
    public CancellationToken Ended { get; private set; }

    /// <summary>Whether the publication has included the table ever since the point where its log ends.</summary>
    public bool IsPublished { get; private set; }

    /// <summary>Has the stream examine the table soon, because it may have been altered.</summary>
    public void WantLook()
    {
        Interlocked.Exchange(ref _lookWanted, 1);
        stream.Attention.Raise();
    }

    public bool IsLookWanted => Volatile.Read(ref _lookWanted) == 1;

    /// <summary>Whether an examination is wanted; resets the request, so the caller has to do it.</summary>
    public bool TakeLook() => Interlocked.Exchange(ref _lookWanted, 0) == 1;

    /// <summary>Runs until cancelled; throws nothing else.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        Ended = cancellationToken;
        try
        {
            await FollowAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The feed has ended.
        }
        finally
        {
            await stream.LeaveAsync(this).ConfigureAwait(false);
            if (_wasPublished && !_hasStreamed)
                await stream.RemoveAsync(options).ConfigureAwait(false);
        }
    }

    /// <summary>The stream now carries the table.</summary>
    public void Begun()
    {
        (_error, _streams, _hasStreamed, IsPublished) = (null, true, true, true);
        _ready.TrySetResult();
    }

    /// <summary>The stream does not carry the table yet, and nobody has to act.</summary>
    public void Waits(string why) => _error = new FeedUnavailableException(why, TimeSpan.FromSeconds(1));

    /// <summary>The stream has broken; it will be restarted.</summary>
    public void Broken(Exception error)
    {
        metrics.PollFailed();
        PostgresLog.LookFailed(options.Logger, options.Table, error);
        error = PostgresErrors.Translate(error, options.Table.ToString());
        var isOver = PostgresErrors.EndsService(error);
        if (isOver)
            live.Restart("none", new CommitPosition(0));

        // A connection that has just worked usually works again, and clients need not notice.
        if (!_streams || isOver || error is PostgresTableException)
        {
            _error = error;
            _ready.TrySetResult();
        }

        _streams = false;
    }

    /// <summary>The stream no longer carries the table; without an error it rejoins at once.</summary>
    public void FellOut(Exception? error)
    {
        if (error is null)
            _out.TrySetResult();
        else
            _out.TrySetException(error);
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        for (var failures = 0; ; )
        {
            try
            {
                await PrepareAsync(cancellationToken).ConfigureAwait(false);
                _out = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                stream.Join(this);
                await _out.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
                failures = 0;
                continue;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                throw;
            }
#pragma warning disable CA1031 // Any error is kept in Error, and the next attempt may succeed.
            catch (Exception e)
#pragma warning restore CA1031
            {
                failures = _streams ? 1 : failures + 1;
                Broken(e);
                stream.Moved.Raise();
            }

            await Task.Delay(ReplicationStream.Backoff(failures), time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Checks the server and the table, and gets the table published.</summary>
    private async Task PrepareAsync(CancellationToken cancellationToken)
    {
        var connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var names = await ReplicationSetup.CheckAsync(connection, options, cancellationToken).ConfigureAwait(false);
            var stamp = await database.LookAsync(connection, cancellationToken).ConfigureAwait(false);
            IsPublished = await stream.PublishAsync(connection, names, stamp.Table, cancellationToken).ConfigureAwait(false);
            _wasPublished |= !IsPublished && names.OwnsPublication;
            if (log.Slot is { } former && former != names.Slot && names.OwnsSlot && ReplicationNames.IsOfOneTable(former, options.Table))
                await ReplicationSetup.RemoveFormerAsync(connection, former, cancellationToken).ConfigureAwait(false);
        }
    }
}
