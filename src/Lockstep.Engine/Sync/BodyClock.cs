namespace Lockstep.Engine.Sync;

/// <summary>
/// The times of a body: since when its feed has given no sign of life, since when it has brought nothing new, and how long nothing need
/// be looked at. One thread at a time.
/// </summary>
internal sealed class BodyClock(SyncContext context, BodySource source, CursorTracker tracker)
{
    /// <summary>The longest that nothing is looked at.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private long _lastSign = context.Time.GetTimestamp();
    private long _advances;
    private long _lastAdvance;
    private bool _hasFirstByte;

    /// <summary>The time provider's timestamp.</summary>
    public long Now => context.Time.GetTimestamp();

    /// <summary>Whether the time to follow is over.</summary>
    public bool IsTimeUp => context.FollowDeadline is { } deadline && context.Time.GetElapsedTime(context.Start) >= deadline;

    /// <summary>Whether a whole set that is owed is to be fetched again, which one who goes on for ever would otherwise never do (I6).</summary>
    public bool IsSetDue => !context.StopsWhenCaughtUp && context.Target.State.Owed is { } owed && context.Time.GetUtcNow() >= owed.Due;

    /// <summary>Whether the feed has been silent for longer than it may.</summary>
    public bool IsSilent => source.IdleTimeout != Timeout.InfiniteTimeSpan && context.Time.GetElapsedTime(_lastSign) >= source.IdleTimeout;

    /// <summary>Whether nothing new has come for the settling time.</summary>
    public bool IsSettled => _hasFirstByte && SinceNews() >= context.Options.Settle;

    /// <summary>Bytes have come.</summary>
    /// <param name="isSignOfLife">Whether they count: white space within an object does not.</param>
    public void NoteBytes(bool isSignOfLife)
    {
        context.LastByte = Now;
        if (isSignOfLife)
            _lastSign = context.LastByte;
        if (_hasFirstByte)
            return;
        _hasFirstByte = true;
        context.Queue.ResetLastChange();
    }

    /// <summary>The time that the table and the consumer take is not the feed's silence.</summary>
    /// <param name="since">When that began, as <see cref="Now"/> was.</param>
    public void Excuse(long since) => _lastSign += Now - since;

    /// <summary>How long nothing need be looked at.</summary>
    /// <param name="watchesSettling">Whether it matters that nothing new comes.</param>
    public TimeSpan NextDeadline(bool watchesSettling)
    {
        var next = LongestWait;
        if (source.IdleTimeout != Timeout.InfiniteTimeSpan)
            next = Min(next, source.IdleTimeout - context.Time.GetElapsedTime(_lastSign));
        if (_hasFirstByte && watchesSettling)
            next = Min(next, context.Options.Settle - SinceNews());
        if (context.FollowDeadline is { } deadline)
            next = Min(next, deadline - context.Time.GetElapsedTime(context.Start));
        // A commit that is still under way decides whether the table has settled.
        return next <= TimeSpan.Zero && !context.Queue.IsIdle ? TimeSpan.FromMilliseconds(1) : next;
    }

    /// <summary>
    /// How long ago the table changed, or a record came that is newer than all before it: a long stretch that is known already is not the
    /// end.
    /// </summary>
    private TimeSpan SinceNews()
    {
        if (tracker.Advances != _advances)
        {
            _advances = tracker.Advances;
            _lastAdvance = Now;
        }

        return context.Time.GetElapsedTime(Math.Max(context.Queue.LastChange, _lastAdvance));
    }

    private static TimeSpan Min(TimeSpan left, TimeSpan right) => left < right ? left : right;
}
