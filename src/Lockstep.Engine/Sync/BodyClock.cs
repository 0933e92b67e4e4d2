using Lockstep.Engine.Feed;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>
/// A body's clock: how long the feed has given no sign of life, how long it has brought nothing new, and when to check next. One thread at
/// a time.
/// </summary>
internal sealed class BodyClock(SyncContext context, BodySource source, CursorTracker tracker)
{
    /// <summary>The longest time between two checks.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    /// <summary>How long a feed of unknown ending may pause before its silence counts as the end.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    /// <summary>How long signs of life alone keep a feed open that is not known to be endless.</summary>
    private static readonly TimeSpan LongestWithoutRecord = TimeSpan.FromMinutes(2);

    /// <summary>The same before the first record of a feed of which nothing is known: it may be empty.</summary>
    private static readonly TimeSpan LongestBeforeFirst = TimeSpan.FromSeconds(30);

    private long _lastSign = context.Time.GetTimestamp();
    private long _advances;
    private long _lastAdvance;
    private long _lastRecord;
    private long _idleSince;
    private long _lastIdle;
    private bool _hasFirstByte;

    /// <summary>The time provider's timestamp.</summary>
    public long Now => context.Time.GetTimestamp();

    /// <summary>Whether the time to follow is over.</summary>
    public bool IsTimeUp => context.FollowDeadline is { } deadline && context.Time.GetElapsedTime(context.Start) >= deadline;

    /// <summary>Whether an owed whole set is due now; a sync that follows forever would otherwise never fetch it (I6).</summary>
    public bool IsSetDue => !context.StopsWhenCaughtUp && context.Target.State.Owed?.Until(context.Time.GetUtcNow()) == TimeSpan.Zero;

    /// <summary>Whether the feed has been silent for longer than allowed.</summary>
    public bool IsSilent => source.IdleTimeout != Timeout.InfiniteTimeSpan && context.Time.GetElapsedTime(_lastSign) >= source.IdleTimeout;

    /// <summary>Whether nothing new has arrived for the settling time.</summary>
    public bool IsUnchanged => _hasFirstByte && context.Time.GetElapsedTime(LastNews()) >= context.Options.Settle;

    /// <summary>
    /// Whether nothing at all has arrived from the table's position, and nothing is known to be on its way: an endless feed with nothing
    /// new looks like this.
    /// </summary>
    public bool IsQuiet =>
        !_hasFirstByte
        && !source.IsWholeSet
        && !source.IsRedirected
        && context.StopsWhenCaughtUp
        && Ending is FeedEnding.Unknown or FeedEnding.Quiet;

    /// <summary>
    /// How long a feed may send nothing at all from the table's position before that counts: less if it is known to do so.
    /// </summary>
    public static TimeSpan QuietPatience(SyncContext context, TimeSpan limit)
    {
        var half = limit == Timeout.InfiniteTimeSpan ? LongestWithoutRecord : limit / 2;
        return context.FeedEnding == FeedEnding.Unknown ? half : Min(half, Max(context.Options.Settle, LongestPause));
    }

    /// <summary>Whether the feed is known to be endless.</summary>
    public bool IsEndless => Ending == FeedEnding.Endless;

    /// <summary>
    /// Whether the body has nothing more for now. Bytes that change nothing are better evidence than silence, which may be a pause.
    /// </summary>
    public BodyRest Rest
    {
        get
        {
            if (_idleSince != 0 && _idleSince >= LastNews() && context.Time.GetElapsedTime(_idleSince, _lastIdle) >= context.Options.Settle)
            {
                return BodyRest.Idle;
            }

            return SilenceLeft() > TimeSpan.Zero ? BodyRest.None
                : SilenceTells ? BodyRest.Quiet
                : BodyRest.Silent;
        }
    }

    /// <summary>
    /// What was learned about the feed does not apply to an address it redirects to; what it says about this body outweighs what was
    /// learned.
    /// </summary>
    private FeedEnding Ending =>
        source.IsRedirected ? FeedEnding.Unknown
        : source.CaughtUpBy != CaughtUpSign.None ? FeedEnding.Endless
        // A feed that does send something is judged by what it sends.
        : _hasFirstByte && context.FeedEnding == FeedEnding.Quiet ? FeedEnding.Unknown
        : context.FeedEnding;

    /// <summary>
    /// Whether the feed's silence means that it has nothing more for now. If it signals that by a heartbeat, silence is only a pause.
    /// </summary>
    private bool SilenceTells => IsEndless && source.CaughtUpBy != CaughtUpSign.Heartbeat;

    /// <summary>Bytes have arrived.</summary>
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

