using System.Globalization;
using System.Text.Json;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>How a request of a dialect ended.</summary>
internal enum RoundEnd
{
    /// <summary>Everything has arrived.</summary>
    UpToDate,

    /// <summary>A stream ended without an error, and without saying that this was everything.</summary>
    StreamEnded,

    /// <summary>Everything has arrived but could not be applied: it is owed.</summary>
    Refused,

    /// <summary>What arrived has been applied, and nothing says that it was everything.</summary>
    Incomplete,

    /// <summary>Nothing has changed for so long that this must be everything.</summary>
    Settled,

    /// <summary>The feed has ended for good.</summary>
    Ended,

    /// <summary>The feed cannot resume from the cursor.</summary>
    Resync,

    /// <summary>The server does not support this kind of request, so the feed is polled instead.</summary>
    NotLive,
}

/// <summary>What the parts of a running sync of a dialect share. One thread at a time.</summary>
internal sealed class DialectSession
{
    public required DialectDescription Dialect { get; init; }

    public required FeedClient Client { get; init; }

    public required SyncContext Context { get; init; }

    public required SyncEvents Events { get; init; }

    public required SyncStatus Status { get; init; }

    public required DialectRequests Requests { get; init; }

    public required DialectWriter Writer { get; init; }

    public required SweepJudge Judge { get; init; }

    /// <summary>Whether the dialect is a guess, which is not stored until an answer has matched it.</summary>
    public bool IsGuess { get; set; }

    /// <summary>Whether an answer has matched the dialect.</summary>
    public bool IsConfirmed { get; set; }

    /// <summary>The shortest interval between polls that the server asks for.</summary>
    public TimeSpan? ServerInterval { get; set; }

    /// <summary>The entity tag of the set in the table, if it was a single page; null otherwise.</summary>
    public string? EntityTag { get; set; }

    /// <summary>Whether the user wants the whole set again, whatever its tag.</summary>
    public bool IsForced { get; set; }

    /// <summary>The cursor at which the user wants the sync to start; null for the stored one, and once used.</summary>
    public string? Since { get; set; }

    /// <summary>Whether the feed is not the one the table knows.</summary>
    public bool IsAnotherFeed { get; set; }

    /// <summary>The feed's identities from which it could not continue: to ask for them again leads nowhere.</summary>
    public HashSet<string> RefusedIdentities { get; } = [];

    /// <summary>How many times in a row the feed refused to continue between two pages.</summary>
    public int RefusedPages { get; set; }

    /// <summary>The server's newest cursor when the round began, if the dialect asks for it.</summary>
    public string? NewestCursor { get; set; }

    /// <summary>The address at which the server wants the whole set to be requested; null for the usual one.</summary>
    public Uri? Restart { get; set; }

    public TableState State => Context.Target.State;

    /// <summary>The table's record of the dialect, with the URI that was requested.</summary>
    /// <param name="entityTag">The tag of the set in the table; null for none.</param>
    public string Describe(string? entityTag) =>
        new ForeignState(Dialect.Name, Dialect.Json, Client.Uri.Display) { DeletionMark = ToldOf, EntityTag = entityTag }.ToString();

    /// <summary>Whether the feed's URI asks only for what changes from now on, as OData servers allow.</summary>
    private bool IsFromNow => DialectRequests.WithoutLatest(Client.Uri.Location) != Client.Uri.Location;

    /// <summary>The field that a warning has named as a possible deletion mark, in this sync or an earlier one.</summary>
    public string? ToldOf { get; set; }

    /// <summary>
    /// A position, with what is known about the feed. Its cursor and link are meaningless outside the dialect, so they are stored with it
    /// (I1).
    /// </summary>
    public DialectPosition Position(string? cursor, string? resume, bool isUpToDate)
    {
        var isKnown = !IsGuess || IsConfirmed || isUpToDate;
        return new DialectPosition
        {
            Cursor = isKnown ? cursor : null,
            Resume = isKnown ? resume : null,
            Identity = Requests.Identity,
            IsUpToDate = isUpToDate,
            Description = isKnown ? Describe(EntityTag) : null,
        };
    }

