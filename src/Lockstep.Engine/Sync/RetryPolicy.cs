namespace Lockstep.Engine.Sync;

/// <summary>
/// How long to wait before another attempt: the interval doubled with each failure up to a minute, less up to a fifth at random so
/// that clients that were cut off together do not come back together; never less than the server's Retry-After.
/// </summary>
internal sealed class RetryPolicy(TimeSpan interval, int? maximumCount, Random random)
{
    private const double Jitter = 0.2;
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    /// <summary>A server that asks for more is asked again after this long anyway; a timer could not wait much longer.</summary>
    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromDays(1);

    /// <summary>No two requests come closer together than this, whatever the feed does.</summary>
    public static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(100);

    private const int ManyChanges = 1000;

    /// <summary>A connection was good if it was open for this long, and longer than the interval.</summary>
    private static readonly TimeSpan Lasting = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Whether a failed connection was good for a while, so that the wait after it is the first one again: it lasted, or brought more than
    /// a batch. A feed that breaks off after each record would otherwise be asked without a pause.
    /// </summary>
    /// <param name="lasted">How long it lasted.</param>
    /// <param name="changes">How many changes it brought.</param>
    /// <param name="batches">In how many commits.</param>
    /// <param name="heartbeats">How many heartbeats came: they show that a connection without changes was a good one.</param>
    public bool Held(TimeSpan lasted, long changes, long batches, long heartbeats) =>
        (lasted > interval && lasted >= Lasting && changes + heartbeats > 0) || batches > 1 || changes >= ManyChanges;

    /// <summary>Whether an attempt may follow this many failures in a row.</summary>
    public bool Allows(int failures) => maximumCount is not { } most || failures <= most;

    /// <summary>The wait after this many failures in a row; at least 1.</summary>
    public TimeSpan Delay(int failures, TimeSpan? retryAfter)
    {
        var factor = Math.Pow(2, Math.Min(failures - 1, 30));
        var ticks = Math.Min(interval.Ticks * factor, Math.Max(Longest.Ticks, interval.Ticks));
        var delay = TimeSpan.FromTicks((long)(ticks * (1 - (Jitter * random.NextDouble()))));
        if (retryAfter is not { } floor || floor <= delay)
            return delay;
        return floor < LongestRetryAfter ? floor : LongestRetryAfter;
    }
}
