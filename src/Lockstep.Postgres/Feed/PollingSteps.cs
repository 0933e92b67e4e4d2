using System.Runtime.CompilerServices;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// Reads a polled feed for one client: pages of a snapshot in key order, then rounds of changes. Between two pages it holds no connection
/// and no snapshot, so a slow client costs the database nothing.
/// </summary>
internal sealed class PollingSteps(PollingFeed feed, TableDescription table, string identity, SendShare? client, FeedFilter? filter)
    : DatabaseSteps<PgSnapshot>(feed, feed.Live)
{
    private const int LargePage = 4;
    private bool _isReplica;
    private bool _isWhole;
    private FeedMark? _spilled;

    /// <summary>A replica's snapshots do not reveal which transactions above the horizon they show.</summary>
    public override bool PositionsAreWhole => IsView || !_isReplica;

    private bool IsView => table.Changes == ChangeSource.SnapshotsOnly;

    /// <summary>
    /// Reads pages in key order, each as of the time it is read. Without a key to page by, one statement reads everything.
    /// </summary>
    public override async IAsyncEnumerable<FeedStep<PgSnapshot>> ReadSnapshotAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        _isWhole = true;
        if (!table.Pages)
        {
            var whole = IsView
                ? ReadViewAsync(PgSnapshot.Below(0), cancellationToken)
                : ReadWholeAsync(t => FeedPages.WholeQuery(t, filter), PgSnapshot.Below(0), cancellationToken);
            await foreach (var step in whole.ConfigureAwait(false))
                yield return step;
            yield break;
        }

        PgSnapshot? first = null;
        await foreach (var (from, page) in PagesAsync(cancellationToken).ConfigureAwait(false))
        {
            Check(page.Stamp, PgSnapshot.Below(0));
            first ??= page.Stamp.Snapshot;
            yield return FeedStep<PgSnapshot>.At(identity, first.Xmin, from.Length == 0 ? null : PagePosition.Format(from));
            foreach (var piece in Take(page.Lines))
                yield return new FeedStep<PgSnapshot>(piece) { Mark = page.Stamp.Snapshot.Mark };
        }

        yield return new FeedStep<PgSnapshot>(default, first);
    }

    /// <summary>
    /// The pages of a snapshot, each with the key it follows. While memory allows, pages are larger, because finding out what a snapshot
    /// belongs to costs the server as much as reading several hundred rows; and the next page is read while one is being sent.
    /// </summary>
    private async IAsyncEnumerable<(string[] From, FeedPage<string[]> Page)> PagesAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<FeedPage<string[]>>? ahead = null;
        long? horizon = null;
        var isWide = false;
        try
        {
            for (string[]? after = []; after is not null; )
            {
                // Two large pages, one of which is already accounted for.
                isWide = isWide || client?.TryTake(((2 * LargePage) - 1) * (long)PageSize.Bytes) != false;
                var from = after;
                var page = await (ahead ?? ReadAsync(from, isWide ? LargePage : 1)).ConfigureAwait(false);
                horizon ??= page.Stamp.Snapshot.Xmin;
                after = page.Next;
                ahead = isWide && after is not null ? ReadAsync(after, LargePage) : null;
                yield return (from, page);
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            if (ahead is not null)
                await ((Task)ahead).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (isWide)
                client?.Give(((2 * LargePage) - 1) * (long)PageSize.Bytes);
        }

        Task<FeedPage<string[]>> ReadAsync(string[] from, int times)
        {
            var (fixedAt, rows) = (horizon, feed.Pages.Rows * times);
            return feed.Readers.ReadAsync(
                (c, token) => FeedPages.ReadKeysAsync(feed.Database, c, from, fixedAt, rows, PageSize.Bytes * times, filter, token),
                stop.Token
            );
        }
    }

    /// <summary>The changes that the client lacks, in rounds.</summary>
    public override async IAsyncEnumerable<FeedStep<PgSnapshot>> ReadChangesAsync(
        PgSnapshot known,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        if (IsView)
        {
            // The log continues from what this step has just read.
            if (!_isWhole)
            {
                await foreach (var step in ReadViewAsync(known, cancellationToken).ConfigureAwait(false))
                    yield return step;
            }

            _isWhole = false;
            yield break;
        }

        // A replica's snapshots reveal nothing above the horizon, so another round would repeat the one before: one has to do.
        for (var pages = 0; table.Pages && !(_isReplica && pages > 0); )
        {
            PgSnapshot? round = null;
            pages = 0;
            for (ChangePosition? after = null; pages == 0 || after is not null; pages++)
            {
                var (position, from, horizon, rows) = (known, after, round?.Xmin, feed.Pages.Rows);
                var page = await feed
                    .Readers.ReadAsync(
                        (c, token) => FeedPages.ReadChangesAsync(feed.Database, c, position, from, horizon, rows, token),
                        cancellationToken
                    )
                    .ConfigureAwait(false);
                Check(page.Stamp, known);
                round ??= page.Stamp.Snapshot;
                foreach (var piece in Take(page.Lines))
                    yield return new FeedStep<PgSnapshot>(piece) { Mark = page.Stamp.Snapshot.Mark };
                after = page.Next;
            }

            // A transaction that ended during the round may have written rows below the position the round had reached; the round's first
            // snapshot does not show it, so the next round brings them.
            known = round!;
            yield return new FeedStep<PgSnapshot>(default, known);
            if (pages == 1)
                yield break;
        }

        var rest = ReadWholeAsync(t => FeedPages.ChangesQuery(t, known, null, int.MaxValue), known, cancellationToken);
        await foreach (var step in rest.ConfigureAwait(false))
            yield return step;
    }

    /// <summary>
    /// The rows of a single statement: when there is no key to page by, and for what a replica's rounds leave open. Its transaction does
    /// not wait for the client.
    /// </summary>
    private IAsyncEnumerable<FeedStep<PgSnapshot>> ReadWholeAsync(
        Func<TableDescription, FeedQuery> query,
        PgSnapshot known,
        CancellationToken cancellationToken
    ) => SpillAsync((pieces, stop) => ProduceAsync(query, known, pieces, stop), cancellationToken);

    /// <summary>The rows of a view that a client lacks, from the next reading.</summary>
    private IAsyncEnumerable<FeedStep<PgSnapshot>> ReadViewAsync(PgSnapshot known, CancellationToken cancellationToken) =>
        SpillAsync(
            async (pieces, stop) =>
            {
                var ask = feed.View.Ask(pieces, known.Cursor, stop);
                await using (ask.ConfigureAwait(false))
                {
                    var stamp = await ask.Done.WaitAsync(stop).ConfigureAwait(false);
                    Check(stamp, known);
                    return stamp.Snapshot;
                }
            },
            cancellationToken
        );

    /// <summary>Passes on rows while they are being written to a spill.</summary>
    private async IAsyncEnumerable<FeedStep<PgSnapshot>> SpillAsync(
        Func<RowSpill, CancellationToken, Task<PgSnapshot>> produce,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var share = feed.Spill.Join(() =>
        {
            client?.Cut();
            _ = stop.CancelAsync();
        });
        using var pieces = new RowSpill(share);
        var producer = RunAsync();
        try
        {
            await foreach (var piece in pieces.ReadAsync(stop.Token).ConfigureAwait(false))
                yield return new FeedStep<PgSnapshot>(piece) { Mark = _spilled };
            yield return new FeedStep<PgSnapshot>(default, await producer.ConfigureAwait(false));
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await ((Task)producer).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        async Task<PgSnapshot> RunAsync()
        {
            try
            {
                var snapshot = await produce(pieces, stop.Token).ConfigureAwait(false);
                pieces.Complete();
                return snapshot;
            }
            catch (Exception e)
            {
                pieces.Complete(e);
                throw;
            }
        }
    }

    private async Task<PgSnapshot> ProduceAsync(
        Func<TableDescription, FeedQuery> query,
        PgSnapshot known,
        RowSpill pieces,
        CancellationToken stop
    )
    {
        PgSnapshot? snapshot = null;
        await feed
            .Readers.ReadAsync(
                (c, token) =>
                    feed.Database.ReadAsync(
                        c,
                        query,
                        async (stamp, rows) =>
                        {
                            Check(stamp, known);
                            snapshot = stamp.Snapshot;
                            _spilled = snapshot.Mark;
                            var lines = feed.Database.NewLines();
                            while (await rows.ReadAsync(token).ConfigureAwait(false))
                            {
                                lines.Append(rows, [], stamp.Snapshot.Xmin);
                                foreach (var piece in lines.Full)
                                    await pieces.WriteAsync(piece, token).ConfigureAwait(false);
                                lines.Full.Clear();
                            }

                            feed.Metrics.Read(lines);
                            foreach (var piece in lines.Take())
                                await pieces.WriteAsync(piece, token).ConfigureAwait(false);
                        },
                        token
                    ),
                () => snapshot is null,
                stop
            )
            .ConfigureAwait(false);
        return snapshot!;
    }

    private IReadOnlyList<ReadOnlyMemory<byte>> Take(FeedLines lines)
    {
        feed.Learn(lines);
        return lines.Take();
    }

    private void Check(FeedStamp stamp, PgSnapshot known)
    {
        _isReplica = stamp.IsReplica;
        var range = feed.Range(stamp);

        // A client that takes the whole set misses no tombstones.
        (known.Cursor > 0 ? range : range with { Floor = 0 }).Check(identity, known.Cursor);
    }
}