    /// <summary>Reports a page to the observer.</summary>
    public void Tell(RequestKind kind, Uri target, Page page, string? cursor, Uri? next, bool isLast)
    {
        if (Context.Options.DialectObserver is null)
            return;
        var step = new DialectStep(FeedUri.Parse(target).Display, kind.ToString(), page.Places.Status)
        {
            Items = page.Count,
            Place = page.ItemsPlace,
            Cursor = cursor is null ? null : CursorText.Shorten(cursor),
            Next = next is null ? null : CursorText.Shorten(next.PathAndQuery),
            IsUpToDate = page.IsUpToDate || isLast,
        };
        Tell(kind, step);
    }

    /// <summary>Reports what arrived to the observer, with the first record that is not yet written.</summary>
    public void Tell(RequestKind kind, DialectStep step)
    {
        if (Writer.First is { } first)
        {
            using var record = JsonDocument.Parse(first.Json);
            step = step with
            {
                FirstKey = first.Key.ToString(),
                FirstOrder =
                    Dialect.For(kind).OrderBy is { } by && by.TryFind(record.RootElement, out var order) ? order.GetRawText() : null,
                FirstRecord = first.Json,
            };
        }

        Context.Options.DialectObserver?.Invoke(step);
    }

    public void NoteBytes(int count)
    {
        Context.Counters.Bytes += count;
        if (count > 0)
            Context.LastByte = Context.Time.GetTimestamp();
    }

    /// <summary>The server has answered: a whole set begins, or a continuation.</summary>
    public void Begin(bool isStaged)
    {
        Status.Counters.Connections++;
        Status.Move(isStaged ? SyncTrigger.SnapshotBegan : SyncTrigger.Connected);
    }

    public Task SayConnectedAsync(CancellationToken cancellationToken) =>
        SayAsync(FeedEventKind.Connect, $"Connected to {Client.Uri.Display}.", cancellationToken);

    /// <summary>Warns that a list may be incomplete, and what follows from that (D2).</summary>
    public Task SayThatMoreMayBeAsync(MoreOfList more, CancellationToken cancellationToken)
    {
        Context.HasToldOfMore = true;
        (var named, var whole) = (more.Names(Dialect), MoreOfList.Whole(Dialect));
        Remedy remedy =
            $"Say how it continues with {Term.DialectWith(named)}, or that this answer is the whole list with {Term.DialectWith(whole)}.";
        if (more.NamesByOffset(Dialect) is { } byOffset)
        {
            remedy =
                $"Say how it continues with {Term.DialectWith(named)}, or, if the server counts records and not pages, with "
                + $"{Term.DialectWith(byOffset)}, or that this answer is the whole list, with {Term.DialectWith(whole)}.";
        }

        return SayAsync(
            FeedEventKind.Warning,
            $"The list may continue: {more.Reason}. What came is in the table; nothing was removed.",
            cancellationToken,
            remedy
        );
    }

    /// <summary>
    /// Warns once that the feed is not read from its beginning, although it sends only the changed fields of what came before: no item
    /// shows whether it is a new record or a part of one.
    /// </summary>
    public async Task SayIfRecordsMayBePartialAsync(RequestKind kind, CancellationToken cancellationToken)
    {
        var isFromNow = kind == RequestKind.Snapshot && IsFromNow;
        if (_hasToldOfParts || !Dialect.Merges || !State.Cursor.IsStart || (Since is null && !isFromNow))
            return;
        _hasToldOfParts = true;
        await SayAsync(
                FeedEventKind.Warning,
                "The feed sends only the fields that changed, and the table lacks what came before: a record that changes is stored with "
                    + "those fields alone.",
                cancellationToken,
                isFromNow
                    ? (Remedy)$"For whole records, sync again with {Term.Resync}, which fetches the whole set."
                    : (Remedy)$"For whole records, leave {Term.Since} out, and sync with {Term.Resync}."
            )
            .ConfigureAwait(false);
    }

    private bool _hasToldOfParts;

