using System.Runtime.CompilerServices;

namespace Lockstep.Engine.Serving;

/// <summary>How a table file is read for one client: pages by key, or by sequence number, then pages of changes.</summary>
internal sealed class TableFeedSteps(TableFeed feed, string identity, bool inOrder) : IFeedSteps<LogPosition>
{
    public string Name => feed.Name;

    public LiveLog<LogPosition> Live => feed.Live;

    public TimeProvider Time => feed.Time;

    public TimeSpan PollInterval => feed.PollInterval;

    public bool PositionsAreWhole => true;

    public IAsyncEnumerable<FeedStep<LogPosition>> ReadSnapshotAsync(CancellationToken cancellationToken) =>
        inOrder ? ReadByOrderAsync(cancellationToken) : ReadByKeyAsync(cancellationToken);

    /// <summary>
    /// Page by page in the order of the changes: a client that is cut off continues from the last record. Tombstones of what was gone
    /// before are left out.
    /// </summary>
    private async IAsyncEnumerable<FeedStep<LogPosition>> ReadByOrderAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long? horizon = null;
        long known = 0;
        TablePage page;
        do
        {
            var (from, fixedHorizon) = (known, horizon);
            page = await feed.ReadAsync(file => file.ReadOrder(from, fixedHorizon), cancellationToken).ConfigureAwait(false);
            horizon ??= page.Stamp.Sequence;
            page.Stamp.Range.Check(identity, horizon.Value);
            foreach (var piece in page.Lines.Take())
                yield return new FeedStep<LogPosition>(piece);
            known = page.To;
        } while (!page.IsEnd && known < horizon);

        yield return new FeedStep<LogPosition>(default, new LogPosition(known));
    }

    /// <summary>Page by page in key order. Each page shows the table as it is when the page is read.</summary>
    private async IAsyncEnumerable<FeedStep<LogPosition>> ReadByKeyAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long? horizon = null;
        byte[]? after = null;
        do
        {
            var (from, fixedHorizon) = (after, horizon);
            var page = await feed.ReadAsync(file => file.ReadKeys(from, fixedHorizon), cancellationToken).ConfigureAwait(false);
            horizon ??= page.Stamp.Sequence;
            page.Stamp.Range.Check(identity, horizon.Value);
            yield return FeedStep<LogPosition>.At(identity, horizon.Value, TableFeed.FormatPosition(from));
            foreach (var piece in page.Lines.Take())
                yield return new FeedStep<LogPosition>(piece);
            after = page.Next;
        } while (after is not null);

        yield return new FeedStep<LogPosition>(default, new LogPosition(horizon.Value));
    }

    public async IAsyncEnumerable<FeedStep<LogPosition>> ReadChangesAsync(
        LogPosition known,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        TablePage page;
        do
        {
            var from = known.Cursor;
            page = await feed.ReadAsync(file => file.ReadChanges(from), cancellationToken).ConfigureAwait(false);
            page.Stamp.Range.Check(identity, from);
            foreach (var piece in page.Lines.Take())
                yield return new FeedStep<LogPosition>(piece);
            known = new LogPosition(page.To);
            yield return new FeedStep<LogPosition>(default, known);
        } while (!page.IsEnd);
    }

    public void Came() => feed.Came();

    public void SentBack() { }

    public void Left() => feed.Left();
}
