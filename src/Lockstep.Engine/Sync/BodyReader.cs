using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>Why reading a body ended, when it did not fail.</summary>
internal enum BodyEnd
{
    EndOfBody,
    CaughtUp,
    Settled,
    TimeElapsed,
}

/// <summary>
/// Reads one body: bytes to frames to records, until it ends or the caller's wish is met. It is the reading half of a sync, with
/// <see cref="CommitPacer"/>; <see cref="CommitQueue"/> is the writing half. One thread at a time.
/// </summary>
internal sealed class BodyReader
{
    /// <summary>When the feed pauses for so long, what there is gets committed.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(5);

    private const int SnippetLength = 80;

    private static readonly TimeSpan UpToDateInterval = TimeSpan.FromSeconds(1);

    private readonly SyncContext _context;
    private readonly BodySource _source;
    private readonly FrameReader _frames;
    private readonly CursorTracker _tracker;
    private readonly CommitPacer _pacer;
    private long _advances;
    private long _lastAdvance;
    private long _lastByte;
    private long _upToDate;
    private long _settledAfter;
    private bool _hasFirstByte;
    private bool _isWholeSet;
    private bool _warnedOfKey;
    private FeedException? _malformed;

    public BodyReader(SyncContext context, BodySource source)
    {
        _context = context;
        _source = source;
        _frames = new FrameReader(context.Options.MaximumRecordSize);
        _tracker = new CursorTracker(source.Start, source.IsHeld, source.IsResync);
        _pacer = new CommitPacer(context, source, _tracker);
        _isWholeSet = source.IsWholeSet;
        _lastByte = context.Time.GetTimestamp();
    }

    /// <summary>Whether the set that this body brings is complete.</summary>
    public bool SetIsComplete { get; private set; }

    /// <summary>Whether something of this body went into the table.</summary>
    public bool HasCommitted => _pacer.HasCommitted;

    /// <summary>Whether all that the feed had, as far as it tells, went into the table.</summary>
    public bool IsCaughtUp { get; private set; }

    /// <summary>Whether the sync ends when this body has nothing more for now; what is imported ends where it ends.</summary>
    private bool StopsWhenCaughtUp => _context.StopsWhenCaughtUp && !_source.IsImport;

    /// <summary>Whether this is the whole set of a transaction feed, or may be, which only its end or <c>snapshot_completed</c> completes (I6).</summary>
    private bool IsTransactionSetUnderWay => _context.Parser.Shape is { } shape
        ? shape.Dialect == Dialect.Transaction && (_tracker.IsHeld || _pacer.IsStaged)
        : _context.Parser.IsControlRow && _source.Start.IsStart && !SetIsComplete;

    /// <summary>Reads to the end, or until the caller's wish is met. What came before an error is committed.</summary>
    public async Task<BodyEnd> ReadAsync(CancellationToken cancellationToken)
    {
        if (_pacer.IsStaged) await _context.Queue.EnqueueAsync(new CommitJob(CommitKind.BeginSnapshot, new TableCommit()), cancellationToken).ConfigureAwait(false);
        try
        {
            return await ReadToEndAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or HttpRequestException or InvalidDataException)
        {
            await _pacer.FlushAsync(drain: true, cancellationToken).ConfigureAwait(false);
            await DiscardStageAsync(cancellationToken).ConfigureAwait(false);
            throw new FeedCutException(_source.Feed, "the connection was closed before the body was whole.", e);
        }
        catch (FeedException)
        {
            await _pacer.FlushAsync(drain: true, cancellationToken).ConfigureAwait(false);
            await DiscardStageAsync(cancellationToken).ConfigureAwait(false);
            throw;
        }
    }

    private async Task<BodyEnd> ReadToEndAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            ValueTask<int> read = _source.Stream.ReadAsync(_frames.GetFreeMemory(), cancellationToken);
            int count;
            if (read.IsCompleted)
            {
                count = await read.ConfigureAwait(false);
            }
            else
            {
                Task<int> pending = read.AsTask();
                if (await WaitAsync(pending, cancellationToken).ConfigureAwait(false) is { } end) return await EndAsync(end, cancellationToken).ConfigureAwait(false);
                count = await pending.ConfigureAwait(false);
            }