    /// <summary>
    /// Warns once that a list of changes, of which no record can be made, is left out, and how the same feed fills a table with what it
    /// lists.
    /// </summary>
    public async Task SayIfChildrenAreLeftOutAsync(CancellationToken cancellationToken)
    {
        if (_hasToldOfChildren || Writer.Items.Dropped is not { } field)
            return;
        _hasToldOfChildren = true;
        var of = Dialect.OfChildren(field);
        var table = Term.Table.For(of.TableNameOf(State.Name));
        Remedy remedy;
        if (BuiltInDialects.Find(Dialect.Name) is null)
        {
            remedy =
                $"For a table of what it lists, sync the same feed with {table} too, by the same dialect with Children = '{field}' in it.";
        }
        else
        {
            remedy = $"For a table of what it lists, sync the same feed with {table} {Term.Dialect.For(of.Name)} too.";
        }

        await SayAsync(
                FeedEventKind.Warning,
                $"The field '{field}' is left out: it lists changes of what a record has, a part at a time.",
                cancellationToken,
                remedy
            )
            .ConfigureAwait(false);
    }

    private bool _hasToldOfChildren;

    /// <summary>Warns once that no item had the list whose elements are the records: its name may be misspelled.</summary>
    public async Task SayIfThereWereNoChildrenAsync(CancellationToken cancellationToken)
    {
        var items = Writer.Items;
        if (_hasToldOfNoChildren || Dialect.Snapshot.Children is not { } children || items.HasChildren || State.Rows > 0)
            return;
        if (items.LackedChildren is not { } others)
            return;
        _hasToldOfNoChildren = true;
        await SayAsync(
                FeedEventKind.Warning,
                $"No item of the feed has '{children.Text}', so the table stays empty.",
                cancellationToken,
                others.Count > 0
                    ? $"There is {string.Join(", ", others.Take(5).Select(name => $"'{PlainText.Of(name)}'"))}."
                    : "Check its name in the dialect; upper and lower case differ."
            )
            .ConfigureAwait(false);
    }

    private bool _hasToldOfNoChildren;

    /// <summary>Reports that all pages came, and not the records that the list announces (D9).</summary>
    public Task SayThatRecordsAreMissingAsync(UnmetCount unmet, CancellationToken cancellationToken)
    {
        Context.HasToldOfMore = true;
        return SayAsync(
            FeedEventKind.Warning,
            string.Create(
                CultureInfo.InvariantCulture,
                $"'{unmet.Place}' announces {unmet.Announced} records, and {unmet.Came} different ones came in all pages of the "
                    + $"list: records may have moved between its pages, or share a key. What came is in the table; nothing was removed."
            ),
            cancellationToken,
            $"Have the server sort the list by something that does not change, with a parameter of its own in the URI. If its key is "
                + $"wrong, name it with {Term.Key}; if its count is wrong, sync with {Term.DialectWith(MoreOfList.Whole(Dialect))}."
        );
    }

    /// <summary>Warns once that no item had the field whose largest value is the cursor: its name may be misspelled.</summary>
    public async Task SayThatNothingHasTheCursorAsync(Place place, CancellationToken cancellationToken)
    {
        if (_hasToldOfNoCursor)
            return;
        _hasToldOfNoCursor = true;
        await SayAsync(
                FeedEventKind.Warning,
                $"No item of the feed has '{place}', the cursor, so each sync fetches the whole set.",
                cancellationToken,
                "Check its name in the dialect; upper and lower case differ."
            )
            .ConfigureAwait(false);
    }

    private bool _hasToldOfNoCursor;

    /// <summary>Warns once that events lack the key that was chosen, and are records of their own.</summary>
    public async Task SayIfKeyIsMissingAsync(CancellationToken cancellationToken)
    {
        if (_hasToldOfKey || Writer.Items.KeyMissingInEvent is not { } key)
            return;
        _hasToldOfKey = true;
        await SayAsync(
                FeedEventKind.Warning,
                $"There are events without '{key}': the event's id is the key instead, so each of them is a record of its own.",
                cancellationToken,
                $"Name the field that is the key with {Term.Key}, or leave it out if the table is to be a log of the events."
            )
            .ConfigureAwait(false);
    }

