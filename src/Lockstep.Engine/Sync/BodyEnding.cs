using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>
/// Decides when a body that has not ended is over for the sync: because of what the feed says, by the clock, or because nothing has changed
/// for long enough. What it learns about how the feed's bodies end is stored with the table. One thread at a time.
/// </summary>
internal sealed class BodyEnding(
    SyncContext context,
    BodySource source,
    CursorTracker tracker,
    CommitPacer pacer,
    BodyClock clock,
    SetCompletion set
)
{
    private readonly long _before = context.Counters.Received;
    private long _settledAfter;

    /// <summary>Whether the sync ends when this body has nothing more for now; an import ends where its source ends.</summary>
    private bool StopsWhenCaughtUp => context.StopsWhenCaughtUp && !source.IsImport;

    /// <summary>
    /// Whether it counts that nothing new has arrived for the settling time: not in a body known to end, nor in a snapshot that must not be
    /// merged before it does.
    /// </summary>
    private bool Settles =>
        !source.IsImport
        && !source.IsFinite
        && (
            pacer.IsStaged
                ? source.MayMergeUnfinished && (context.StopsWhenCaughtUp || context.Parser.Shape?.Dialect == Dialect.Record)
                : context.StopsWhenCaughtUp
        );

    /// <summary>Whether a heartbeat means that the feed has nothing more for now.</summary>
    private bool HeartbeatsSettle => context.Counters.Received != _before || clock.IsEndless;

    /// <summary>Whether to record in the file when nothing new arrives any more.</summary>
    private bool NotesSettling => !context.StopsWhenCaughtUp && !source.IsImport && !source.IsFinite && !pacer.IsStaged && !tracker.IsHeld;

    /// <summary>When to check again, even if nothing arrives.</summary>
    public TimeSpan NextDeadline =>
        clock.NextDeadline(watchesRest: Settles || (NotesUnsettled && IsFirstLoad), watchesChanges: NotesUnsettled && !IsFirstLoad);

    /// <summary>Whether something has arrived that has not settled yet.</summary>
    private bool NotesUnsettled => NotesSettling && _settledAfter != context.Queue.LastChange;

    /// <summary>
    /// Whether the table has never been up to date: then a pause is judged as strictly as if the sync ended with it, because what follows
    /// may be most of the set.
    /// </summary>
    private bool IsFirstLoad => context.Target.State.LastSync is null;

    private bool HasSettled => clock.IsUnchanged && (!IsFirstLoad || clock.Rest != BodyRest.None);

    /// <summary>The body has ended.</summary>
    public void NoteEnd(BodyEnd end)
    {
        // A follower also sees the body of an endless feed end, when a server restarts.
        if (end == BodyEnd.EndOfBody && source.HasDefiniteEnd && (context.StopsWhenCaughtUp || context.FeedEnding == FeedEnding.Unknown))
        {
            Learn(FeedEnding.Ends);
        }
    }

    /// <summary>Acts on the feed's signal. True if the feed has nothing more and the caller is waiting for that.</summary>
    public async Task<bool> HeedAsync(FeedSignal signal, CancellationToken cancellationToken)
    {
        if (signal.Kind == FeedSignalKind.SnapshotCompleted)
        {
            await set.CompleteAsync(SnapshotEnding.Sweep, cancellationToken, isCertain: true).ConfigureAwait(false);
            // The redirect led to a snapshot of some time ago: the updates since are still to come, from the feed's own address.
            return set.IsRefused || (StopsWhenCaughtUp && !source.IsRedirected);
        }

        await context.PostEventAsync(FeedEventKind.Heartbeat, "The feed sent a heartbeat.", null).ConfigureAwait(false);
        // A server still searching for its first record may send a heartbeat meanwhile: nothing has arrived that this could be the end of.
        if (!signal.IsControlRow && !HeartbeatsSettle && (context.StopsWhenCaughtUp || pacer.IsStaged))
            return false;
        if (!await set.BeatAsync(signal, cancellationToken).ConfigureAwait(false))
            return false;
        Learn(FeedEnding.Endless);
        return StopsWhenCaughtUp || set.IsRefused;
    }

    /// <summary>Notes how the feed's bodies end; a body behind a redirect is not the feed's own.</summary>
    private void Learn(FeedEnding ending)
    {
        if (!source.IsImport && !source.IsRedirected)
            context.FeedEnding = ending;
    }

    /// <summary>Whether the body is over, and why; null while it is not.</summary>
    public async Task<BodyEnd?> FindAsync(CancellationToken cancellationToken)
    {
        if (clock.IsTimeUp)
            return BodyEnd.TimeElapsed;
        if (clock.IsSetDue && (!source.IsWholeSet || set.IsComplete))
            return BodyEnd.SetDue;
        if (!Settles)
        {
            if (HasSettled)
                await NoteSettledAsync(cancellationToken).ConfigureAwait(false);
            return null;
        }

        if (clock.Rest == BodyRest.None)
            return null;
        await pacer.FlushAsync(drain: true, cancellationToken).ConfigureAwait(false);
        var rest = clock.Rest;
        if (rest == BodyRest.None)
            return null;
        // A server that sends the newest record again and then keeps the connection open this long is endless: a finite feed ends there.
        if (rest == BodyRest.Idle || (rest == BodyRest.Silent && !source.IsWholeSet && tracker.RepeatsStartOnly))
            Learn(FeedEnding.Endless);
        else if (rest == BodyRest.Silent && clock.IsQuiet)
            Learn(FeedEnding.Quiet);
        if (!pacer.IsStaged)
            return rest == BodyRest.Silent ? BodyEnd.Silent : BodyEnd.Settled;

        // The table does not show whether a staged snapshot has settled, so it is merged first and then watched.
        await set.MergeUnfinishedAsync(isCaughtUp: true, cancellationToken, isSilence: rest == BodyRest.Silent).ConfigureAwait(false);
        context.Queue.ResetLastChange();
        if (set.IsRefused)
            return BodyEnd.Refused;
        // Silence long enough to merge is long enough to end.
        return rest == BodyRest.Silent && context.StopsWhenCaughtUp ? BodyEnd.Silent : null;
    }

    /// <summary>A followed feed that gives no other sign is up to date once it has settled, after each change.</summary>
    private async Task NoteSettledAsync(CancellationToken cancellationToken)
    {
        if (!NotesUnsettled)
            return;
        // A feed that repeats itself without a pause always has something waiting; whether that is a change shows only when it is written.
        await pacer.FlushAsync(drain: true, cancellationToken).ConfigureAwait(false);
        if (!HasSettled)
            return;
        _settledAfter = context.Queue.LastChange;
        await set.NoteUpToDateAsync(cancellationToken).ConfigureAwait(false);
    }
}

/// <summary>Why reading a body ended without an error.</summary>
internal enum BodyEnd
{
    EndOfBody,
    CaughtUp,
    Settled,

    /// <summary>Nothing more arrives, without a sign that this was everything.</summary>
    Silent,
    TimeElapsed,

    /// <summary>An owed whole set is due to be fetched again.</summary>
    SetDue,

    /// <summary>Another feed's set could not be read in full: what follows it in the body belongs to that feed too.</summary>
    Refused,
}
