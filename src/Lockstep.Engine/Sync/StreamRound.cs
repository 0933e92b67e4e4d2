using System.Net;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Follows a dialect's stream: JSON lines or server-sent events. Records are committed as they arrive, each with the cursor that covers it
/// (D1). One thread at a time.
/// </summary>
internal sealed class StreamRound(DialectSession session)
{
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestHold = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    /// <summary>How long a stream is followed before a server that describes itself is asked again which feed it has.</summary>
    private static readonly TimeSpan LongestUnasked = TimeSpan.FromMinutes(5);

    private const string EventType = "text/event-stream";

    private string? _cursor;
    private string? _committed;
    private int _told;
    private Action<int, bool>? _tell;
    private bool _isUnlabelled;
    private long _began;
    private long _uncommittedSince;
    private long? _notedAt;
    private bool _hasWarned;
    private bool _hasContent;
    private bool _isLive;
    private HttpResponseMessage? _response;
    private RoundEnd? _end;

    /// <summary>A line of text at the beginning: a malformed record if items follow it, otherwise no answer of the feed.</summary>
    private (byte[] Bytes, long Offset, string Reason)? _text;

    /// <summary>How many items and signs of life arrived.</summary>
    public int Signs { get; private set; }

    /// <summary>How many items were skipped, unknown or malformed: they do not show that the feed is well.</summary>
    public int Skipped { get; private set; }

    /// <summary>Whether the last item was one of those: it may be the error that ended the stream.</summary>
    public bool EndedWithASkippedItem { get; private set; }

    /// <summary>The error that the last item of a live stream tells of; null if it tells of none.</summary>
    public FeedException? Error { get; private set; }

    /// <summary>Whether it ended within an item, which was dropped: the next request is to bring it again.</summary>
    public bool EndedWithinAnItem { get; private set; }

    /// <summary>How long the stream was open.</summary>
    public TimeSpan Lasted { get; private set; }

    /// <summary>Reads until the stream ends, or the caller has what it wants.</summary>
    public async Task<RoundEnd> ReadAsync(RequestKind kind, CancellationToken cancellationToken)
    {
        var rules = session.Dialect.For(kind);
        _isLive = kind == RequestKind.Live;
        var time = session.Context.Time;
        // The whole set is not requested from the table's position.
        _cursor = _committed = kind == RequestKind.Snapshot || session.State.Cursor.IsStart ? null : session.State.Cursor.ToString();
        if (session.Since is { } since)
            (_cursor, session.Since) = (since, null);
        using var response = await AskAsync(rules, cancellationToken).ConfigureAwait(false);
        _response = response;
        var asked = _cursor;
        if (session.Context.Options.DialectObserver is not null)
            _tell = (count, isUpToDate) => session.Tell(kind, Step(kind, session.Requests.Address(rules, asked), count, isUpToDate));
        if (!response.IsSuccessStatusCode)
        {
            using var error = await ErrorBody.ReadAsync(session.Client, response, cancellationToken).ConfigureAwait(false);
            if (rules.Resync?.Holds(new ResponsePlaces(response, error.Root)) == true)
                return RoundEnd.Resync;
            throw session.RefusalOf(response, error);
        }

        _began = time.GetTimestamp();
        session.Begin(isStaged: false);
        await session.SayConnectedAsync(cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NoContent)
            return rules.Framing == DialectFraming.EventStream ? RoundEnd.Ended : RoundEnd.StreamEnded;
        await CheckHeadAsync(rules, response, cancellationToken).ConfigureAwait(false);
        var body = await session.Client.OpenContentAsync(response, cancellationToken).ConfigureAwait(false);
        var silence = session.Client.OperationTimeout;
        if (silence != Timeout.InfiniteTimeSpan && rules.Timeout + Grace > silence)
            silence = rules.Timeout + Grace;
        var stream = new IdleStream(body, session.Client.Uri, silence, time, session.NoteBytes);
        IFrames frames =
            rules.Framing == DialectFraming.EventStream
                ? new EventFrames(session.Context.Options.MaximumRecordSize)
                : new LineFrames(session.Context.Options.MaximumRecordSize);
        session.Context.Queue.ResetLastChange();
        var before = session.Context.Counters.Bytes;
        try
        {
            return await FollowAsync(rules, stream, frames, cancellationToken).ConfigureAwait(false);
        }
        catch (FeedException)
        {
            await CommitAsync(isUpToDate: false, cancellationToken).ConfigureAwait(false);
            if (rules.Framing == DialectFraming.EventStream && session.Context.Counters.Bytes == before)
                await session.SayThatAProxyMayBufferAsync("brought not one byte", cancellationToken).ConfigureAwait(false);
            throw;
        }
        finally
        {
            Lasted = time.GetElapsedTime(_began);
            // The response goes first: otherwise disposing a decoder would wait for the rest of an endless body.
            response.Dispose();
        }
    }

