using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// Serves a table or view by polling. There is one poller per feed, however many clients; it keeps no state beyond the most recent changes,
/// so any number of feeds over one database (or its replicas) can serve the same clients.
/// </summary>
internal sealed class PollingFeed : DatabaseFeed
{
    private readonly FeedPoller _poller;
    private readonly TimelineHistory _history;

    private PollingFeed(string connectionString, PostgresFeedOptions options, TimeProvider time)
        : base(
            connectionString,
            options,
            time,
            (connection, token) => TableCatalog.DescribeAsync(connection, options.Table, options.Key, token)
        )
    {
        Live = new LiveLog<PgSnapshot>(options.LiveBytes);
        Spill = new SendBudget(options.SpillBytes, time);
        _history = new TimelineHistory(Readers.Source, options, time);
        _poller = new FeedPoller(Readers.Pool, Database, Live, options, Metrics, time);
    }

    public override Exception? Error => _poller.Error;

    internal LiveLog<PgSnapshot> Live { get; }

    /// <summary>Compares the rows of a view without tombstones.</summary>
    internal ViewReader View => _poller.View;

    /// <summary>The disk space that clients may use.</summary>
    internal SendBudget Spill { get; }

    /// <summary>Returns once the table has been polled.</summary>
    public static async Task<PollingFeed> StartAsync(
        string connectionString,
        PostgresFeedOptions options,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        var feed = new PollingFeed(connectionString, options, time);
        await feed.BeginAsync(feed._poller.RunAsync, () => feed._poller.Seen.WaitAsync(cancellationToken)).ConfigureAwait(false);
        return feed;
    }

