using System.Globalization;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Reads one body until it ends or the caller's wish is met: waits for bytes, has <see cref="BodyParser"/> make records of them and
/// <see cref="CommitPacer"/> hand these over, and looks at the <see cref="BodyClock"/> meanwhile. It is the reading half of a sync;
/// <see cref="CommitQueue"/> is the writing half. One thread at a time.
/// </summary>
internal sealed class BodyReader
{
    /// <summary>When the feed pauses for so long, what there is gets committed.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(5);

    private readonly SyncContext _context;
    private readonly BodySource _source;
    private readonly FrameReader _frames;
    private readonly CursorTracker _tracker;
    private readonly CommitPacer _pacer;
    private readonly BodyClock _clock;
    private readonly SetCompletion _set;
    private readonly BodyParser _parser;
    private readonly LoadNews _load;
    private Uri? _page;
    private long _settledAfter;
    private bool _warnedOfKey;
    private readonly long _before;
    private long _received;

    public BodyReader(SyncContext context, BodySource source)
    {
        _context = context;
        _source = source;
        _before = _received = context.Counters.Received;
        _frames = new FrameReader(context.Options.MaximumRecordSize);
        _tracker = new CursorTracker(source.Start, source.IsHeld, source.IsResync);
        _pacer = new CommitPacer(context, source, _tracker);
        _clock = new BodyClock(context, source, _tracker);
        _set = new SetCompletion(context, source, _tracker, _pacer);
        _load = new LoadNews(context, source, _tracker);
        _parser = new BodyParser(context, source, _frames, _tracker, _pacer, _set);
    }

    /// <inheritdoc cref="SetCompletion.IsComplete"/>
    public bool SetIsComplete => _set.IsComplete;

    /// <inheritdoc cref="CommitPacer.HasCommitted"/>
    public bool HasCommitted => _pacer.HasCommitted;

    /// <inheritdoc cref="SetCompletion.IsCaughtUp"/>
    public bool IsCaughtUp => _set.IsCaughtUp;

    /// <summary>Whether the sync ends when this body has nothing more for now; what is imported ends where it ends.</summary>
    private bool StopsWhenCaughtUp => _context.StopsWhenCaughtUp && !_source.IsImport;

    /// <summary>
    /// Whether nothing new for the settling time means anything here: not in what is known to end, nor in a snapshot that must not be
    /// merged before it does.
    /// </summary>
    private bool Settles =>
        !_source.IsImport
        && !_source.IsFinite
        && (
            _pacer.IsStaged
                ? _source.MayMergeUnfinished && (_context.StopsWhenCaughtUp || _context.Parser.Shape?.Dialect == Dialect.Record)
                : _context.StopsWhenCaughtUp
        );

    /// <summary>Whether a heartbeat says that the feed has nothing more for now.</summary>
    private bool HeartbeatsSettle => _context.Counters.Received != _before || _clock.IsEndless;

    /// <summary>Whether the file is to be told when nothing new comes any more.</summary>
    private bool NotesSettling => !_context.StopsWhenCaughtUp && !_source.IsImport && !_pacer.IsStaged && !_tracker.IsHeld;