    /// <summary>Sends the request; without the id of the last event if it is too long for the server.</summary>
    private async Task<HttpResponseMessage> AskAsync(DialectRules rules, CancellationToken cancellationToken)
    {
        var limit = session.Client.ConnectionTimeout;
        var patience = limit != Timeout.InfiniteTimeSpan && rules.Timeout + Grace > limit ? rules.Timeout + Grace : limit;
        while (true)
        {
            var target = session.Requests.Address(rules, _cursor);
            var response = await session
                .Requests.SendAsync(rules, target, _cursor, null, patience, cancellationToken)
                .ConfigureAwait(false);
            if (
                response.StatusCode != HttpStatusCode.RequestHeaderFieldsTooLarge
                || rules.Framing != DialectFraming.EventStream
                || _cursor is null
            )
            {
                return response;
            }

            response.Dispose();
            _cursor = _committed = null;
            await session.SayThatTheIdIsTooLongAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<RoundEnd> FollowAsync(DialectRules rules, IdleStream stream, IFrames frames, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = stream.ReadAsync(frames.GetFreeMemory(), cancellationToken);
            int count;
            if (read.IsCompleted)
            {
                count = await read.ConfigureAwait(false);
            }
            else
            {
                var pending = read.AsTask();
                if (!await WaitAsync(pending, cancellationToken).ConfigureAwait(false))
                {
                    RequireNoTextAlone();
                    return RoundEnd.Settled;
                }

                count = await pending.ConfigureAwait(false);
            }

            frames.Advance(count);
            while (frames.TryTake(this, rules))
            {
                if (session.Writer.IsFull)
                    await CommitAsync(isUpToDate: false, cancellationToken).ConfigureAwait(false);
                if (_end is not null)
                    break;
            }

            if (frames.Position is { Length: > 0 } position)
                _cursor = position;
            session.ServerInterval = frames.Retry ?? session.ServerInterval;
            if (_end is { } end)
            {
                await CommitAsync(isUpToDate: false, cancellationToken).ConfigureAwait(false);
                return end;
            }

            await WarnAsync(cancellationToken).ConfigureAwait(false);
            if (count == 0)
            {
                EndedWithinAnItem = !frames.IsWhole(session.Client.Uri);
                RequireNoTextAlone();
                if (_isUnlabelled && Signs + Skipped == 0)
                    throw session.Requests.Wrong($"it does not say that it sends '{EventType}', and sent no event");
                await CommitAsync(isUpToDate: !EndedWithinAnItem && Error is null, cancellationToken).ConfigureAwait(false);
                return RoundEnd.StreamEnded;
            }

            if (MustAskAgain)
            {
                await CommitAsync(isUpToDate: false, cancellationToken).ConfigureAwait(false);
                return RoundEnd.StreamEnded;
            }

            if (session.Context.Time.GetElapsedTime(_uncommittedSince) >= LongestHold)
                await CommitAsync(isUpToDate: false, cancellationToken).ConfigureAwait(false);
            else if (session.Writer.IsWorthWriting && _tell is null)
                await session.Writer.KeepAsync(session.Position(_cursor, null, isUpToDate: false), cancellationToken).ConfigureAwait(false);
            await NoteQuietAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Whether the stream has to be left for a question: what is purged from a database, say, its changes never tell.</summary>
    private bool MustAskAgain =>
        session.Dialect.Begin is not null
        && Signs > 0
        && !session.Context.StopsWhenCaughtUp
        && session.Context.Time.GetElapsedTime(_began) >= LongestUnasked;

    /// <summary>Waits for bytes; meanwhile commits what has arrived. False when nothing new has arrived for the settling time.</summary>
    private async Task<bool> WaitAsync(Task<int> pending, CancellationToken cancellationToken)
    {
        var context = session.Context;
        if (await pending.CompletesWithinAsync(Linger, context.Time).ConfigureAwait(false))
            return true;
        // In a first load, a pause is judged as strictly as if the sync ended with it: what follows may be most of the set.
        await CommitAsync(isUpToDate: session.State.LastSync is not null, cancellationToken).ConfigureAwait(false);
        if (!context.StopsWhenCaughtUp && !await pending.CompletesWithinAsync(context.Options.Settle, context.Time).ConfigureAwait(false))
            await NoteQuietAsync(cancellationToken).ConfigureAwait(false);
        while (context.StopsWhenCaughtUp)
        {
            var left = context.Options.Settle - context.Time.GetElapsedTime(context.Queue.LastChange);
            if (left <= TimeSpan.Zero)
            {
                if (session.IsConfirmed)
                    await CommitUpToDateAsync(cancellationToken).ConfigureAwait(false);
                return false;
            }

            if (await pending.CompletesWithinAsync(left, context.Time).ConfigureAwait(false))
                return true;
        }

        return true;
    }

    /// <summary>A stream that brings only signs of life has sent everything: whoever waits for that is told, once a second.</summary>
    private async Task NoteQuietAsync(CancellationToken cancellationToken)
    {
        var context = session.Context;
        if (
            context.StopsWhenCaughtUp
            || session.Writer.HasUncommitted
            || context.Time.GetElapsedTime(context.Queue.LastChange) < context.Options.Settle
            || (_notedAt is { } noted && context.Time.GetElapsedTime(noted) < LongestHold)
        )
        {
            return;
        }

        _notedAt = context.Time.GetTimestamp();
        await CommitUpToDateAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task CommitUpToDateAsync(CancellationToken cancellationToken)
    {
        await session.Writer.CommitAsync(session.Position(_cursor, null, isUpToDate: true), cancellationToken).ConfigureAwait(false);
        _committed = _cursor;
    }

    /// <summary>Commits what has arrived.</summary>
    /// <param name="isUpToDate">
    /// Whether the stream has paused or ended, so that this is everything; before that, it may be repeating older records.
    /// </param>
    /// <param name="cancellationToken">Gives up.</param>
    private async Task CommitAsync(bool isUpToDate, CancellationToken cancellationToken)
    {
        if (!session.Writer.HasUncommitted && _cursor == _committed)
            return;
        if (Signs + Skipped > _told)
            _tell?.Invoke(Signs + Skipped - _told, isUpToDate);
        _told = Signs + Skipped;
        await session.Writer.CommitAsync(session.Position(_cursor, null, isUpToDate), cancellationToken).ConfigureAwait(false);
        _committed = _cursor;
    }

    private DialectStep Step(RequestKind kind, Uri target, int count, bool isUpToDate) =>
        new(FeedUri.Parse(target).Display, kind.ToString(), (int)HttpStatusCode.OK)
        {
            Items = count,
            Cursor = _cursor is null ? null : CursorText.Shorten(_cursor),
            IsUpToDate = isUpToDate,
        };

    private async Task CheckHeadAsync(DialectRules rules, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var type = response.Content.Headers.ContentType?.MediaType?.ToLowerInvariant();
        if (type?.Contains("html", StringComparison.OrdinalIgnoreCase) == true)
            throw session.Requests.IsPage();
        if (rules.Framing == DialectFraming.EventStream && type != EventType)
        {
            // Whoever has named the dialect knows better than a server that does not say what it sends.
            if (session.IsGuess || type is not (null or "text/plain" or "application/octet-stream"))
            {
                throw session.Requests.Wrong(
                    $"it answers with {(type is null ? "no content type" : $"'{type}'")} and not with '{EventType}'"
                );
            }

            _isUnlabelled = true;
        }

        // A hub that no longer has the event answers with the one from which it continues.
        var answered = new ResponsePlaces(response).Header("Last-Event-ID");
        if (rules.Framing == DialectFraming.EventStream && _cursor is not null && answered is not null && answered != _cursor)
        {
            await session
                .SayAsync(
                    FeedEventKind.Warning,
                    "The server no longer has the event that this table had reached, and continues from a later one: what was "
                        + "between them is missing.",
                    cancellationToken
                )
                .ConfigureAwait(false);
        }
    }

    private async Task WarnAsync(CancellationToken cancellationToken)
    {
        await session.SayIfDeletionIsUnknownAsync(cancellationToken).ConfigureAwait(false);
        await session.SayIfKeyIsMissingAsync(cancellationToken).ConfigureAwait(false);
        if (!_hasUnknown || _hasWarned)
            return;
        _hasWarned = true;
        await session
            .SayAsync(FeedEventKind.Warning, "An item of a kind that the dialect does not know was skipped.", cancellationToken)
            .ConfigureAwait(false);
    }

    private bool _hasUnknown;

    /// <summary>Takes an item.</summary>
    internal void Take(DialectRules rules, ItemPlaces item, long offset)
    {
        var writer = session.Writer;
        if (Signs + Skipped == 0 && session.Dialect.Snapshot.Items is { } place && item.Find(place) is { Kind: JsonKind.Array })
        {
            // A server that does not support waiting answers with a page, which is read as one.
            Signs++;
            _end = RoundEnd.NotLive;
            return;
        }

        if (_text is { } text)
            writer.Refuse(text.Bytes, text.Offset, text.Reason);
        _text = null;
        if (!writer.HasUncommitted)
            _uncommittedSince = session.Context.Time.GetTimestamp();
        var kind = writer.Items.Read(rules, item, signs: true, out var record);
        Error =
            !_isLive ? null
            : kind is ItemKind.Nothing or ItemKind.Unknown ? StreamError.Find(session, _response!, rules, item.Item)
            : kind == ItemKind.Malformed && writer.Items.LacksKey && !_hasContent ? StreamError.FindNamed(session, _response!, item.Item)
            : null;
        if (Error is not null)
            kind = ItemKind.Nothing;
        _hasContent = true;
        EndedWithASkippedItem = kind is ItemKind.Nothing or ItemKind.Unknown or ItemKind.Malformed;
        if (EndedWithASkippedItem)
            Skipped++;
        else
            Signs++;
        switch (kind)
        {
            case ItemKind.Record:
                writer.Add(record, rules);
                session.IsConfirmed = true;
                break;
            case ItemKind.Parent:
                writer.AddChildren(rules, item, offset);
                session.IsConfirmed = true;
                break;
            case ItemKind.Malformed:
                writer.Refuse(item.Item.Bytes.Span, offset, writer.Items.Reason);
                break;
            case ItemKind.Resync:
                _end = RoundEnd.Resync;
                return;
            case ItemKind.Unknown:
                _hasUnknown = true;
                break;
            case ItemKind.Heartbeat or ItemKind.UpToDate:
                session.IsConfirmed = true;
                session.Context.Counters.Heartbeats++;
                break;
        }

        if (writer.Items.Cursor is { Text: { } cursor } && item.Origin.EventId is null)
            _cursor = cursor;
    }

    /// <summary>Processes a sign of life.</summary>
    internal void Beat()
    {
        Signs++;
        session.Context.Counters.Heartbeats++;
    }

    /// <summary>Quarantines bytes that are not an item.</summary>
    internal void Refuse(ReadOnlySpan<byte> bytes, long offset, string reason, bool isText = false)
    {
        var isFirst = isText && !_hasContent;
        if (isFirst && session.Context.Options.MalformedRecord != MalformedRecordPolicy.Stop)
        {
            RequireNoTextAlone();
            _text = (bytes.ToArray(), offset, reason);
            return;
        }

        Skipped++;
        EndedWithASkippedItem = _hasContent = true;
        Error = null;
        session.Writer.Refuse(bytes, offset, reason, isFirst);
    }

    /// <summary>A proxy's message in place of the stream is no malformed record.</summary>
    private void RequireNoTextAlone()
    {
        if (_text is not { } text)
            return;
        using var body = ErrorBody.Of(text.Bytes);
        throw session.Requests.Refused($"it answers with text and no JSON: {session.Client.ExcerptOf(_response!, body)?.TrimEnd('.')}");
    }
}