    /// <summary>
    /// The bytes that arrived have been parsed. Blank lines before the first record may come from a server still searching for it; those of
    /// a feed that ends only keep the connection alive.
    /// </summary>
    /// <param name="hasRecords">Whether there were records among them.</param>
    public void NoteParsed(bool hasRecords)
    {
        if (hasRecords)
            _lastRecord = Now;
        var counts = hasRecords || SilenceTells || (Ending == FeedEnding.Unknown && _lastRecord != 0);
        if (!counts)
            return;
        _lastIdle = Now;
        if (_idleSince == 0 || _idleSince < LastNews())
            _idleSince = _lastIdle;
    }

    /// <summary>Excludes time spent by the table and the consumer from the feed's silence.</summary>
    /// <param name="since">The value of <see cref="Now"/> when that began.</param>
    public void Excuse(long since) => _lastSign += Now - since;

    /// <summary>How long until the next check.</summary>
    /// <param name="watchesRest">Whether <see cref="Rest"/> is being watched.</param>
    /// <param name="watchesChanges">Whether <see cref="IsUnchanged"/> is being watched.</param>
    public TimeSpan NextDeadline(bool watchesRest, bool watchesChanges)
    {
        var next = LongestWait;
        if (source.IdleTimeout != Timeout.InfiniteTimeSpan)
            next = Min(next, source.IdleTimeout - context.Time.GetElapsedTime(_lastSign));
        if (watchesRest)
            next = Min(next, SilenceLeft());
        if (_hasFirstByte && watchesChanges)
            next = Min(next, context.Options.Settle - context.Time.GetElapsedTime(LastNews()));
        if (context.FollowDeadline is { } deadline)
            next = Min(next, deadline - context.Time.GetElapsedTime(context.Start));
        // A commit under way decides whether the table has settled.
        return next <= TimeSpan.Zero && !context.Queue.IsIdle ? TimeSpan.FromMilliseconds(1) : next;
    }

    /// <summary>
    /// How much longer the feed may be silent before that counts. A feed that has ended before, or that sends a heartbeat when it has
    /// nothing more, gets more time: its silence counts only after half the time that its connection may be idle, so that what it sent is
    /// kept with a warning rather than lost to an error.
    /// </summary>
    private TimeSpan SilenceLeft()
    {
        if (!_hasFirstByte)
        {
            // A slow first byte is not silence, unless there may be nothing to come.
            return IsQuiet ? QuietPatience(context, source.IdleTimeout) - context.Time.GetElapsedTime(_lastSign)
                : SilenceTells && (!source.IsWholeSet || source.CaughtUpBy == CaughtUpSign.Silence)
                    ? context.Options.Settle - context.Time.GetElapsedTime(_lastSign)
                : LongestWait;
        }

        var settle = context.Options.Settle;
        var limit =
            SilenceTells ? settle
            : Ending != FeedEnding.Unknown || _lastRecord == 0 ? HalfIdleTimeout
            : LongestPause;
        var quiet = context.Time.GetElapsedTime(Math.Max(_lastSign, LastNews()));
        var withoutRecord = context.Time.GetElapsedTime(Math.Max(_lastRecord, LastNews()));
        var longest = _lastRecord == 0 && Ending == FeedEnding.Unknown ? LongestBeforeFirst : LongestWithoutRecord;
        return Min(Max(limit, settle) - quiet, Max(longest, settle) - withoutRecord);
    }

    private TimeSpan HalfIdleTimeout => source.IdleTimeout == Timeout.InfiniteTimeSpan ? LongestWithoutRecord : source.IdleTimeout / 2;

    /// <summary>
    /// When the table last changed, or a record newer than all before it arrived: a long run of known records is not the end.
    /// </summary>
    private long LastNews()
    {
        if (tracker.Advances != _advances)
        {
            _advances = tracker.Advances;
            _lastAdvance = Now;
        }

        return Math.Max(context.Queue.LastChange, _lastAdvance);
    }

    private static TimeSpan Min(TimeSpan left, TimeSpan right) => left < right ? left : right;

    private static TimeSpan Max(TimeSpan left, TimeSpan right) => left > right ? left : right;
}

/// <summary>Why a body that has not ended has nothing more for now.</summary>
internal enum BodyRest
{
    /// <summary>More may follow.</summary>
    None,

    /// <summary>The body continues, and brings nothing new.</summary>
    Idle,

    /// <summary>The body is silent, like an endless feed with nothing to send.</summary>
    Quiet,

    /// <summary>The body is silent, and nothing shows that this was everything.</summary>
    Silent,
}