    public override async ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken)
    {
        if (Error is { } error)
            throw Unavailable(error);
        var stamp = await CurrentAsync(0, cancellationToken).ConfigureAwait(false);
        return new FeedState(stamp.Identity, stamp.Snapshot.Xmin, KeyNames(stamp.Table), stamp.Table.Pages)
        {
            Floor = Range(stamp).Floor,
            Columns = [.. stamp.Table.Columns.Select(column => column.Name)],
        };
    }

    public override async ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (Error is { } error)
            throw Unavailable(error);

        // The poller may not have polled since the table was altered: a client that must resync should learn it from the status, not from a
        // truncated body.
        var (stamp, identity, isOurs) = await Readers
            .ReadAsync(
                async (connection, token) =>
                {
                    var stamp = await Database.LookAsync(connection, token).ConfigureAwait(false);
                    var identity = await HereAsync(stamp, request, token).ConfigureAwait(false);
                    var isOurs = IsView(stamp)
                        ? IsOfView(stamp, request with { Identity = identity })
                        : await FeedDatabase.AcceptsAsync(connection, stamp, identity, request.Since, token).ConfigureAwait(false);
                    return (stamp, identity, isOurs);
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        var mark = FeedMark.Later(stamp.Snapshot.Mark, request.Mark);

        // A replica may not yet have reached what the client has seen.
        if (
            !isOurs
            && stamp.IsReplica
            && !IsView(stamp)
            && request.Since > stamp.Snapshot.Xmin
            && FeedIdentity.IsSameDatabase(identity ?? "", stamp.Identity)
        )
        {
            throw new FeedBehindException(request.Since, stamp.Snapshot.Xmin, Options.RetryAfter);
        }

        Range(stamp).Admit(isOurs ? stamp.Identity : identity, request.Since);
        var journey = new FeedJourney<PgSnapshot>(
            new PollingSteps(this, stamp.Table, stamp.Identity, request.Share, request.Filter),
            stamp.Identity,
            PgSnapshot.Below(request.Since),
            request with
            {
                Mark = mark,
            }
        );

        return new FeedReading(stamp.Identity, KeyNames(stamp.Table), journey.ReadAsync(cancellationToken))
        {
            Mark = mark,
            Continues = isOurs && request.Identity is not null && stamp.Identity != request.Identity ? request.Identity : null,
        };
    }

    /// <summary>
    /// A client's identity moved to the timeline being served, if that timeline contains everything the client has been told; otherwise one
    /// that belongs to no feed.
    /// </summary>
    /// <exception cref="FeedBehindException">The replica has not reached the client's timeline yet.</exception>
    private async Task<string?> HereAsync(FeedStamp stamp, FeedRequest request, CancellationToken cancellationToken)
    {
        if (
            request.Identity is not { } identity
            || FeedIdentity.TimelineOf(identity) is not { } told
            || FeedIdentity.TimelineOf(stamp.Identity) is not { } now
        )
        {
            return request.Identity;
        }

        // What a client was told about a view is compared with what the view shows now, on whichever timeline.
        if (IsView(stamp) && (identity == stamp.Identity || Database.ViewMoved))
            return identity == stamp.Identity ? identity : identity + "~";
        var reached = TimelineHistory.Reached(request.Mark, told);
        if (reached.Era > now && stamp.IsReplica)
            throw new FeedBehindException(request.Since, stamp.Snapshot.Xmin, Options.RetryAfter);
        var isHere =
            (reached.Era == now || !IsView(stamp)) && await _history.HasAsync(reached, now, cancellationToken).ConfigureAwait(false);
        return isHere ? FeedIdentity.OnTimeline(identity, stamp.Identity) : identity + "~";
    }

    public override async ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var last = await CurrentAsync(request.Horizon ?? 0, cancellationToken).ConfigureAwait(false);
        if (!last.Table.Pages)
            throw new NotSupportedException($"{Options.Table} has no unique key to page by.");
        Range(last).Admit(request.Identity, request.Horizon ?? 0);
        var after = PagePosition.Parse(request.After, last.Table.Key.Count);
        var page = await Readers
            .ReadAsync(
                (c, token) => FeedPages.ReadKeysAsync(Database, c, after, request.Horizon, PageRows, PageSize.Bytes, request.Filter, token),
                cancellationToken
            )
            .ConfigureAwait(false);
        Range(page.Stamp).Admit(request.Identity ?? last.Identity, request.Horizon ?? 0);
        Learn(page.Lines);
        return new SnapshotPage(
            page.Stamp.Identity,
            request.Horizon ?? page.Stamp.Snapshot.Xmin,
            KeyNames(page.Stamp.Table),
            page.Lines.Take(),
            PagePosition.Format(page.Next)
        )
        {
            Mark = page.Stamp.Snapshot.Mark,
        };
    }

    /// <summary>The valid cursors in a snapshot; all changes are kept, except tombstones that were removed.</summary>
    internal ServedRange Range(FeedStamp stamp) =>
        new(stamp.Identity, IsView(stamp) ? View.Range.Floor : stamp.Floor, stamp.Snapshot.Xmin, Options.RetryAfter);

    internal override void Came()
    {
        base.Came();
        _poller.Audience.Came();
    }

    internal override void Left()
    {
        base.Left();
        _poller.Audience.Left();
    }

    /// <summary>What the poller last saw; polls if it is asleep, or behind what the database has shown before.</summary>
    private async Task<FeedStamp> CurrentAsync(long horizon, CancellationToken cancellationToken)
    {
        var last = _poller.Last ?? throw Unavailable(Error);
        if (!_poller.IsStale && last.Snapshot.Xmin >= horizon)
            return last;
        try
        {
            var stamp = await Readers.LookAsync(Database.LookAsync, cancellationToken).ConfigureAwait(false);
            if (_poller.IsStale)
                _poller.Saw(stamp);
            return stamp;
        }
        catch (Exception e) when (e is not OperationCanceledException and not FeedServingException)
        {
            throw Unavailable(PostgresErrors.Translate(e, Options.Table.ToString(), Readers.Source));
        }
    }

    /// <summary>Whether a client's cursor, which another process may have issued, is valid for a view.</summary>
    private bool IsOfView(FeedStamp stamp, FeedRequest request)
    {
        if (request.Since == 0)
            return false;
        var range = View.Range;
        if (request.Identity == stamp.Identity)
            return true;
        var isYoung = !range.IsWhole && !Database.ViewMoved && request.Since > range.From;
        if (request.Identity is null && !isYoung)
            throw new FeedCursorExpiredException(request.Since, Math.Min(range.From, stamp.Snapshot.Xmin) + 1);
        return isYoung && (request.Identity is null || FeedIdentity.IsSameView(stamp.Identity, request.Identity));
    }

    private static bool IsView(FeedStamp stamp) => stamp.Table.Changes == ChangeSource.SnapshotsOnly;

    protected override void Close()
    {
        Live.Close();
        _poller.Dispose();
    }

    private FeedUnavailableException Unavailable(Exception? error) => Unavailable(error, "has not been looked at yet.");

    private static string[] KeyNames(TableDescription table) => [.. table.Key.Select(k => k.Name)];
}
