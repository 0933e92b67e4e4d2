using System.Globalization;
using System.Net;
using System.Text.Json;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;

namespace Lockstep.Engine.Sync;

/// <summary>
/// One round of a dialect whose answers end: page after page, until everything has arrived. Each page is committed in full, or all of them
/// replace the table when the set is complete (D1, D2). One thread at a time.
/// </summary>
internal sealed class PageRound(DialectSession session)
{
    private const int MostEmptyPages = 1000;
    private const int MostStalePages = 100;
    private const int MostStandstills = 3;

    /// <summary>How many times a list that is read by page number is read while its records move between pages.</summary>
    private const int MostReadings = 6;

    /// <summary>A set of this many pages takes a while.</summary>
    private const int ManyPages = 10;

    private readonly PageReader _reader = new(session);
    private readonly PageLinks _links = new(session);
    private readonly PageCommits _commits = new(session);
    private readonly ListRest _rest = new(session);
    private readonly RoundNews _news = new();
    private MaximumCursor? _maximum;
    private DateTimeOffset? _began;
    private bool _isWhole;
    private int _pages;

    /// <summary>Whether it resumed a round of an earlier sync, and so says nothing about changes since.</summary>
    public bool IsResumed { get; private set; }

    /// <summary>Whether all pages came of a list that announces more records than they held.</summary>
    public bool ReachedTheEnd { get; private set; }

    /// <summary>Reads a round.</summary>
    public async Task<RoundEnd> ReadAsync(RequestKind kind, CancellationToken cancellationToken)
    {
        try
        {
            var end = await ReadPagesAsync(kind, cancellationToken).ConfigureAwait(false);
            if (end == RoundEnd.Resync)
                await session.Writer.DiscardAsync(cancellationToken).ConfigureAwait(false);
            return end;
        }
        catch (Exception e) when (e is FeedException)
        {
            await session.Writer.DiscardAsync(cancellationToken).ConfigureAwait(false);
            throw;
        }
        finally
        {
            session.Context.Load = LoadOutlook.None;
        }
    }

