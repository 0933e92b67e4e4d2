namespace Lockstep.Engine.Sync;

/// <summary>
/// How long to wait before another attempt: the interval, doubled with each failure up to a minute, less a random part of up to a fifth so
/// that clients cut off together do not return together; never less than the server's Retry-After.
/// </summary>
internal sealed class RetryPolicy(TimeSpan interval, int? maximumCount, Random random)
{
    private const double Jitter = 0.2;
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    /// <summary>The longest wait, even if a server asks for more; a timer could not wait much longer.</summary>
    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromDays(1);

    /// <summary>The shortest time between two requests, whatever the feed does.</summary>
    public static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(100);

    private const int ManyChanges = 1000;

    /// <summary>A connection was good if it stayed open for this long, and longer than the interval.</summary>
    private static readonly TimeSpan Lasting = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Whether a failed connection was a good one, so that the feed is asked again without a pause if it brought something new: it lasted,
    /// or brought more than one batch. After one that brought less, the interval is waited for.
    /// </summary>
    /// <param name="lasted">How long it lasted.</param>
    /// <param name="changes">How many changes it brought.</param>
    /// <param name="batches">The number of commits.</param>
    /// <param name="heartbeats">How many heartbeats arrived: they show that a connection without changes was good.</param>
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
