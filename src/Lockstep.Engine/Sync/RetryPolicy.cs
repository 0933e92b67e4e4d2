namespace Lockstep.Engine.Sync;

/// <summary>
/// How long to wait before another attempt: the interval doubled with each failure up to a minute, less up to a fifth at random so
/// that clients that were cut off together do not come back together; never less than the server's Retry-After.
/// </summary>
internal sealed class RetryPolicy(TimeSpan interval, int? maximumCount, Random random)
{
    private const double Jitter = 0.2;
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    /// <summary>A server that asks for more is asked again after this all the same; a timer could not wait much longer.</summary>
    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromDays(1);

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