    private async Task<RoundEnd> ReadPagesAsync(RequestKind kind, CancellationToken cancellationToken)
    {
        var rules = session.Dialect.For(kind);
        var state = session.State;
        var isEmpty = state.Rows + state.Tombstones == 0;
        var resume = kind == RequestKind.Changes && session.Since is null ? state.Resume?.ToString() : null;
        var from = session.Since;
        var stored = kind == RequestKind.Snapshot || state.Cursor.IsStart ? null : state.Cursor.ToString();
        var isWhole = _isWhole = rules.IsWhole && resume is null;
        IsResumed = resume is not null;
        // In an empty table, the pages of a feed that can continue from each of them are committed as they arrive.
        var isStaged = isWhole && !(isEmpty && session.Dialect.Changes is not null && !rules.IsAtomic);
        var start = resume is not null ? session.Requests.Own(resume, session.Client.Uri.Location) : First(rules, kind, from ?? stored);
        _maximum = rules.HasMaximumCursor ? new MaximumCursor(rules) : null;
        var target = start;
        var cursor = from ?? stored;
        int empty = 0,
            stale = 0,
            standstills = 0;
        var readings = 1;
        var asksForChanges = kind == RequestKind.Changes;
        MoreOfList? guessed = null;
        var counters = session.Context.Counters;
        long before = counters.Received,
            reading = before,
            longest = 0;
        while (true)
        {
            _links.Asked(target);
            var tag = kind == RequestKind.Snapshot && _pages == 0 && !session.IsForced ? session.EntityTag : null;
            using var response = await session
                .Writer.WaitForAnswerAsync(
                    session.Requests.SendAsync(rules, target, cursor, tag, Patience(rules, kind), cancellationToken),
                    cancellationToken
                )
                .ConfigureAwait(false);
            if (_pages == 0 && readings == 1)
            {
                // A page's link is valid only for a while, and servers have many ways of saying that it no longer is.
                if (resume is not null && (int)response.StatusCode is 400 or 404 or 410)
                    return await ForgetResumeAsync(response, cancellationToken).ConfigureAwait(false);
                if (await BeginAsync(rules, response, isStaged, cancellationToken).ConfigureAwait(false) is { } told)
                    return told;
                if (response.StatusCode == HttpStatusCode.NotModified)
                    return await _commits.UnchangedAsync(tag, cancellationToken).ConfigureAwait(false);
            }
            else if (!response.IsSuccessStatusCode)
            {
                // A guessed page need not exist, and its absence does not prove that the others were everything.
                if (guessed is not null && (int)response.StatusCode is 400 or 404 or 410 or 416 or 422)
                {
                    session.ServerInterval = null;
                    return await EndIncompleteAsync(isStaged, end: null, guessed, cancellationToken).ConfigureAwait(false);
                }

                session.RefusedPages++;
                return await RefusedAsync(rules, response, cancellationToken).ConfigureAwait(false);
            }

            session.Requests.Last = new ResponsePlaces(response);
            _began ??= response.Headers.Date;
            using var page = await _reader
                .ReadAsync(rules, response, _maximum, _pages == 0, _pages < ManyPages ? null : _news, cancellationToken)
                .ConfigureAwait(false);
            // No content after the last counted page is the end; in place of a page that the server named, it is a page missing (D3).
            if (response.StatusCode == HttpStatusCode.NoContent && (_pages == 0 ? _isWhole : _links.WasNamed))
                throw session.Requests.Wrong("it answers 204 No Content instead of its list, which is not an empty list");
            if (page.AsksForResync)
                return RoundEnd.Resync;
            if (MeetsAnotherFeed(rules, page.Places, isKnown: stored is not null))
                return RoundEnd.Resync;
            var said = _maximum is null ? _links.CursorOf(rules, page, target) : null;
            if (rules.CursorType == CursorType.Text && string.CompareOrdinal(said ?? cursor, cursor) < 0)
                return RoundEnd.Resync;
            empty = page.Count == 0 ? empty + 1 : 0;
            var linked = _links.NextOf(rules, page, target);
            // A list that is not read by links may contain the same event again and again.
            stale = page.Count > 0 && (page.HasNews || linked is null) ? 0 : stale + Math.Sign(page.Count);
            if (empty > MostEmptyPages || stale >= MostStalePages)
            {
                throw session.Requests.Wrong(
                    stale >= MostStalePages
                        ? $"it links from page to page, and the last {MostStalePages} held only what had come before"
                        : "page after page is empty",
                    $"Check how the next page is requested: Next in {Term.Dialect}."
                );
            }

            _rest.Note(page, isLinked: linked is not null, _links.AreCounted);
            var more = linked is null
                ? await _rest
                    .FindAsync(rules, page, target, _pages + 1, _links.AllAsked, IsResumed, cancellationToken)
                    .ConfigureAwait(false)
                : null;
            guessed = more?.Next is null ? null : more;
            if (guessed?.Next is { } guess)
                _links.NoteGuess(guess);
            linked ??= more?.Next ?? (more is null ? null : _links.AfterLargest(rules, kind, _maximum));
            var goesOn = !page.IsUpToDate && GoesOnFrom(rules, page, said, cursor);
            session.Tell(
                kind,
                target,
                page,
                said ?? _maximum?.Largest,
                linked,
                isLast: more is null && !goesOn && (linked is null || _links.HasAsked(linked))
            );
            if (linked is { } next)
            {
                var counted = next;
                next = _links.InsteadOfCounting(rules, kind, next, _maximum);
                // A request by value starts with the records that have that value.
                if (next != counted || more is { Next: null })
                    _rest.ForgetPage();
                if (!_links.HasAsked(next))
                {
                    await _commits
                        .KeepAsync(isStaged, rules, said: null, rules.Resumes ? next : null, cancellationToken)
                        .ConfigureAwait(false);
                    target = next;
                    if (++_pages == ManyPages && isStaged && isEmpty)
                        await SayThatItStartsOverAsync(cancellationToken).ConfigureAwait(false);
                    continue;
                }

                // If a round must name its cursor, it ends where it does.
                if (page.Count > 0 || (said is null && rules.Cursor.Any(place => !place.IsOfItems)))
                    throw session.Requests.Wrong("it links to a page that was already read");
            }

            if (goesOn)
            {
                standstills = said == cursor ? standstills + 1 : 0;
                if (standstills >= MostStandstills)
                    throw session.Requests.Wrong("it says that more follows, but its cursor does not move");
                await _commits.KeepAsync(isStaged, rules, said, null, cancellationToken).ConfigureAwait(false);
                rules = session.Dialect.Changes! with { IsAtomic = rules.IsAtomic };
                asksForChanges = true;
                cursor = said;
                target = session.Requests.Address(rules, cursor);
                // An answer that leads nowhere may be a cache's, whose handle is the feed's all the same.
                if (standstills > 0 && rules.Identity.Count > 0)
                    target = DialectRequests.With(target, "cache-buster", Guid.NewGuid().ToString("N"), replaces: true);
                _pages++;
                continue;
            }

            if (linked is null && more is null && asksForChanges && IsAdrift(rules, response, page, said))
                throw session.Requests.Wrong("it names neither a next page nor a cursor, so that more may follow");

            var isWholeList = _pages > 0 && more is null;
            if (
                isWholeList
                && _links.AreCounted
                && (
                    readings == 1
                        ? await MustReadAgainAsync(rules, isStaged, isEmpty, cancellationToken).ConfigureAwait(false)
                        : readings < MostReadings && _maximum is { IsAscending: true, HasGrown: true }
                )
            )
            {
                // While pages are counted, records move between them: what one reading lacks, another may have (D9). In a list ordered by
                // time of change, a record that changes moves to the end, and an unchanged one moves to a page that has already been read:
                // it may be missed again, until a reading meets no change.
                readings++;
                guessed = null;
                longest = Math.Max(longest, counters.Received - reading);
                reading = counters.Received;
                target = start;
                _pages = 0;
                _links.Forget();
                _rest.Restart();
                _news.Forget();
                _maximum?.Restart();
                continue;
            }

            // Count records read several times only once.
            counters.Received = before + Math.Max(longest, counters.Received - reading);

            // The cursor never passes what may be missing, unless records arrive in its order.
            var isOrdered = kind == RequestKind.Changes && rules.IsAscending && _maximum?.IsAscending == true;
            var end = EndCursor(kind, said, stored);
            session.ServerInterval = PollInterval(page.Places);
            if (more is not null)
                return await EndIncompleteAsync(isStaged, isOrdered ? end : null, more, cancellationToken).ConfigureAwait(false);
            if (
                isWholeList
                && _isWhole
                && await _rest.FindUnmetAsync(rules, isStaged, cancellationToken).ConfigureAwait(false) is { } unmet
            )
            {
                ReachedTheEnd = true;
                return await EndDoubtfulAsync(isStaged, unmet, cancellationToken).ConfigureAwait(false);
            }

            var entityTag = IsTagged(kind, rules) ? response.Headers.ETag?.ToString() : null;
            if (!await _commits.EndAsync(isStaged, end, isKnownWhole: true, entityTag, cancellationToken).ConfigureAwait(false))
                return RoundEnd.Refused;
            if (_maximum is { Largest: null } && counters.Received > before)
                await session.SayThatNothingHasTheCursorAsync(rules.Cursor[0], cancellationToken).ConfigureAwait(false);
            return rules.End?.Holds(page.Places) == true ? RoundEnd.Ended : RoundEnd.UpToDate;
        }
    }

