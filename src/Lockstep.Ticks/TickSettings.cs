namespace Lockstep.Ticks;

/// <summary>
/// What all processes that share one store must agree on. It is kept in the store and fixed when the store is created: a process that is
/// configured differently uses what the store holds (a writer with a default tick of 1 s and a reader with 600 s would be ten minutes
/// apart).
/// </summary>
/// <param name="DefaultTick">The tick of a variable before its first value.</param>
/// <param name="SkewBound">How far a process's clock may be from the store's; null for a tenth of the tick.</param>
/// <param name="Latency">The maximum time of a commit plus a read.</param>
public sealed record TickSettings(TimeSpan DefaultTick, TimeSpan? SkewBound, TimeSpan Latency)
{
    private static readonly TimeSpan LongestLead = TimeSpan.FromSeconds(30);

    /// <summary>A default tick of 10 s, a skew of a tenth of the tick, a latency of 100 ms.</summary>
    public static TickSettings Default { get; } = new(TimeSpan.FromSeconds(10), null, TimeSpan.FromMilliseconds(100));

    /// <summary>
    /// How long before a boundary the refreshes for it begin: a quarter of the tick, at most 30 s. They are spread over the first half of
    /// that time, so that a thousand processes do not reach the store in the same millisecond; the other half is for the read itself and
    /// its retries.
    /// </summary>
    public static TimeSpan Lead(TimeSpan tick) => tick / 4 < LongestLead ? tick / 4 : LongestLead;

    /// <summary>How far a clock may be off for this tick.</summary>
    public TimeSpan Skew(TimeSpan tick) => SkewBound ?? tick / 10;

    /// <summary>
    /// A change reaches everyone in time if and only if tick &gt; 2 x skew + lead + write and refresh latency: it is committed before a
    /// boundary, on the store's clock, and read no earlier than the lead before the next one, on a reader's clock.
    /// </summary>
    public bool IsSafe(TimeSpan tick) => tick > (2 * Skew(tick)) + Lead(tick) + Latency;

    /// <summary>The smallest safe tick, in whole milliseconds.</summary>
    public TimeSpan MinimumTick
    {
        get
        {
            // IsSafe holds from some tick on: the left side grows by 1, the right by at most 0.45.
            long low = 0,
                high = (long)TickTuple.MaximumTick.TotalMilliseconds;
            while (high - low > 1)
            {
                var middle = (low + high) / 2;
                if (IsSafe(TimeSpan.FromMilliseconds(middle)))
                    high = middle;
                else
                    low = middle;
            }

            return TimeSpan.FromMilliseconds(high);
        }
    }

    /// <summary>
    /// The instant by which a change of <paramref name="activeAt"/> must be visible in the store to be read in time by everyone.
    /// </summary>
    internal DateTimeOffset VisibleBy(DateTimeOffset activeAt, TimeSpan tickBefore) => activeAt - Lead(tickBefore) - (2 * Skew(tickBefore));

    /// <summary>Checks settings for a new store and returns them.</summary>
    /// <exception cref="TickTooSmallException">The default tick is below the safe minimum.</exception>
    /// <exception cref="ArgumentException">A part is negative or not a valid tick.</exception>
    public TickSettings Check()
    {
        TickTuple.CheckTick(DefaultTick);
        if (SkewBound < TimeSpan.Zero)
            throw new ArgumentException("The skew bound must not be negative.");
        if (Latency < TimeSpan.Zero)
            throw new ArgumentException("The latency must not be negative.");
        return IsSafe(DefaultTick) ? this : throw new TickTooSmallException(DefaultTick, MinimumTick);
    }
}
