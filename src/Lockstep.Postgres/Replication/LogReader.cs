using System.Runtime.CompilerServices;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// One client's way through a feed by replication: pages of a snapshot from the database if it starts from nothing, then the change log
/// from the place at which it completes that, then the live log; and back to the change log when it was too slow. Between two pages it
/// holds no connection.
/// </summary>
internal sealed class LogReader(ReplicationFeed feed, LogEpoch epoch, long end, long since, TimeSpan heartbeat)
{
    private readonly LiveFollower _live = new(feed.Live, feed.Metrics, epoch.Identity, heartbeat, feed.Time)
    {
        Known = PgSnapshot.Below(since),
    };

    /// <summary>Chunks without end.</summary>
    public async IAsyncEnumerable<FeedChunk> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        feed.Metrics.ClientCame();
        try
        {
            // A client is told of everything that was committed before it came.
            await feed.ReachAsync(end, cancellationToken).ConfigureAwait(false);
            var completed = since > 0;
            if (!completed)
            {
                await foreach (var piece in SnapshotAsync(cancellationToken).ConfigureAwait(false))
                    yield return new FeedChunk(FeedChunkKind.SnapshotRows, piece, 0);

                // The last page may show what the first one did not: the snapshot is whole when the log has all of that.
                await feed.ReachAsync(await feed.EndAsync(cancellationToken).ConfigureAwait(false), cancellationToken)
                    .ConfigureAwait(false);
            }

            while (true)
            {
                var position = feed.Log.Position;
                foreach (var piece in Logged())
                    yield return new FeedChunk(FeedChunkKind.Rows, piece, 0);
                if (_live.Known.Xmin < position)
                    _live.Known = PgSnapshot.Below(position);
                yield return new FeedChunk(completed ? FeedChunkKind.CaughtUp : FeedChunkKind.SnapshotCompleted, default, _live.Known.Xmin);
                completed = true;
                if (feed.Live.PlaceAfter(_live.Known, epoch.Identity) is { } place)
                {
                    await foreach (var chunk in _live.FollowAsync(place, cancellationToken).ConfigureAwait(false))
                        yield return chunk;
                }
            }
        }
        finally
        {
            feed.Metrics.ClientLeft();
        }
    }

    /// <summary>
    /// Each page shows the table as it is when the page is read; whatever the first one does not show is in the log from the cursor on.
    /// </summary>
    private async IAsyncEnumerable<ReadOnlyMemory<byte>> SnapshotAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var cursor = await feed.BeginSnapshotAsync(epoch, whole: false, cancellationToken).ConfigureAwait(false);
        var size = new PageSize();
        for (string[]? after = []; after is not null; )
        {
            var page = await feed.ReadPageAsync(epoch, after, cursor, size.Rows, cancellationToken).ConfigureAwait(false);
            size.Learn(page.Lines);
            foreach (var piece in page.Lines.Take())
                yield return piece;
            after = page.Next;
        }

        _live.Known = PgSnapshot.Below(cursor);
    }

    private IEnumerable<byte[]> Logged()
    {
        var cursor = _live.Known.Xmin;
        for (var after = 0L; ; )
        {
            var pieces = feed.Log.Read(epoch.Identity, cursor, ref after) ?? throw feed.Lost(epoch, cursor);
            if (pieces.Count == 0)
                yield break;
            foreach (var piece in pieces)
                yield return piece;
        }
    }
}