    /// <summary>Applies what has arrived, and removes nothing.</summary>
    private async Task<RoundEnd> EndIncompleteAsync(bool isStaged, string? end, MoreOfList more, CancellationToken cancellationToken)
    {
        if (!await _commits.EndAsync(isStaged, end, isKnownWhole: false, entityTag: null, cancellationToken).ConfigureAwait(false))
            return RoundEnd.Refused;
        await session.SayThatMoreMayBeAsync(more, cancellationToken).ConfigureAwait(false);
        return RoundEnd.Incomplete;
    }

    /// <summary>The same for a list whose count says that records are missing, although all its pages came.</summary>
    private async Task<RoundEnd> EndDoubtfulAsync(bool isStaged, UnmetCount unmet, CancellationToken cancellationToken)
    {
        if (!await _commits.EndAsync(isStaged, cursor: null, isKnownWhole: false, entityTag: null, cancellationToken).ConfigureAwait(false))
            return RoundEnd.Refused;
        await session.SayThatRecordsAreMissingAsync(unmet, cancellationToken).ConfigureAwait(false);
        return RoundEnd.Incomplete;
    }

    /// <summary>Whether a list whose pages are counted may lack what another reading has (D9).</summary>
    private async Task<bool> MustReadAgainAsync(DialectRules rules, bool isStaged, bool isEmpty, CancellationToken cancellationToken)
    {
        if (
            MayHaveMissed(rules, isStaged, isEmpty)
            && (_maximum is not null || await _rest.LacksAnyAsync(cancellationToken).ConfigureAwait(false))
        )
        {
            return true;
        }

        if (!_isWhole || await _rest.FindUnmetAsync(rules, isStaged, cancellationToken).ConfigureAwait(false) is not { } unmet)
            return false;
        await _rest.SayAgainAsync(unmet, cancellationToken).ConfigureAwait(false);
        return true;
    }

