using System.Runtime.CompilerServices;

namespace Lockstep.Engine.Serving;

/// <summary>
/// One client's way through a table: pages of a snapshot if it starts from nothing, then the changes after it from the file until it has
/// caught up, then the window of live changes; and back to the file when it was too slow for the window. Between two pages it holds nothing
/// open.
/// </summary>
internal sealed class TableFeedClient(TableFeed feed, string identity, long since, TimeSpan heartbeat)
{
    private long _position = since;

    /// <summary>Chunks without end.</summary>
    public async IAsyncEnumerable<FeedChunk> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var following = feed.Follow();
        var completed = _position > 0;
        if (!completed)
        {
            await foreach (var lines in SnapshotAsync(cancellationToken).ConfigureAwait(false))
                yield return new FeedChunk(FeedChunkKind.SnapshotRows, lines, 0);
        }

        while (true)
        {
            await foreach (var lines in CatchUpAsync(cancellationToken).ConfigureAwait(false))
                yield return new FeedChunk(FeedChunkKind.Rows, lines, 0);
            yield return new FeedChunk(completed ? FeedChunkKind.CaughtUp : FeedChunkKind.SnapshotCompleted, default, _position);
            completed = true;
            var followed = false;
            await foreach (var chunk in FollowAsync(cancellationToken).ConfigureAwait(false))
            {
                followed = true;
                yield return chunk;
            }

            // The watch has yet to see what this client has read already.
            if (!followed)
                await Task.Delay(feed.PollInterval, feed.Time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Everything, page by page in key order. Each page shows the table as it is when the page is read; what changed since the first one
    /// comes again with the changes after it, before the snapshot is called complete.
    /// </summary>
    private async IAsyncEnumerable<ReadOnlyMemory<byte>> SnapshotAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long? horizon = null;
        byte[]? after = null;
        do
        {
            (var from, var fixedHorizon) = (after, horizon);
            var page = await feed.ReadAsync(file => file.ReadKeys(from, fixedHorizon), cancellationToken).ConfigureAwait(false);
            _position = horizon ??= page.Stamp.Sequence;
            Check(page.Stamp);
            if (page.Lines.Rows > 0)
                yield return page.Lines.All;
            after = page.Next;
        } while (after is not null);
    }

    private async IAsyncEnumerable<ReadOnlyMemory<byte>> CatchUpAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        TablePage page;
        do
        {
            page = await feed.ReadAsync(file => file.ReadChanges(_position), cancellationToken).ConfigureAwait(false);
            Check(page.Stamp);
            if (page.Lines.Rows > 0)
                yield return page.Lines.All;
            _position = page.IsEnd ? page.Stamp.Sequence : page.Lines.Last;
        } while (!page.IsEnd);
    }

    private async IAsyncEnumerable<FeedChunk> FollowAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var silent = false;
        while (true)
        {
            switch (feed.Window.Read(identity, _position, out var lines, out var to, out var more, out var changed))
            {
                case WindowOutcome.Lines:
                    silent = false;
                    _position = to;
                    yield return more ? new FeedChunk(FeedChunkKind.Rows, lines, 0) : new FeedChunk(FeedChunkKind.CaughtUp, lines, to);
                    break;
                case WindowOutcome.AtEnd:
                    if (silent)
                        yield return new FeedChunk(FeedChunkKind.CaughtUp, default, _position);
                    silent = !await feed.WaitAsync(changed, heartbeat, cancellationToken).ConfigureAwait(false);
                    break;
                default:
                    yield break;
            }
        }
    }

    private void Check(TableStamp stamp) => TableFeed.Admit(stamp, identity, _position);
}