    private bool _hasToldOfKey;

    /// <summary>Reports once that a stream ended within an event.</summary>
    public async Task SayThatAnEventWasCutAsync(CancellationToken cancellationToken)
    {
        if (_hasToldOfCut)
            return;
        _hasToldOfCut = Context.HasToldOfMore = true;
        await SayAsync(
                FeedEventKind.Warning,
                "The stream ended within an event, which is ignored: the next request starts after the event before it.",
                cancellationToken,
                "Sync again to see whether it arrives. If the stream always ends so, its server sends no blank line after the last event."
            )
            .ConfigureAwait(false);
    }

    private bool _hasToldOfCut;

    /// <summary>Warns that a stream continues without the id of the last event, so that something may be missing.</summary>
    public Task SayThatTheIdIsTooLongAsync(CancellationToken cancellationToken)
    {
        Context.HasToldOfMore = true;
        var query = MoreOfList.Over(
            Dialect,
            "\"Changes\": { \"Headers\": { \"Last-Event-ID\": null }, \"Query\": { \"lastEventID\": \"{cursor}\" } }"
        );
        return SayAsync(
            FeedEventKind.Warning,
            "The server refuses the id of the last event as too long (431), and is asked without it: what came since that event may be "
                + "missing.",
            cancellationToken,
            $"If the server takes the id as a parameter too, sync with {Term.DialectWith(query)}."
        );
    }

    /// <summary>Warns once that an event stream brings nothing at all, which is what a proxy that waits for its end makes of it.</summary>
    /// <param name="how">What the stream did.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task SayThatAProxyMayBufferAsync(string how, CancellationToken cancellationToken)
    {
        if (_hasToldOfBuffering)
            return;
        _hasToldOfBuffering = true;
        await SayAsync(
                FeedEventKind.Warning,
                $"The event stream {how}: it may have nothing to send, or a proxy in between holds it back.",
                cancellationToken,
                "Have the proxy pass this address on unbuffered (nginx: proxy_buffering off), or the server send 'X-Accel-Buffering: no'."
            )
            .ConfigureAwait(false);
    }

    private bool _hasToldOfBuffering;

    /// <summary>Warns, once per table, that a field looks like a deletion mark for which the dialect has no rule.</summary>
    public async Task SayIfDeletionIsUnknownAsync(CancellationToken cancellationToken)
    {
        if (ToldOf is not null || Writer.Items.DeletionMark is not { } field)
            return;
        var isEvent = Dialect.Snapshot.Framing == DialectFraming.EventStream;
        if (!isEvent && new[] { Dialect.Snapshot, Dialect.Changes, Dialect.Live }.Any(rules => rules?.Deleted is not null))
            return;
        ToldOf = field;
        var sign = isEvent ? $"[{{ \"event:\": \"delete\" }}, \"{field}\"]" : $"\"{field}\"";
        await SayAsync(
                FeedEventKind.Warning,
                $"Records have '{field}' set, which the dialect '{Dialect.Name}' does not treat as a deletion: they stay in the table.",
                cancellationToken,
                $"If it marks deleted records, sync with {Term.DialectWith(MoreOfList.Over(Dialect, $"\"Deleted\": {sign}"))}. This "
                    + $"is not repeated."
            )
            .ConfigureAwait(false);
    }

    /// <summary>The error for a status other than success. 409 and 410 do not mean here what they mean for Lockstep's own feeds.</summary>
    public FeedException RefusalOf(HttpResponseMessage response, ErrorBody body) =>
        response.StatusCode is System.Net.HttpStatusCode.Gone or System.Net.HttpStatusCode.Conflict
            ? Requests.Refused(
                $"it answers {(int)response.StatusCode} {Client.ReasonOf(response)}"
                    + (Client.ExcerptOf(response, body) is { } said ? $": {said.TrimEnd('.')}" : "")
            )
            : Requests.Error(response, body);

    public Task SayAsync(FeedEventKind kind, string message, CancellationToken cancellationToken, Remedy? remedy = null) =>
        Events.PostAsync(kind, message, cancellationToken, remedy);
}
