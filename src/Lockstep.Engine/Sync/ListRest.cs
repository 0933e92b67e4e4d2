using System.Globalization;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>A count of records that a list announces, and that its pages do not bear out.</summary>
/// <param name="Announced">How many records it announces.</param>
/// <param name="Came">How many came, those of one key counted once.</param>
/// <param name="Place">Where it announces them.</param>
internal sealed record UnmetCount(long Announced, long Came, string Place);

/// <summary>
/// What a paged list may contain beyond what has arrived: pages that its dialect does not find, and records that moved between pages
/// meanwhile. One thread at a time.
/// </summary>
internal sealed class ListRest(DialectSession session)
{
    private const int MostRepeats = 3;
    private long _items;
    private int _repeats;
    private (ulong Hash, long Length, int Count) _fingerprint;
    private bool _hasToldOfGuess;
    private bool _isLinked;
    private (long Count, string Place)? _announced;

    /// <summary>The items that are no records that exist: a count of the list may include them.</summary>
    private long _others;

    /// <summary>Starts reading the list from its beginning again.</summary>
    public void Restart()
    {
        _items = _others = 0;
        ForgetPage();
    }

    /// <summary>Allows the next page to equal this one.</summary>
    public void ForgetPage() => _fingerprint = default;

    /// <summary>Detects a server that ignores the request for the next page and returns the same page forever.</summary>
    /// <param name="page">The page that has arrived.</param>
    /// <param name="isLinked">Whether the dialect finds a next page.</param>
    /// <param name="isCounted">Whether pages are requested by number.</param>
    public void Note(Page page, bool isLinked, bool isCounted)
    {
        _items += page.Count;
        _others += page.Count - page.Live;
        if (page.Count > 0 && session.Dialect.IsList)
            _announced = ListSigns.Read(page.Places).Total ?? _announced;
        _isLinked |= isLinked;
        var isSame = page.Count > 0 && page.Fingerprint == _fingerprint;
        _fingerprint = page.Fingerprint;
        _repeats = isSame ? _repeats + 1 : 0;
        if (session.Dialect.IsList && isLinked && _repeats >= (isCounted ? 1 : MostRepeats))
        {
            throw session.Requests.Wrong(
                "it answers page after page with the same records",
                $"Check how the next page is requested: Next in {Term.Dialect}."
            );
        }
    }

    /// <summary>
    /// The evidence that a list continues although its dialect finds no next page; the next page, if it can be determined, is returned
    /// once.
    /// </summary>
    public async Task<MoreOfList?> FindAsync(
        DialectRules rules,
        Page page,
        Uri target,
        int pages,
        IReadOnlySet<Uri> asked,
        bool isResumed,
        CancellationToken cancellationToken
    )
    {
        if (page.IsUpToDate || !session.Dialect.IsList || rules.IsWholeSaid)
            return null;
        if (_repeats > 0)
            return new MoreOfList("its pages are all the same, whichever is asked for", MoreOfList.ByPage);
        var more = MoreOfList.Find(
            rules,
            page.Places,
            target,
            page.Count,
            isResumed ? null : _items,
            pages,
            _isLinked,
            link => session.Requests.Own(link, target)
        );
        _isLinked |= more is { IsLink: true };
        if (more?.Next is not { } next || asked.Contains(next))
            return more is null ? null : more with { Next = null };
        if (!_hasToldOfGuess)
        {
            _hasToldOfGuess = true;
            await session
                .SayAsync(
                    FeedEventKind.Dialect,
                    $"The next page of the list is a guess: {more.Reason}.",
                    cancellationToken,
                    $"Name it with {Term.DialectWith(more.Names(session.Dialect))}."
                )
                .ConfigureAwait(false);
        }

        return more;
    }

    /// <summary>
    /// Whether all pages of a list came, and fewer different records than it announces. That as many came as it announces proves nothing:
    /// one may have come twice, and another one not at all, because records moved between the pages (D9).
    /// </summary>
    /// <param name="rules">How the list is read.</param>
    /// <param name="isStaged">Whether it is staged; otherwise the table was empty.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<UnmetCount?> FindUnmetAsync(DialectRules rules, bool isStaged, CancellationToken cancellationToken)
    {
        // Of children, no count is announced.
        if (_announced is not { } announced || rules.IsWholeSaid || rules.Children is not null)
            return null;
        long held;
        if (isStaged)
        {
            await session.Writer.FlushAsync(canStage: true, cancellationToken).ConfigureAwait(false);
            var count = new CommitJob(CommitKind.CountHeld, new TableCommit());
            await session.Context.Queue.RunAsync(count, cancellationToken).ConfigureAwait(false);
            held = count.Held;
        }
        else
        {
            await session.Writer.CommitAsync(session.Position(null, null, isUpToDate: false), cancellationToken).ConfigureAwait(false);
            held = session.State.Rows;
        }

        return held + _others < announced.Count ? new UnmetCount(announced.Count, held + _others, announced.Place) : null;
    }

    /// <summary>Says that a list is read once more because of its count.</summary>
    public Task SayAgainAsync(UnmetCount unmet, CancellationToken cancellationToken) =>
        session.SayAsync(
            FeedEventKind.Dialect,
            string.Create(
                CultureInfo.InvariantCulture,
                $"'{unmet.Place}' announces {unmet.Announced} records, and {unmet.Came} different ones were read: the pages are read once "
                    + $"more, since records move between them while they are counted."
            ),
            cancellationToken
        );

    /// <summary>Whether the staged set lacks any record of the table, so that it matters where that record has gone.</summary>
    public async Task<bool> LacksAnyAsync(CancellationToken cancellationToken)
    {
        if (session.Writer.HasUnreadable)
            return false;
        await session.Writer.FlushAsync(canStage: true, cancellationToken).ConfigureAwait(false);
        var count = new CommitJob(CommitKind.CountAbsent, new TableCommit());
        await session.Context.Queue.RunAsync(count, cancellationToken).ConfigureAwait(false);
        if (count.Absent is not { Count: > 0 and var lacking })
            return false;
        await session
            .SayAsync(
                FeedEventKind.Dialect,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{lacking} {(lacking == 1 ? "record is" : "records are")} in none of the pages, which are read once "
                        + $"more: while pages are counted, records move between them."
                ),
                cancellationToken
            )
            .ConfigureAwait(false);
        return true;
    }
}
