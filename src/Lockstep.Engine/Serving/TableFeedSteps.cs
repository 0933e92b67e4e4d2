using System.Runtime.CompilerServices;

namespace Lockstep.Engine.Serving;

/// <summary>How one client of a table file is read for: pages by key, then pages by sequence number.</summary>
internal sealed class TableFeedSteps(TableFeed feed, string identity) : IFeedSteps<LogPosition>
{
    public string Name => feed.Name;

    public LiveLog<LogPosition> Live => feed.Live;

    public TimeProvider Time => feed.Time;

    public TimeSpan PollInterval => feed.PollInterval;

    public bool PositionsAreWhole => true;

    /// <summary>Page by page in key order. Each page shows the table as it is when the page is read.</summary>
    public async IAsyncEnumerable<FeedStep<LogPosition>> ReadSnapshotAsync([EnumeratorCancellation] CancellationToken cancellationToken)
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