            NoteBytes(count);
            long arrived = _context.Time.GetTimestamp();
            if (await ProcessAsync(cancellationToken).ConfigureAwait(false)) return await EndAsync(BodyEnd.CaughtUp, cancellationToken).ConfigureAwait(false);
            if (count == 0) return await EndAsync(BodyEnd.EndOfBody, cancellationToken).ConfigureAwait(false);
            await _pacer.FlushWhenDueAsync(cancellationToken).ConfigureAwait(false);
            if (await IsOverAsync(cancellationToken).ConfigureAwait(false) is { } over) return await EndAsync(over, cancellationToken).ConfigureAwait(false);
            // The time that the table and the consumer take is not the feed's silence.
            _lastByte += _context.Time.GetTimestamp() - arrived;
        }
    }

    /// <summary>Takes all frames that are there. True when the feed said that it has nothing more and the caller waits for that.</summary>
    private async Task<bool> ProcessAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            FrameSignal signal = ReadFrames();
            if (_context.Parser.KeyWasGuessed && !_warnedOfKey) await WarnOfKeyAsync().ConfigureAwait(false);
            switch (signal)
            {
                case FrameSignal.NeedMore:
                    return false;
                case FrameSignal.BatchFull:
                    await _pacer.HandOverAsync(cancellationToken).ConfigureAwait(false);
                    break;
                case FrameSignal.Malformed:
                    throw _malformed!;
                case FrameSignal.SnapshotCompleted:
                    await CompleteSetAsync(SnapshotEnding.Sweep, cancellationToken).ConfigureAwait(false);
                    // What the feed led to is a snapshot of some time ago: the updates since are still to come, at the feed's own address.
                    if (StopsWhenCaughtUp && !_source.IsRedirected) return true;
                    break;
                case FrameSignal.Heartbeat:
                    if (await BeatAsync(cancellationToken).ConfigureAwait(false)) return true;
                    break;
            }
        }
    }

    private async Task WarnOfKeyAsync()
    {
        _warnedOfKey = true;
        string field = _context.Parser.Shape!.KeyFields[0];
        await _context.PostEventAsync(
            FeedEventKind.Warning,
            $"The records have no field 'id', so their first field '{field}' is taken as the key. If it is not unique, records overwrite each other: name the key with -KeyProperty.").ConfigureAwait(false);
    }

    private async Task<bool> BeatAsync(CancellationToken cancellationToken)
    {
        await _context.PostEventAsync(FeedEventKind.Heartbeat, "The feed sent a heartbeat.").ConfigureAwait(false);
        if (IsTransactionSetUnderWay) return false;
        if (_pacer.IsStaged)
        {
            // A snapshot that ends takes its time; only a feed that goes on for ever has nothing more to say after this.
            if (!_source.MayMergeUnfinished || _source.IsRedirected) return false;
            await MergeUnfinishedAsync(isCaughtUp: true, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            if (!_tracker.IsHeld)
            {
                _tracker.Complete();
                IsCaughtUp = true;
            }

            await _pacer.FlushAsync(drain: false, cancellationToken).ConfigureAwait(false);
            await NoteUpToDateAsync(cancellationToken).ConfigureAwait(false);
        }

        return StopsWhenCaughtUp;
    }

    /// <summary>Says in the file that the table has all that the feed has, for those who wait for that; at most once a second.</summary>
    private async Task NoteUpToDateAsync(CancellationToken cancellationToken)
    {
        if (_context.StopsWhenCaughtUp || (_upToDate != 0 && _context.Time.GetElapsedTime(_upToDate) < UpToDateInterval)) return;
        _upToDate = _context.Time.GetTimestamp();
        await _context.Queue.EnqueueAsync(new CommitJob(CommitKind.Commit, _pacer.Describe(null) with { At = _context.Time.GetUtcNow() }), cancellationToken).ConfigureAwait(false);
    }

    private enum FrameSignal
    {
        NeedMore,
        BatchFull,
        Heartbeat,
        SnapshotCompleted,
        Malformed,
    }

    /// <summary>Frames to batch, without a break until something has to be waited for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private FrameSignal ReadFrames()
    {
        SyncCounters counters = _context.Counters;
        RecordParser parser = _context.Parser;
        while (true)
        {
            // Most of a feed is plain records: those are framed and read in one pass.
            ReadOnlySpan<byte> bytes = _frames.PeekUnframed();
            if (!bytes.IsEmpty && parser.TryParseRecord(bytes, out int length) && length <= _context.Options.MaximumRecordSize)
            {
                bool isFull = Take(parser, bytes);
                _frames.Take(length);
                if (isFull) return FrameSignal.BatchFull;
                continue;
            }

            if (!_frames.TryRead(out Frame frame)) return FrameSignal.NeedMore;
            switch (frame.Kind)
            {
                case FrameKind.BlankLine:
                    counters.Heartbeats++;
                    continue;
                case FrameKind.Object:
                    break;
                default:
                    if (Refuse(frame, Describe(frame.Kind))) return FrameSignal.Malformed;
                    if (_pacer.QuarantineIsFull) return FrameSignal.BatchFull;
                    continue;
            }

            switch (parser.Parse(frame.Bytes))
            {
                case ParsedKind.Record:
                    if (Take(parser, frame.Bytes)) return FrameSignal.BatchFull;
                    continue;
                case ParsedKind.Heartbeat:
                    counters.Heartbeats++;
                    // While the whole set is under way, a heartbeat's horizon is ahead of the set's own.
                    if (!IsTransactionSetUnderWay) NoteHorizon(parser);
                    return FrameSignal.Heartbeat;
                case ParsedKind.SnapshotCompleted:
                    NoteHorizon(parser);
                    return FrameSignal.SnapshotCompleted;
                case ParsedKind.OtherControl:
                    continue;
                default:
                    if (Refuse(frame, parser.Reason)) return FrameSignal.Malformed;
                    if (_pacer.QuarantineIsFull) return FrameSignal.BatchFull;
                    continue;
            }
        }
    }

    /// <summary>Puts the record that the parser has just read into the batch. Whether that is full then.</summary>
    private bool Take(RecordParser parser, ReadOnlySpan<byte> bytes)
    {
        _context.Counters.Received++;
        if (_tracker.Note(parser)) _context.Counters.OutOfOrder++;
        bool isFull = _pacer.Add(parser, bytes, out bool beginsBatch);
        if (beginsBatch && parser.Shape!.Dialect == Dialect.Transaction && _source.Start.IsStart && !SetIsComplete && !_pacer.IsStaged) _tracker.Hold();
        return isFull;
    }

    private void NoteHorizon(RecordParser parser)
    {
        if (parser.ControlCursor is { } cursor) _tracker.Note(cursor);
    }

    /// <summary>Waits for bytes; meanwhile commits what there is, and looks at the clock. Null when bytes have come.</summary>
    private async Task<BodyEnd?> WaitAsync(Task<int> pending, CancellationToken cancellationToken)
    {
        while (true)
        {
            bool lingers = _pacer.HasAnything;
            TimeSpan wait = lingers ? Linger : NextDeadline();
            // An error of the writing half must not wait for the feed to say something.
            Task either = Task.WhenAny(pending, _context.Queue.Completion);
            if (wait > TimeSpan.Zero && await either.CompletesWithinAsync(wait, _context.Time).ConfigureAwait(false))
            {
                if (!pending.IsCompleted) await _context.Queue.Completion.ConfigureAwait(false);
            }
            else
            {
                long before = _context.Time.GetTimestamp();
                if (lingers) await _pacer.FlushAsync(drain: false, cancellationToken).ConfigureAwait(false);
                _lastByte += _context.Time.GetTimestamp() - before;
                if (await IsOverAsync(cancellationToken).ConfigureAwait(false) is { } over) return over;
                if (IsSilent()) throw new FeedCutException(_source.Feed, string.Create(CultureInfo.InvariantCulture, $"nothing came for {_source.IdleTimeout.TotalSeconds:0.###} s."));
                if (!pending.IsCompleted) continue;
            }

            return null;
        }
    }

    /// <summary>How long nothing need be looked at.</summary>
    private TimeSpan NextDeadline()
    {
        TimeSpan next = TimeSpan.FromSeconds(30);
        if (_source.IdleTimeout != Timeout.InfiniteTimeSpan) next = Min(next, _source.IdleTimeout - _context.Time.GetElapsedTime(_lastByte));
        if (_hasFirstByte && (Settles || (NotesSettling && _settledAfter != _context.Queue.LastChange))) next = Min(next, _context.Options.Settle - SinceNews());
        if (_context.FollowDeadline is { } deadline) next = Min(next, deadline - _context.Time.GetElapsedTime(_context.Start));
        // A commit that is still under way decides whether the table has settled.
        return next <= TimeSpan.Zero && !_context.Queue.IsIdle ? TimeSpan.FromMilliseconds(1) : next;
    }

    private static TimeSpan Min(TimeSpan left, TimeSpan right) => left < right ? left : right;

    private bool IsSilent() => _source.IdleTimeout != Timeout.InfiniteTimeSpan && _context.Time.GetElapsedTime(_lastByte) >= _source.IdleTimeout;

    /// <summary>Whether nothing new for the settling time means anything here: not in what is known to end, nor in a snapshot that must not be merged before it does.</summary>
    private bool Settles => !_source.IsImport && !_source.IsFinite
        && (_pacer.IsStaged ? _source.MayMergeUnfinished && (_context.StopsWhenCaughtUp || _context.Parser.Shape?.Dialect == Dialect.Record) : _context.StopsWhenCaughtUp);

    /// <summary>Whether the file is to be told when nothing new comes any more.</summary>
    private bool NotesSettling => !_context.StopsWhenCaughtUp && !_source.IsImport && !_pacer.IsStaged && !_tracker.IsHeld;

    /// <summary>How long ago the table changed, or a record came that is newer than all before it: a long stretch that is known already is not the end.</summary>
    private TimeSpan SinceNews()
    {
        if (_tracker.Advances != _advances)
        {
            _advances = _tracker.Advances;
            _lastAdvance = _context.Time.GetTimestamp();
        }

        return _context.Time.GetElapsedTime(Math.Max(_context.Queue.LastChange, _lastAdvance));
    }

    private async Task<BodyEnd?> IsOverAsync(CancellationToken cancellationToken)
    {
        if (_context.FollowDeadline is { } deadline && _context.Time.GetElapsedTime(_context.Start) >= deadline) return BodyEnd.TimeElapsed;
        if (!_hasFirstByte || SinceNews() < _context.Options.Settle) return null;
        if (!Settles)
        {
            await NoteSettledAsync(cancellationToken).ConfigureAwait(false);
            return null;
        }

        await _pacer.FlushAsync(drain: true, cancellationToken).ConfigureAwait(false);
        if (_pacer.IsStaged)
        {
            // Whether a staged snapshot has settled cannot be told from the table, which it does not touch: it is merged, then watched.
            if (SinceNews() < _context.Options.Settle) return null;
            await MergeUnfinishedAsync(isCaughtUp: true, cancellationToken).ConfigureAwait(false);
            _context.Queue.ResetLastChange();
            return null;
        }

        if (SinceNews() < _context.Options.Settle) return null;
        return _context.StopsWhenCaughtUp ? BodyEnd.Settled : null;
    }

    /// <summary>A feed that is followed and gives no other sign is up to date when it has settled, once after each change.</summary>
    private async Task NoteSettledAsync(CancellationToken cancellationToken)
    {
        if (!NotesSettling || _settledAfter == _context.Queue.LastChange || _pacer.HasUncommitted || !_context.Queue.IsIdle) return;
        _settledAfter = _context.Queue.LastChange;
        await NoteUpToDateAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The body's set is complete, or at least its end is reached.</summary>
    private async Task CompleteSetAsync(SnapshotEnding ending, CancellationToken cancellationToken, bool isCaughtUp = true)
    {
        await _pacer.FlushAsync(drain: false, cancellationToken).ConfigureAwait(false);
        bool wasStaged = _pacer.IsStaged;
        _pacer.IsStaged = false;
        IsCaughtUp = isCaughtUp;
        if (ending.HasFlag(SnapshotEnding.Sweep))
        {
            _tracker.Complete();
            SetIsComplete = true;
            _isWholeSet = false;
        }

        TableCommit commit = _pacer.Describe(null);
        if (wasStaged)
        {
            if (_source.IsAnotherFeed) ending |= SnapshotEnding.ForgetOrder;
            await _context.Queue.RunAsync(new CommitJob(CommitKind.EndSnapshot, commit) { Ending = ending }, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await _context.Queue.RunAsync(new CommitJob(CommitKind.Commit, commit), cancellationToken).ConfigureAwait(false);
        }

        _context.SetCompleted();
        if (SetIsComplete) await NoteUpToDateAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A feed that never says where its set ends cannot be swept by: what came is merged.</summary>
    private async Task MergeUnfinishedAsync(bool isCaughtUp, CancellationToken cancellationToken)
    {
        await _context.PostEventAsync(
            FeedEventKind.Warning,
            "The feed does not say where its whole set ends, so records that it no longer holds cannot be told; what it sent was merged into the table.").ConfigureAwait(false);
        if (isCaughtUp && !_source.IsRedirected) _tracker.Complete();
        await CompleteSetAsync(SnapshotEnding.MergeOnly, cancellationToken, isCaughtUp).ConfigureAwait(false);
    }

    private async Task DiscardStageAsync(CancellationToken cancellationToken)
    {
        if (!_pacer.IsStaged) return;
        _pacer.IsStaged = false;
        await _context.Queue.RunAsync(new CommitJob(CommitKind.DiscardSnapshot, new TableCommit()), cancellationToken).ConfigureAwait(false);
    }

    private async Task<BodyEnd> EndAsync(BodyEnd end, CancellationToken cancellationToken)
    {
        if (end == BodyEnd.EndOfBody && _source.HasDefiniteEnd)
        {
            // A whole body is complete whatever order its records came in; that of the whole set is the whole set (I6).
            if (!_source.IsImport || !_tracker.IsHeld) _tracker.Complete();
            await CompleteSetAsync(_isWholeSet ? SnapshotEnding.Sweep : SnapshotEnding.MergeOnly, cancellationToken).ConfigureAwait(false);
            return end;
        }

        if (_pacer.IsStaged && end == BodyEnd.EndOfBody)
        {
            // Such an end cannot be told from a cut. What came is as good as what a feed without an end has sent so far.
            await MergeUnfinishedAsync(isCaughtUp: false, cancellationToken).ConfigureAwait(false);
            return end;
        }

        if (end is BodyEnd.Settled or BodyEnd.CaughtUp && !_tracker.IsHeld)
        {
            _tracker.Complete();
            IsCaughtUp = true;
        }

        await _pacer.FlushAsync(drain: true, cancellationToken).ConfigureAwait(false);
        await DiscardStageAsync(cancellationToken).ConfigureAwait(false);
        return end;
    }

    private void NoteBytes(int count)
    {
        if (count == 0)
        {
            _frames.Complete();
            return;
        }

        _context.Counters.Bytes += count;
        if (!_frames.IsInsideObject || !_frames.NextIsWhiteSpace(count)) _lastByte = _context.Time.GetTimestamp();
        _frames.Advance(count);
        _context.LastByte = _context.Time.GetTimestamp();
        if (_hasFirstByte) return;
        _hasFirstByte = true;
        _context.Queue.ResetLastChange();
    }

    /// <summary>Sets a malformed stretch aside, or true with the error to end with.</summary>
    private bool Refuse(Frame frame, string reason)
    {
        _context.Counters.Malformed++;
        string snippet = Encoding.UTF8.GetString(frame.Bytes[..Math.Min(SnippetLength, frame.Bytes.Length)]).ReplaceLineEndings(" ");
        if (frame.Kind == FrameKind.Truncated)
        {
            // It will come again, whole: nothing to set aside.
            _malformed = new TruncatedFeedException(_source.Feed, frame.Offset, snippet);
            return true;
        }

        if (_context.Options.MalformedRecord == MalformedRecordPolicy.Stop)
        {
            _malformed = new MalformedRecordException(_source.Feed, frame.Offset, reason, snippet);
            return true;
        }

        _pacer.Quarantine(new QuarantinedRecord(_context.Time.GetUtcNow(), frame.Offset, reason, frame.Bytes.ToArray()));
        return false;
    }

    private string Describe(FrameKind kind) => kind switch
    {
        FrameKind.Garbage => "it is no JSON object",
        FrameKind.Torn => "it breaks off within an object",
        FrameKind.TooLong => string.Create(CultureInfo.InvariantCulture, $"it is larger than {_context.Options.MaximumRecordSize} bytes, the maximum record size"),
        _ => "it is truncated",
    };
}