    private Task SayThatItStartsOverAsync(CancellationToken cancellationToken)
    {
        session.Context.Load = LoadOutlook.StartsOver;
        return session.SayAsync(
            FeedEventKind.Load,
            "If the first load is cut off, it starts over: with this dialect, a set is known only once its last page has arrived.",
            cancellationToken
        );
    }

    private Uri First(DialectRules rules, RequestKind kind, string? cursor)
    {
        if (kind == RequestKind.Snapshot && session.Restart is { } restart)
            return restart;
        // After two refusals to continue between pages, the set is requested as a single page.
        var address = session.Requests.Address(rules, cursor, inPages: session.RefusedPages < 2);
        // What changes from now on is no whole set: it would empty a table that is to be filled again.
        return kind == RequestKind.Snapshot && !session.State.Cursor.IsStart ? DialectRequests.WithoutLatest(address) : address;
    }

    private TimeSpan Patience(DialectRules rules, RequestKind kind)
    {
        var limit = session.Client.ConnectionTimeout;
        var held = rules.Timeout + TimeSpan.FromSeconds(30);
        return kind == RequestKind.Live && limit != Timeout.InfiniteTimeSpan && held > limit ? held : limit;
    }

    /// <summary>What the round's first answer says about the round, if it is not a page.</summary>
    private async Task<RoundEnd?> BeginAsync(
        DialectRules rules,
        HttpResponseMessage response,
        bool isStaged,
        CancellationToken cancellationToken
    )
    {
        if (!response.IsSuccessStatusCode && response.StatusCode != HttpStatusCode.NotModified)
            return await RefusedAsync(rules, response, cancellationToken).ConfigureAwait(false);
        session.Begin(isStaged);
        await session.SayConnectedAsync(cancellationToken).ConfigureAwait(false);
        if (isStaged)
            await session.Writer.StageAsync(cancellationToken).ConfigureAwait(false);
        return null;
    }

    /// <summary>A status other than success: the sign to start over, or an error.</summary>
    private async Task<RoundEnd> RefusedAsync(DialectRules rules, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        using var error = await ErrorBody.ReadAsync(session.Client, response, cancellationToken).ConfigureAwait(false);
        var places = new ResponsePlaces(response, error.Root);
        if (rules.Resync?.Holds(places) != true)
            throw session.RefusalOf(response, error);
        NoteRestart(response);
        var asked = session.Requests.Identity;
        var isNamed = MeetsAnotherFeed(rules, places, isKnown: true);
        if (asked is null || rules.Identity.Count == 0)
            return RoundEnd.Resync;
        // If no new identity is named, or one that was refused already, one that nobody has keeps caches from repeating the old answer.
        session.RefusedIdentities.Add(asked);
        if (!isNamed || session.RefusedIdentities.Contains(session.Requests.Identity!))
            session.Requests.Identity = NextOf(asked);
        return RoundEnd.Resync;
    }