    /// <summary>Reads to the end, or until the caller's wish is met. What came before an error is committed.</summary>
    public async Task<BodyEnd> ReadAsync(CancellationToken cancellationToken)
    {
        await _set.BeginAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var end = await ReadToEndAsync(cancellationToken).ConfigureAwait(false);
            // Whoever follows sees also a feed without an end closed, by a server that restarts.
            if (
                end == BodyEnd.EndOfBody
                && _source.HasDefiniteEnd
                && (_context.StopsWhenCaughtUp || _context.FeedEnding == FeedEnding.Unknown)
            )
            {
                Learn(FeedEnding.Ends);
            }

            await _set.EndAsync(end, cancellationToken).ConfigureAwait(false);
            return _set.IsRefused ? BodyEnd.Refused : end;
        }
        catch (Exception e) when (e is IOException or HttpRequestException or InvalidDataException)
        {
            await _set.BreakOffAsync(cancellationToken).ConfigureAwait(false);
            throw new FeedCutException(_source.Feed, "the connection was closed before the body was whole.", e);
        }
        catch (FeedException)
        {
            await _set.BreakOffAsync(cancellationToken).ConfigureAwait(false);
            throw;
        }
        finally
        {
            _load.End();
        }
    }

    private async Task<BodyEnd> ReadToEndAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = _source.Stream.ReadAsync(_frames.GetFreeMemory(), cancellationToken);
            int count;
            if (read.IsCompleted)
            {
                count = await read.ConfigureAwait(false);
            }
            else
            {
                var pending = read.AsTask();
                if (await WaitAsync(pending, cancellationToken).ConfigureAwait(false) is { } end)
                    return end;
                count = await pending.ConfigureAwait(false);
            }

            NoteBytes(count);
            NotePage();
            var arrived = _clock.Now;
            if (await ParseAsync(cancellationToken).ConfigureAwait(false))
                return BodyEnd.CaughtUp;
            NoteRange();
            if (count == 0)
            {
                RequireFeed();
                return BodyEnd.EndOfBody;
            }

            _clock.NoteParsed(hasRecords: _context.Counters.Received != _received);
            _received = _context.Counters.Received;
            if (_load.IsWorthAsking && !_set.IsComplete)
                await _load.TellAsync(hasPage: _pacer.LoadPage is not null).ConfigureAwait(false);
            await _pacer.FlushWhenDueAsync(cancellationToken).ConfigureAwait(false);
            if (await IsOverAsync(cancellationToken).ConfigureAwait(false) is { } over)
                return over;
            _clock.Excuse(arrived);
        }
    }

    /// <summary>
    /// The body has turned to another page of a set: a first load goes on there when it is cut off, since all before it has been parsed.
    /// </summary>
    private void NotePage()
    {
        if (!_source.IsFirstLoad || _set.IsComplete || _source.Page?.Invoke() is not { } page || page == _page)
            return;
        _page = page;
        if (!_frames.IsInsideObject)
            _pacer.LoadPage = _source.KeepPage?.Invoke(page) ?? _pacer.LoadPage;
    }

    /// <summary>All that is behind has been parsed: a first load from a snapshot in one body goes on from here.</summary>
    private void NoteRange()
    {
        if (_source is { IsFirstLoad: true, RangeTag: { } tag, Stream: not Utf8Body { IsRewritten: true } } && !_set.IsComplete)
            _pacer.LoadPage = new SnapshotRange(_source.RangeStart + _frames.Offset, tag).ToString();
    }

    /// <summary>A whole set without a single object is an empty one only if nothing says that it is no feed at all (I6).</summary>
    private void RequireFeed()
    {
        if (_source.IsWholeSet && !_parser.HasObject && (_source.IsMarkup || _parser.Garbage is not null))
            throw new NotAFeedException(_source.Feed, _parser.Garbage ?? "");
    }

    private void NoteBytes(int count)
    {
        if (count == 0)
        {
            _frames.Complete();
            return;
        }

        _context.Counters.Bytes += count;
        _clock.NoteBytes(isSignOfLife: !_frames.IsInsideObject || !_frames.NextIsWhiteSpace(count));
        _frames.Advance(count);
    }

    /// <summary>Takes all frames that are there. True when the feed said that it has nothing more and the caller waits for that.</summary>
    private async Task<bool> ParseAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var stop = _parser.Parse();
            if (_context.Parser.KeyWasGuessed && !_warnedOfKey)
                await WarnOfKeyAsync().ConfigureAwait(false);
            if (_context.Parser.OddDeletion is { } odd && !_context.HasToldOfDeletion)
                await WarnOfDeletionAsync(odd).ConfigureAwait(false);
            if (stop != ParseStop.Malformed && _context.FirstMalformed is { } first && !_context.HasToldOfMalformed)
                await WarnOfMalformedAsync(first).ConfigureAwait(false);
            while (_context.LeftOut.TryDequeue(out var row))
                await WarnOfLeftOutAsync(row).ConfigureAwait(false);
            switch (stop)
            {
                case ParseStop.NeedMore:
                    return false;
                case ParseStop.BatchFull:
                    await _pacer.HandOverAsync(cancellationToken).ConfigureAwait(false);
                    break;
                case ParseStop.Malformed:
                    throw _parser.Error!;
                case ParseStop.Signal:
                    if (await HeedAsync(_parser.Signal, cancellationToken).ConfigureAwait(false))
                        return true;
                    break;
            }
        }
    }

    /// <summary>Does what the feed's signal asks for. True when it has nothing more and the caller waits for that.</summary>
    private async Task<bool> HeedAsync(FeedSignal signal, CancellationToken cancellationToken)
    {
        if (signal.Kind == FeedSignalKind.SnapshotCompleted)
        {
            await _set.CompleteAsync(SnapshotEnding.Sweep, cancellationToken, isCertain: true).ConfigureAwait(false);
            // What the feed led to is a snapshot of some time ago: the updates since are still to come, at the feed's own address.
            return _set.IsRefused || (StopsWhenCaughtUp && !_source.IsRedirected);
        }

        await _context.PostEventAsync(FeedEventKind.Heartbeat, "The feed sent a heartbeat.", null).ConfigureAwait(false);
        // A server that is still looking for its first record may say so meanwhile: nothing has come yet that this could be the end of.
        if (!signal.IsControlRow && !HeartbeatsSettle && (_context.StopsWhenCaughtUp || _pacer.IsStaged))
            return false;
        if (!await _set.BeatAsync(signal, cancellationToken).ConfigureAwait(false))
            return false;
        Learn(FeedEnding.Endless);
        return StopsWhenCaughtUp || _set.IsRefused;
    }

    /// <summary>The body shows what the feed's bodies end like; what it leads to is another one's.</summary>
    private void Learn(FeedEnding ending)
    {
        if (!_source.IsImport && !_source.IsRedirected)
            _context.FeedEnding = ending;
    }

    private async Task WarnOfKeyAsync()
    {
        _warnedOfKey = true;
        var field = _context.Parser.Shape!.KeyFields[0];
        await _context
            .PostEventAsync(
                FeedEventKind.Warning,
                $"The records have no field 'id', so their first field '{field}' is taken as the key. If it is not unique, records overwrite each other.",
                $"Name the key with {Term.Key}."
            )
            .ConfigureAwait(false);
    }

    private Task WarnOfLeftOutAsync(string row) =>
        _context.PostEventAsync(
            FeedEventKind.Warning,
            $"{_source.Feed.Subject} leaves out the record {row} The table lacks it.",
            "Tell the feed's operator; the server's largest record is its --maximum-record-size."
        );

    private async Task WarnOfDeletionAsync(string odd)
    {
        _context.HasToldOfDeletion = true;
        await _context
            .PostEventAsync(
                FeedEventKind.Warning,
                $"In {_source.Feed.Subject} {odd}. Values like it are taken so from here on without a word.",
                null
            )
            .ConfigureAwait(false);
    }

    private async Task WarnOfMalformedAsync(FirstMalformed first)
    {
        _context.HasToldOfMalformed = true;
        await _context
            .PostEventAsync(
                FeedEventKind.Warning,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{_source.Feed.Subject} holds a malformed record at byte {first.ByteOffset}, which is set aside, as others will be: {first.Reason}."
                ),
                $"{Term.ReadQuarantined} shows what is set aside."
            )
            .ConfigureAwait(false);
    }

    /// <summary>Waits for bytes; meanwhile commits what there is, and looks at the clock. Null when bytes have come.</summary>
    private async Task<BodyEnd?> WaitAsync(Task<int> pending, CancellationToken cancellationToken)
    {
        while (true)
        {
            var lingers = _pacer.HasAnything;
            var wait = lingers ? Linger : _clock.NextDeadline(Settles, NotesSettling && _settledAfter != _context.Queue.LastChange);
            // An error of the writing half must not wait for the feed to say something.
            Task either = Task.WhenAny(pending, _context.Queue.Completion);
            if (wait > TimeSpan.Zero && await either.CompletesWithinAsync(wait, _context.Time).ConfigureAwait(false))
            {
                if (!pending.IsCompleted)
                    await _context.Queue.Completion.ConfigureAwait(false);
            }
            else
            {
                var before = _clock.Now;
                if (lingers)
                    await _pacer.FlushAsync(drain: false, cancellationToken).ConfigureAwait(false);
                _clock.Excuse(before);
                if (await IsOverAsync(cancellationToken).ConfigureAwait(false) is { } over)
                    return over;
                if (_clock.IsSilent)
                {
                    throw new FeedCutException(
                        _source.Feed,
                        string.Create(CultureInfo.InvariantCulture, $"nothing came for {_source.IdleTimeout.TotalSeconds:0.###} s.")
                    );
                }

                if (!pending.IsCompleted)
                    continue;
            }

            return null;
        }
    }

    private async Task<BodyEnd?> IsOverAsync(CancellationToken cancellationToken)
    {
        if (_clock.IsTimeUp)
            return BodyEnd.TimeElapsed;
        if (_clock.IsSetDue && (!_source.IsWholeSet || _set.IsComplete))
            return BodyEnd.SetDue;
        if (!Settles)
        {
            if (_clock.IsUnchanged)
                await NoteSettledAsync(cancellationToken).ConfigureAwait(false);
            return null;
        }

        if (_clock.Rest == BodyRest.None)
            return null;
        await _pacer.FlushAsync(drain: true, cancellationToken).ConfigureAwait(false);
        var rest = _clock.Rest;
        if (rest == BodyRest.None)
            return null;
        // A server that sends the newest record again and then keeps the connection open for so long has no end: a finite feed ends there.
        if (rest == BodyRest.Idle || (rest == BodyRest.Silent && !_source.IsWholeSet && _tracker.RepeatsStartOnly))
            Learn(FeedEnding.Endless);
        if (!_pacer.IsStaged)
            return rest == BodyRest.Silent ? BodyEnd.Silent : BodyEnd.Settled;

        // Whether a staged snapshot has settled cannot be told from the table, which it does not touch: it is merged, then watched.
        await _set.MergeUnfinishedAsync(isCaughtUp: true, cancellationToken).ConfigureAwait(false);
        _context.Queue.ResetLastChange();
        if (_set.IsRefused)
            return BodyEnd.Refused;
        // Silence that was long enough to merge for is long enough to end by.
        return rest == BodyRest.Silent && _context.StopsWhenCaughtUp ? BodyEnd.Silent : null;
    }

    /// <summary>A feed that is followed and gives no other sign is up to date when it has settled, once after each change.</summary>
    private async Task NoteSettledAsync(CancellationToken cancellationToken)
    {
        if (!NotesSettling || _settledAfter == _context.Queue.LastChange || _pacer.HasUncommitted || !_context.Queue.IsIdle)
            return;
        _settledAfter = _context.Queue.LastChange;
        await _set.NoteUpToDateAsync(cancellationToken).ConfigureAwait(false);
    }
}
