using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Sync;

/// <summary>
/// What a running sync tells of itself: where it is, what it did, how much there is still to come. Written by the sync's own threads, read
/// by any.
/// </summary>
internal sealed class SyncStatus(SyncOptions options, FeedUri feed, TimeProvider time)
{
    private SyncContext? _context;
    private SyncState _state = SyncState.Initial;
    private string _table = "";
    private Cursor _cursor;
    private DateTimeOffset? _newestRecord;
    private SyncEndReason _endReason;
    private long? _expected;
    private long? _contentLength;
    private long _bodyStartBytes;
    private TimeSpan? _duration;

    public SyncCounters Counters { get; } = new();

    /// <summary>When the sync began, as the time provider's timestamp; 0 before.</summary>
    public long Start { get; private set; }

    public SyncPhase Phase => _state.Phase;

    /// <summary>The table's sequence number when it was last closed; null before.</summary>
    public long? Sequence { get; private set; }

    /// <summary>All of it, at this moment.</summary>
    public SyncResult Result =>
        Counters.Fill(
            new SyncResult
            {
                Table = _table,
                Location = options.Store.Description,
                Feed = feed.Display,
                Cursor = _context?.Target.Committed.Cursor ?? _cursor,
                NewestRecord = _context?.Target.Committed is { } committed
                    ? RecordTime.Of(committed.Cursor, committed.Shape?.Dialect)
                    : _newestRecord,
                Duration = _duration ?? (Start == 0 ? TimeSpan.Zero : time.GetElapsedTime(Start)),
                Expected = _expected,
                ShareDone = ShareDone,
                State = _state,
                SinceLastByte = _context is { LastByte: > 0 and var last } ? time.GetElapsedTime(last) : null,
                EndReason = _endReason,
            }
        );

    private double? ShareDone =>
        _contentLength is > 0 and { } length ? Math.Clamp((double)(Counters.Bytes - _bodyStartBytes) / length, 0, 1)
        : _expected is > 0 and { } count ? Math.Clamp((double)Counters.Received / count, 0, 1)
        : null;

    public void Begin() => Start = time.GetTimestamp();

    public void Move(SyncTrigger trigger) => _state = _state.Next(trigger);

    /// <summary>Why the sync ends, or would if it ended now.</summary>
    public void EndsFor(SyncEndReason reason) => _endReason = reason;

    public void End() => _duration = time.GetElapsedTime(Start);

    /// <summary>The table is open: from now on the cursor is what its writer has committed.</summary>
    public void TableOpened(SyncContext context)
    {
        _table = context.Target.State.Name;
        _context = context;
    }

    /// <summary>The table is about to be closed.</summary>
    public void TableClosing()
    {
        var committed = _context!.Target.Committed;
        _cursor = committed.Cursor;
        Sequence = committed.Sequence;
        _newestRecord = RecordTime.Of(_cursor, committed.Shape?.Dialect);
        _context = null;
    }

    public void BodyBegan(FeedBody body)
    {
        _contentLength = body.ContentLength;
        _bodyStartBytes = Counters.Bytes;
        _expected = body.ExpectedRecords ?? _expected;
        Counters.Connections++;
    }

    public void BodyEnded() => _contentLength = null;
}
