using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// One client's way through the feed: pages of a snapshot if it starts from nothing, then rounds of changes from the database until it has
/// caught up, then the live log; and back to the database when it was too slow for the log. Between two pages it holds no connection and no
/// snapshot, so a slow client costs the database nothing.
/// </summary>
internal sealed class ClientReader(PollingFeed feed, TableDescription table, string identity, long since, TimeSpan heartbeat)
{
    private readonly PageSize _pages = new();
    private bool _isReplica;
    private readonly LiveFollower _live = new(feed.Log, feed.Metrics, identity, heartbeat, feed.Time) { Known = PgSnapshot.Below(since) };

    /// <summary>Chunks without end.</summary>
    public async IAsyncEnumerable<FeedChunk> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        feed.Metrics.ClientCame();
        try
        {
            var completed = since > 0;
            if (!completed)
            {
                await foreach (var piece in SnapshotAsync(cancellationToken).ConfigureAwait(false))
                    yield return new FeedChunk(FeedChunkKind.SnapshotRows, piece, 0);
            }

            while (true)
            {
                // Also the first time round, where the log may reach back far enough: a client that connects is told of everything
                // committed before it did, and the poller may not have looked since.
                var end = feed.Log.PlaceAtEnd(identity);
                if (completed || table.Changes == ChangeSource.Tracked)
                {
                    await foreach (var piece in CatchUpAsync(cancellationToken).ConfigureAwait(false))
                        yield return Rows(piece);
                }

                yield return new FeedChunk(completed ? FeedChunkKind.CaughtUp : FeedChunkKind.SnapshotCompleted, default, _live.Known.Xmin);
                completed = true;
                if ((_isReplica ? end : feed.Log.PlaceAfter(_live.Known, identity)) is { } place)
                {
                    await foreach (var chunk in _live.FollowAsync(place, cancellationToken).ConfigureAwait(false))
                        yield return chunk;
                }
                else if (feed.Log.Identity != identity)
                {
                    // Either the poller has not yet seen what this client has, or it has seen more: the next read from the database tells
                    // which.
                    await Task.Delay(
                            feed.Options.PollInterval < heartbeat ? feed.Options.PollInterval : heartbeat,
                            feed.Time,
                            cancellationToken
                        )
                        .ConfigureAwait(false);
                }
            }
        }
        finally
        {
            feed.Metrics.ClientLeft();
        }
    }

    private static FeedChunk Rows(ReadOnlyMemory<byte> piece) => new(FeedChunkKind.Rows, piece, 0);

    /// <summary>
    /// Everything, page by page in key order. Each page shows the table as it is when the page is read; what changed since the first one
    /// comes again with the changes after it, before the snapshot is called complete. Without a key to page by it is one statement.
    /// </summary>
    private async IAsyncEnumerable<ReadOnlyMemory<byte>> SnapshotAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (!table.Pages)
        {
            await foreach (var piece in WholeAsync(t => new FeedQuery(FeedSql.Whole(t)), cancellationToken).ConfigureAwait(false))
                yield return piece;
            yield break;
        }

        PgSnapshot? first = null;
        for (string[]? after = []; after is not null; )
        {
            var (from, rows) = (after, _pages.Rows);
            var page = await feed
                .Readers.ReadAsync(
                    (c, token) => FeedPages.ReadKeysAsync(feed.Database, c, from, first?.Xmin, rows, token),
                    cancellationToken
                )
                .ConfigureAwait(false);
            Check(page.Stamp);
            first ??= page.Stamp.Snapshot;
            foreach (var piece in Take(page.Lines))
                yield return piece;
            after = page.Next;
        }

        _live.Known = first!;
    }

    /// <summary>The changes after what the client knows, in rounds.</summary>
    private async IAsyncEnumerable<ReadOnlyMemory<byte>> CatchUpAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (table.Changes == ChangeSource.SnapshotsOnly)
        {
            // Its identity is that of its content: as long as that is the same, nothing has changed.
            var stamp = await feed.ProbeAsync(cancellationToken).ConfigureAwait(false);
            Check(stamp);
            _live.Known = stamp.Snapshot;
            yield break;
        }

        // A replica's snapshots say nothing above the horizon, so a round there brings again what the one before it brought: one has to do.
        for (var pages = 0; table.Pages && !(_isReplica && pages > 0); )
        {
            PgSnapshot? round = null;
            pages = 0;
            for (ChangePosition? after = null; pages == 0 || after is not null; pages++)
            {
                var (from, horizon, rows) = (after, round?.Xmin, _pages.Rows);
                var page = await feed
                    .Readers.ReadAsync(
                        (c, token) => FeedPages.ReadChangesAsync(feed.Database, c, _live.Known, from, horizon, rows, token),
                        cancellationToken
                    )
                    .ConfigureAwait(false);
                Check(page.Stamp);
                round ??= page.Stamp.Snapshot;
                foreach (var piece in Take(page.Lines))
                    yield return piece;
                after = page.Next;
            }

            // What a transaction wrote that ended during the round may lie below the position the round had reached; the round's first
            // snapshot does not show it, so the next round brings it.
            _live.Known = round!;
            if (pages == 1)
                yield break;
        }

        var known = _live.Known;
        await foreach (
            var piece in WholeAsync(t => FeedPages.ChangesQuery(t, known, null, int.MaxValue), cancellationToken).ConfigureAwait(false)
        )
        {
            yield return piece;
        }
    }

    /// <summary>
    /// One statement's rows, handed over while its transaction is open: for what has no key to page by, and for what a replica's rounds
    /// leave open.
    /// </summary>
    private async IAsyncEnumerable<ReadOnlyMemory<byte>> WholeAsync(
        Func<TableDescription, FeedQuery> query,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var pieces = Channel.CreateBounded<ReadOnlyMemory<byte>>(4);
        PgSnapshot? snapshot = null;
        var producer = ProduceAsync();
        try
        {
            await foreach (var piece in pieces.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
                yield return piece;
            await producer.ConfigureAwait(false);
            _live.Known = snapshot!;
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await producer.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        async Task ProduceAsync()
        {
            Exception? error = null;
            try
            {
                await feed
                    .Readers.ReadAsync(
                        (c, token) =>
                            feed.Database.ReadAsync(
                                c,
                                query,
                                async (stamp, rows) =>
                                {
                                    Check(stamp);
                                    snapshot = stamp.Snapshot;
                                    var lines = new FeedLines();
                                    while (await rows.ReadAsync(token).ConfigureAwait(false))
                                    {
                                        lines.Append(rows, stamp.Snapshot.Xmin);
                                        foreach (var piece in lines.Full)
                                            await pieces.Writer.WriteAsync(piece, token).ConfigureAwait(false);
                                        lines.Full.Clear();
                                    }

                                    feed.Metrics.Read(lines);
                                    foreach (var piece in lines.Take())
                                        await pieces.Writer.WriteAsync(piece, token).ConfigureAwait(false);
                                },
                                token
                            ),
                        () => snapshot is null,
                        stop.Token
                    )
                    .ConfigureAwait(false);
            }
#pragma warning disable CA1031 // Handed on to the one who reads the pieces.
            catch (Exception e)
#pragma warning restore CA1031
            {
                error = e;
            }

            pieces.Writer.Complete(error);
        }
    }

    private IReadOnlyList<ReadOnlyMemory<byte>> Take(FeedLines lines)
    {
        feed.Metrics.Read(lines);
        _pages.Learn(lines);
        return lines.Take();
    }

    private void Check(FeedStamp stamp)
    {
        _isReplica = stamp.IsReplica;
        if (stamp.Identity != identity)
            throw new FeedIdentityChangedException(stamp.Identity);
        if (stamp.Snapshot.Xmin < _live.Known.Xmin)
            throw new FeedBehindException(_live.Known.Xmin, stamp.Snapshot.Xmin, feed.Options.RetryAfter);
    }
}
