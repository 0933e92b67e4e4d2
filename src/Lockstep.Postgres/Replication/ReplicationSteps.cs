using System.Runtime.CompilerServices;
using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// Reads a replication feed for one client: pages of a snapshot from the database, then the change log from the point at which it completes
/// the snapshot. Between two pages it holds no connection.
/// </summary>
internal sealed class ReplicationSteps(ReplicationFeed feed, LogEpoch epoch, long end, FeedFilter? filter)
    : DatabaseSteps<CommitPosition>(feed, feed.Live)
{
    public override bool PositionsAreWhole => true;

    /// <summary>
    /// Reads pages, each as of the time it is read; whatever the first page does not show is in the log from the cursor on.
    /// </summary>
    public override async IAsyncEnumerable<FeedStep<CommitPosition>> ReadSnapshotAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        await feed.ReachAsync(end, cancellationToken).ConfigureAwait(false);
        var cursor = await feed.BeginSnapshotAsync(epoch, whole: false, cancellationToken).ConfigureAwait(false);
        for (string[]? after = []; after is not null; )
        {
            var page = await feed.ReadPageAsync(epoch, after, cursor, feed.Pages.Rows, filter, cancellationToken).ConfigureAwait(false);
            yield return FeedStep<CommitPosition>.At(epoch.Identity, cursor, after.Length == 0 ? null : PagePosition.Format(after));
            foreach (var piece in page.Lines.Take())
                yield return new FeedStep<CommitPosition>(piece) { Mark = page.Stamp.Snapshot.Mark };
            after = page.Next;
        }

        yield return new FeedStep<CommitPosition>(default, new CommitPosition(cursor, epoch.Timeline));

        // The last page may show what the first one did not: the snapshot is complete once the log contains all of that.
        await feed.ReachAsync(await feed.EndAsync(cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
    }

    public override async IAsyncEnumerable<FeedStep<CommitPosition>> ReadChangesAsync(
        CommitPosition known,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        // A client gets everything that was committed before it connected.
        await feed.ReachAsync(end, cancellationToken).ConfigureAwait(false);
        var position = feed.Log.Position;
        for (var after = 0L; ; )
        {
            var pieces = feed.Log.Read(epoch.Identity, known.Cursor, ref after) ?? throw feed.Lost(epoch, known.Cursor);
            if (pieces.Count == 0)
                break;

            // Includes what has been committed since.
            var mark = new CommitPosition(feed.Log.Position, epoch.Timeline).Mark;

            // A piece that reaches the cursor may begin before it.
            foreach (var piece in pieces)
                yield return new FeedStep<CommitPosition>(known.Rest(piece)) { Mark = mark };
        }

        if (known.Cursor < position)
            yield return new FeedStep<CommitPosition>(default, new CommitPosition(position, epoch.Timeline));
    }
}
