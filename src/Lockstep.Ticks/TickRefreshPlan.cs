namespace Lockstep.Ticks;

/// <summary>
/// When a follower reads the store: once before each boundary, at a random moment within the lead, so that a thousand followers do not
/// arrive at once; and again after a failure, sooner at first. Not thread-safe.
/// </summary>
internal sealed class TickRefreshPlan(Random jitter)
{
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan ShortestReadLimit = TimeSpan.FromMilliseconds(500);

    private int _failures;

    /// <summary>The longest that a read may take; the first one, which also connects, may always take this long.</summary>
    public static TimeSpan LongestReadLimit { get; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The next boundary that no read covers yet. A read covers a boundary if it starts no earlier than the lead before it.
    /// </summary>
    public DateTimeOffset Uncovered { get; private set; } = DateTimeOffset.MinValue;

    /// <summary>When to read the store next.</summary>
    public DateTimeOffset DueAt { get; private set; } = DateTimeOffset.MaxValue;

    /// <summary>How long a read that starts now may take: after the lead it would be too late.</summary>
    public static TimeSpan ReadLimit(TickSchedule schedule, DateTimeOffset now)
    {
        var lead = Lead(schedule, now);
        return lead < ShortestReadLimit ? ShortestReadLimit
            : lead > LongestReadLimit ? LongestReadLimit
            : lead;
    }

    /// <summary>A read brought this schedule.</summary>
    /// <param name="schedule">The schedule.</param>
    /// <param name="begun">When the read started.</param>
    public void Succeeded(TickSchedule schedule, DateTimeOffset begun)
    {
        _failures = 0;
        Uncovered = schedule.NextCheckAt(begun);
        if (begun >= Uncovered - LeadBefore(schedule, Uncovered))
            Uncovered = schedule.NextCheckAt(Uncovered);
        var lead = LeadBefore(schedule, Uncovered);
        DueAt = Uncovered - lead + (lead / 2 * jitter.NextDouble());
    }

    /// <summary>A read is due at once.</summary>
    public void Hurry() => DueAt = DateTimeOffset.MinValue;

    /// <summary>
    /// A read is due soon, but at most one per lead, however many changes there are. Nothing depends on it: what a boundary needs is read
    /// before it anyway.
    /// </summary>
    public void Hint(TickSchedule schedule, DateTimeOffset now)
    {
        var soon = now + (Lead(schedule, now) / 2 * (1 + jitter.NextDouble()));
        if (soon < DueAt)
            DueAt = soon;
    }

    /// <summary>A read failed; until one succeeds, the known schedule stays in force.</summary>
    public void Failed(TickSchedule schedule, DateTimeOffset now)
    {
        var backoff = Lead(schedule, now) / 8 * Math.Pow(2, Math.Min(_failures++, 30));
        var tick = schedule.TickAt(now);
        if (backoff > tick / 2)
            backoff = tick / 2;
        if (backoff > LongestBackoff)
            backoff = LongestBackoff;
        DueAt = now + (backoff * (0.75 + (0.5 * jitter.NextDouble())));
    }

    private static TimeSpan Lead(TickSchedule schedule, DateTimeOffset instant) => TickSettings.Lead(schedule.TickAt(instant));

    private static TimeSpan LeadBefore(TickSchedule schedule, DateTimeOffset boundary) => Lead(schedule, schedule.BoundaryBefore(boundary));
}
