using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>How a request of a dialect ended.</summary>
internal enum RoundEnd
{
    /// <summary>All that there was has come.</summary>
    UpToDate,

    /// <summary>A stream ended, without an error and without saying that this was all.</summary>
    StreamEnded,

    /// <summary>All that there was has come, and could not be taken: it is owed.</summary>
    Refused,

    /// <summary>What came is taken, and nothing says that it was all.</summary>
    Incomplete,

    /// <summary>Nothing has changed for so long that this must be all.</summary>
    Settled,

    /// <summary>The feed has ended forever.</summary>
    Ended,

    /// <summary>The feed cannot resume from the cursor.</summary>
    Resync,

    /// <summary>The server does not know this kind of request: it is polled instead.</summary>
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

    /// <summary>Whether the dialect was guessed, so that it is not kept before it has read a whole round.</summary>
    public bool IsGuess { get; set; }

    /// <summary>Whether one answer was as the dialect says.</summary>
    public bool IsConfirmed { get; set; }

    /// <summary>The shortest wait between polls that the server asks for.</summary>
    public TimeSpan? ServerInterval { get; set; }

    /// <summary>The tag of the set that came last, where it was one page; null otherwise.</summary>
    public string? EntityTag { get; set; }

    /// <summary>Whether the user wants the whole set again, whatever it says.</summary>
    public bool IsForced { get; set; }

    /// <summary>The cursor that the user wants the sync to begin at; null for the stored one, and once it was asked from there.</summary>
    public string? Since { get; set; }

    /// <summary>Whether the feed is another one than the table has known.</summary>
    public bool IsAnotherFeed { get; set; }

    /// <summary>How often in a row the feed refused to go on between two pages.</summary>
    public int RefusedPages { get; set; }

    /// <summary>The server's newest cursor when the round began, where the dialect asks for it.</summary>
    public string? NewestCursor { get; set; }

    /// <summary>Where the server wants the whole set to be asked for; null for the usual place.</summary>
    public Uri? Restart { get; set; }

    public TableState State => Context.Target.State;

    /// <summary>What goes into the table about the dialect, with the URI that it was asked at.</summary>
    public string Description => new ForeignState(Dialect.Name, Dialect.Json, Client.Uri.Display).ToString();

    /// <summary>A position, with what is known of the feed.</summary>
    public DialectPosition Position(string? cursor, string? resume, bool isUpToDate) =>
        new()
        {
            Cursor = cursor,
            Resume = resume,
            Identity = Requests.Identity,
            IsUpToDate = isUpToDate,
            Description = !IsGuess || isUpToDate ? Description : null,
        };

    /// <summary>Tells who wants to know what a page was.</summary>
    public void Tell(RequestKind kind, Uri target, Page page, string? cursor, Uri? next)
    {
        if (Context.Options.DialectObserver is not { } observer)
            return;
        var first = Writer.First;
        observer(
            new DialectStep(FeedUri.Parse(target).Display, kind.ToString(), page.Places.Status)
            {
                Items = page.Count,
                Place = page.ItemsPlace,
                FirstKey = first?.Key.ToString(),
                FirstRecord = first?.Json,
                Cursor = cursor is null ? null : CursorText.Shorten(cursor),
                Next = next is null ? null : CursorText.Shorten(next.PathAndQuery),
                IsUpToDate = page.IsUpToDate,
            }
        );
    }

    public void NoteBytes(int count)
    {
        Context.Counters.Bytes += count;
        if (count > 0)
            Context.LastByte = Context.Time.GetTimestamp();
    }

    /// <summary>The server has answered: a whole set begins, or what goes on.</summary>
    public void Begin(bool isStaged)
    {
        Status.Counters.Connections++;
        Status.Move(isStaged ? SyncTrigger.SnapshotBegan : SyncTrigger.Connected);
    }

    public Task SayConnectedAsync(CancellationToken cancellationToken) =>
        SayAsync(FeedEventKind.Connect, $"Connected to {Client.Uri.Display}.", cancellationToken);

    /// <summary>Says that a list may not be whole, and what comes of it (D2).</summary>
    public Task SayThatMoreMayBeAsync(MoreOfList more, CancellationToken cancellationToken) =>
        SayAsync(
            FeedEventKind.Warning,
            $"The list may continue: {more.Reason}. What came is in the table; nothing was removed.",
            cancellationToken,
            $"Set how it continues with {Term.DialectWith(more.Names(Dialect))}; that one answer is all, with "
                + $"{Term.DialectWith(MoreOfList.Whole(Dialect))}."
        );

    /// <summary>The error of a status that is no success. What Lockstep's own feeds mean by 409 and 410 it does not mean here.</summary>
    public FeedException RefusalOf(HttpResponseMessage response, ErrorBody body) =>
        response.StatusCode is System.Net.HttpStatusCode.Gone or System.Net.HttpStatusCode.Conflict
            ? Requests.Wrong(
                $"it answers {(int)response.StatusCode} {response.ReasonPhrase}"
                    + (Client.ExcerptOf(body) is { } said ? $": {said.TrimEnd('.')}" : "")
            )
            : Requests.Error(response, body);

    public Task SayAsync(FeedEventKind kind, string message, CancellationToken cancellationToken, Remedy? remedy = null) =>
        Events.PostAsync(kind, message, cancellationToken, remedy);
}