    /// <summary>An identity that no cache has an answer for, however often the feed asks to start over.</summary>
    private static string NextOf(string identity)
    {
        const string Next = "-next";
        var at = identity.LastIndexOf(Next, StringComparison.Ordinal);
        return
            at >= 0
            && int.TryParse($"0{identity.AsSpan(at + Next.Length)}", NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? string.Create(CultureInfo.InvariantCulture, $"{identity[..at]}{Next}{Math.Max(number, 1) + 1}")
            : identity + Next;
    }

    /// <summary>The page at which a round was to resume is refused: it continues from the cursor, or starts over.</summary>
    private async Task<RoundEnd> ForgetResumeAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (session.State.Cursor.IsStart)
        {
            NoteRestart(response);
            return RoundEnd.Resync;
        }

        await session.Writer.CommitAsync(session.Position(null, null, isUpToDate: false), cancellationToken).ConfigureAwait(false);
        return RoundEnd.StreamEnded;
    }

    private void NoteRestart(HttpResponseMessage response)
    {
        if (response.Headers.Location is { } location)
            session.Restart = session.Requests.Own(location.OriginalString, session.Client.Uri.Location);
    }

    private bool MeetsAnotherFeed(DialectRules rules, ResponsePlaces places, bool isKnown)
    {
        if (Identity.Of(rules.Identity, places) is not { } identity)
            return false;
        var isAnother = isKnown && session.Requests.Identity is { } known && known != identity;
        session.Requests.Identity = identity;
        session.IsAnotherFeed |= isAnother;
        return isAnother;
    }

    /// <summary>
    /// Whether a record that moved to a page already read would be missed: it would count as gone, or never arrive again if only records
    /// newer than the largest value do. A feed read in order of change is not requested by page number.
    /// </summary>
    private bool MayHaveMissed(DialectRules rules, bool isStaged, bool isEmpty) =>
        (isStaged && !isEmpty)
        || (_maximum is not null && (_isWhole || !rules.IsAscending || !_maximum.IsAscending || _links.WentByNumber));

    /// <summary>
    /// Whether an answer's tag is that of the table's records: the first page's says nothing about further pages that a set could have, a
    /// set that could not be read is needed again, and what a script made of records depends on the script too.
    /// </summary>
    private bool IsTagged(RequestKind kind, DialectRules rules) =>
        kind == RequestKind.Snapshot
        && session.Dialect is { IsList: true, Changes: null }
        && !rules.HasNext
        && !session.Writer.HasUnreadable
        && !session.Context.Options.Transforms;

    private bool GoesOnFrom(DialectRules rules, Page page, string? said, string? before) =>
        rules.UpToDate is not null
        && session.Dialect.Changes is not null
        && said is not null
        && (page.Count > 0 || said != before || rules.IsAtomic);

    /// <summary>
    /// Whether changes came without the sign that they were all, and without anything to continue from: a page lacks what the others have.
    /// An answer without content (204) has that sign only if its headers have it.
    /// </summary>
    private bool IsAdrift(DialectRules rules, HttpResponseMessage response, Page page, string? said)
    {
        if (rules.UpToDate is not { } sign || said is not null || rules.Cursor.Count == 0 || rules.HasMaximumCursor)
            return false;
        var isUpToDate = response.StatusCode == HttpStatusCode.NoContent ? sign.Holds(page.Places) : page.IsUpToDate;
        return !isUpToDate || !session.Dialect.CursorIsParameter;
    }

    /// <summary>The cursor up to which everything has arrived.</summary>
    private string? EndCursor(RequestKind kind, string? said, string? stored)
    {
        if (kind == RequestKind.Snapshot && _maximum is null)
            said ??= session.NewestCursor;
        var cursor = _maximum is null ? said : _maximum.Next(stored, _began, session.Context.Options.Lookback);
        if (kind == RequestKind.Snapshot && cursor is null && _maximum is null && session.Dialect.Changes is not null)
        {
            throw session.Requests.Wrong(
                $"its last page names no cursor in {string.Join(" or ", session.Dialect.Snapshot.Cursor.Select(place => $"'{place}'"))}"
            );
        }

        return cursor;
    }

    private static TimeSpan? PollInterval(ResponsePlaces places) =>
        int.TryParse(places.Header("X-Poll-Interval"), NumberStyles.None, null, out var seconds) ? TimeSpan.FromSeconds(seconds) : null;
}
