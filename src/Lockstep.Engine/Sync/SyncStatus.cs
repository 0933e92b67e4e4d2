using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>
/// What a running sync reveals about itself: its phase, what it has done, how much is still to come. Only the thread of the sync's loop
/// writes; any thread reads.
/// </summary>
/// <remarks>
/// The state is one immutable <see cref="Snapshot"/>, which each change replaces as a whole, so that a reader never sees half a change. The
/// counts and the open table change on their own.
/// </remarks>
internal sealed class SyncStatus(SyncOptions options, FeedUri feed, TimeProvider time)
{
    private volatile Snapshot _now = new();

    public SyncCounters Counters { get; } = new();

    /// <summary>When the sync started, as a timestamp of the time provider; 0 before.</summary>
    public long Start => _now.Start;

    public SyncPhase Phase => _now.State.Phase;

    /// <summary>Whether it is waiting to ask the feed again, after a failure or not.</summary>
    public bool IsWaiting => Phase is SyncPhase.BackingOff or SyncPhase.Waiting;

    /// <inheritdoc cref="SyncResult.EndReason"/>
    public SyncEndReason EndReason => _now.EndReason;

    /// <inheritdoc cref="SyncResult.IsComplete"/>
    public bool IsComplete => _now.IsComplete;

    /// <summary>Whether it is ending on its own, and nothing says that what arrived was everything.</summary>
    public bool IsIncomplete
    {
        get
        {
            var now = _now;
            return now is { IsComplete: false, EndReason: SyncEndReason.EndOfFeed or SyncEndReason.CaughtUp or SyncEndReason.Settled }
                && now.Context?.Target.Committed.Owed is null;
        }
    }

    /// <summary>Whether the feed says that there are records which did not arrive.</summary>
    public bool LacksRecords => _now.LacksRecords;

    /// <summary>The table's sequence number when it was last closed; null before.</summary>
    public long? Sequence => _now.Sequence;

    /// <summary>The complete result as of now.</summary>
    public SyncResult Result
    {
        get
        {
            var now = _now;
            var committed = now.Context?.Target.Committed;
            var result = Counters.Fill(
                new SyncResult
                {
                    Table = now.Table,
                    Location = options.Store.Description,
                    Feed = feed.Display,
                    Cursor = Records.Cursor.Parse(Dialects.CursorText.Show((committed?.Cursor ?? now.Cursor).ToString())),
                    HasCursor = committed is null ? now.HasCursor : committed.HasCursor,
                    IsSetOwed = committed is null ? now.IsSetOwed : committed.Owed is not null,
                    NewestRecord = committed is null ? now.NewestRecord : NewestIn(committed),
                    Quarantined = committed?.Quarantined ?? now.Quarantined,
                    Duration = now.Duration ?? (now.Start == 0 ? TimeSpan.Zero : time.GetElapsedTime(now.Start)),
                    Expected = now.Expected,
                    LoadedBefore = now.Context?.LoadedBefore ?? now.LoadedBefore,
                    LoadStartsOver = now.Context?.Load == LoadOutlook.StartsOver,
                    State = now.State,
                    SinceLastByte = now.Context is { LastByte: > 0 and var last } ? time.GetElapsedTime(last) : null,
                    EndReason = now.EndReason,
                    IsComplete = now.IsComplete,
                    IsSweepRefused = now.IsSweepRefused || committed?.Owed?.Refused is not null,
                    IsWholeSet = now.IsWholeSet,
                }
            );
            return result with { ShareDone = now.ShareDone(result) };
        }
    }

    public void Begin() => _now = _now with { Start = time.GetTimestamp() };

    public void Move(SyncTrigger trigger) => _now = _now with { State = _now.State.Next(trigger) };

    /// <summary>Sets why the sync ends, or would if it ended now.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="isComplete">As for <see cref="SyncResult.IsComplete"/>.</param>
    /// <param name="lacksRecords">As for <see cref="LacksRecords"/>.</param>
    public void EndsFor(SyncEndReason reason, bool isComplete = false, bool lacksRecords = false) =>
        _now = _now with { EndReason = reason, IsComplete = isComplete, LacksRecords = lacksRecords };

    /// <summary>A whole set has arrived with an explicit end.</summary>
    public void SetCame() => _now = _now with { IsWholeSet = true };

    /// <summary>An error ends it.</summary>
    public void FailsFor(Exception error)
    {
        EndsFor(SyncEndReason.Failed);
        _now = _now with { IsSweepRefused = error is SweepRefusedException };
    }

    public void End() => _now = _now with { Duration = time.GetElapsedTime(_now.Start) };

    /// <summary>The table is open: from now on the cursor is the one its writer has committed.</summary>
    public void TableOpened(SyncContext context) => _now = _now with { Table = context.Target.State.Name, Context = context };

    /// <summary>The table is about to be closed.</summary>
    public void TableClosing()
    {
        var committed = _now.Context!.Target.Committed;
        _now = _now with
        {
            Cursor = committed.Cursor,
            HasCursor = committed.HasCursor,
            Sequence = committed.Sequence,
            NewestRecord = NewestIn(committed),
            IsSetOwed = committed.Owed is not null,
            Quarantined = committed.Quarantined,
            LoadedBefore = _now.Context!.LoadedBefore,
            Context = null,
        };
    }

    public void BodyBegan(FeedResponse body)
    {
        _now = _now with
        {
            ContentLength = body.ContentLength,
            BodyStartBytes = Counters.Bytes,
            Expected = body.ExpectedRecords ?? _now.Expected,
        };
        Counters.Connections++;
    }

    public void BodyEnded() => _now = _now with { ContentLength = null };

    private static DateTimeOffset? NewestIn(TableState table) => RecordTime.Of(table.Cursor, table.Shape?.Dialect);

    /// <summary>The state at one moment. Immutable.</summary>
    private sealed record Snapshot
    {
        public long Start { get; init; }

        public SyncState State { get; init; } = SyncState.Initial;

        public string Table { get; init; } = "";

        /// <summary>The open table; null while it is closed, when the following members hold its last values.</summary>
        public SyncContext? Context { get; init; }

        public Cursor Cursor { get; init; }

        public bool HasCursor { get; init; } = true;

        public long? Sequence { get; init; }

        public DateTimeOffset? NewestRecord { get; init; }

        public bool IsSetOwed { get; init; }

        public long Quarantined { get; init; }

        public long LoadedBefore { get; init; }

        public SyncEndReason EndReason { get; init; }

        public bool IsComplete { get; init; }

        public bool LacksRecords { get; init; }

        public bool IsSweepRefused { get; init; }

        public bool IsWholeSet { get; init; }

        public TimeSpan? Duration { get; init; }

        /// <summary>How many records the feed announced.</summary>
        public long? Expected { get; init; }

        /// <summary>The length of the current body, if known.</summary>
        public long? ContentLength { get; init; }

        /// <summary>How many bytes had arrived when the body started.</summary>
        public long BodyStartBytes { get; init; }

        public double? ShareDone(SyncResult counted) =>
            ContentLength is > 0 and { } length ? Math.Clamp((double)(counted.Bytes - BodyStartBytes) / length, 0, 1)
            : Expected is > 0 and { } count ? Math.Clamp((double)(counted.LoadedBefore + counted.Received) / count, 0, 1)
            : null;
    }
}
