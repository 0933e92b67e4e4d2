using System.Globalization;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Reads one body until it ends or the caller has what it wants: waits for bytes, has <see cref="BodyParser"/> turn them into records and
/// <see cref="CommitPacer"/> hand these over, and lets <see cref="BodyEnding"/> decide when the body is over. It is the reading half of a
/// sync; <see cref="CommitQueue"/> is the writing half. One thread at a time.
/// </summary>
internal sealed class BodyReader
{
    private readonly SyncContext _context;
    private readonly BodySource _source;
    private readonly FrameReader _frames;
    private readonly CursorTracker _tracker;
    private readonly CommitPacer _pacer;
    private readonly BodyClock _clock;
    private readonly SetCompletion _set;
    private readonly BodyParser _parser;
    private readonly LoadNews _load;
    private readonly BodyEnding _ending;
    private readonly BodyWarnings _warnings;
    private Uri? _page;
    private long _received;

    public BodyReader(SyncContext context, BodySource source)
    {
        _context = context;
        _source = source;
        _received = context.Counters.Received;
        _frames = new FrameReader(context.Options.MaximumRecordSize);
        _tracker = new CursorTracker(source.Start, source.IsHeld, source.IsResync);
        _pacer = new CommitPacer(context, source, _tracker);
        _clock = new BodyClock(context, source, _tracker);
        _set = new SetCompletion(context, source, _tracker, _pacer);
        _load = new LoadNews(context, source, _tracker);
        _parser = new BodyParser(context, source, _frames, _tracker, _pacer, _set);
        _ending = new BodyEnding(context, source, _tracker, _pacer, _clock, _set);
        _warnings = new BodyWarnings(context, source);
    }

    /// <inheritdoc cref="SetCompletion.IsComplete"/>
    public bool SetIsComplete => _set.IsComplete;

    /// <inheritdoc cref="CommitPacer.HasCommitted"/>
    public bool HasCommitted => _pacer.HasCommitted;

    /// <inheritdoc cref="SetCompletion.IsCaughtUp"/>
    public bool IsCaughtUp => _set.IsCaughtUp;

    /// <inheritdoc cref="SetCompletion.HasUnaccounted"/>
    public bool HasUnaccounted => _set.HasUnaccounted;

    /// <summary>Reads to the end, or until the caller has what it wants. What arrived before an error is committed.</summary>
    public async Task<BodyEnd> ReadAsync(CancellationToken cancellationToken)
    {
        await _set.BeginAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var end = await ReadToEndAsync(cancellationToken).ConfigureAwait(false);
            _ending.NoteEnd(end);
            await _set.EndAsync(end, cancellationToken).ConfigureAwait(false);
            return _set.IsRefused ? BodyEnd.Refused : end;
        }
        catch (Exception e) when (e is IOException or HttpRequestException or InvalidDataException)
        {
            await _set.BreakOffAsync(cancellationToken).ConfigureAwait(false);
            throw new FeedCutException(_source.Feed, "the connection was closed before the body was complete.", e);
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
            if (await _ending.FindAsync(cancellationToken).ConfigureAwait(false) is { } over)
                return over;
            _clock.Excuse(arrived);
        }
    }

    /// <summary>
    /// The body has moved on to another page of a set: a first load that is cut off resumes there, since everything before it has been
    /// parsed.
    /// </summary>
    private void NotePage()
    {
        if (!_source.IsFirstLoad || _set.IsComplete || _source.Page?.Invoke() is not { } page || page == _page)
            return;
        _page = page;
        if (!_frames.IsInsideObject)
            _pacer.LoadPage = _source.KeepPage?.Invoke(page) ?? _pacer.LoadPage;
    }

    /// <summary>Everything before this point has been parsed: a first load from a single-body snapshot resumes here.</summary>
    private void NoteRange()
    {
        if (_source is { IsFirstLoad: true, RangeTag: { } tag, Stream: not Utf8Body { IsRewritten: true } } && !_set.IsComplete)
            _pacer.LoadPage = new SnapshotRange(_source.RangeStart + _frames.Offset, tag).ToString();
    }

    /// <summary>A whole set without a single object counts as empty only if nothing suggests that it is not a feed at all (I6).</summary>
    private void RequireFeed()
    {
        if (!_source.IsWholeSet || _parser.HasObject)
            return;
        if (_source.Doubt is { } doubt)
            throw doubt;
        if (_source.IsMarkup || _parser.Garbage is not null)
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

    /// <summary>Parses all complete frames. True if the feed said that it has nothing more and the caller is waiting for that.</summary>
    private async Task<bool> ParseAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var stop = _parser.Parse();
            await _warnings.TellAsync(stop).ConfigureAwait(false);
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
                    if (await _ending.HeedAsync(_parser.Signal, cancellationToken).ConfigureAwait(false))
                        return true;
                    break;
            }
        }
    }

    /// <summary>Waits for bytes; meanwhile commits what has arrived, and watches the clock. Null when bytes have arrived.</summary>
    private async Task<BodyEnd?> WaitAsync(Task<int> pending, CancellationToken cancellationToken)
    {
        while (true)
        {
            var lingers = _pacer.HasAnything;
            var wait = _ending.NextDeadline;
            if (lingers && _pacer.PauseLeft < wait)
                wait = _pacer.PauseLeft;
            // An error of the writing half must not have to wait for the feed to send something.
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
                if (await _ending.FindAsync(cancellationToken).ConfigureAwait(false) is { } over)
                    return over;
                if (_clock.IsSilent)
                {
                    throw new FeedCutException(
                        _source.Feed,
                        string.Create(CultureInfo.InvariantCulture, $"nothing was received for {_source.IdleTimeout.TotalSeconds:0.###} s.")
                    );
                }

                if (!pending.IsCompleted)
                    continue;
            }

            return null;
        }
    }
}
