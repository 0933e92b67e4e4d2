using System.Globalization;

namespace Lockstep.Engine.Tables;

/// <summary>
/// A whole set that was received but not applied as it is, so that it swept nothing: it is fetched again, with growing waits. Immutable.
/// </summary>
/// <param name="Attempts">How many of them in a row; at least 1.</param>
/// <param name="Due">The earliest time at which it is fetched again.</param>
internal sealed record OwedSet(int Attempts, DateTimeOffset Due)
{
    private static readonly TimeSpan First = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    /// <summary>A single wrong answer of a server soon passes, and new data is waiting behind it.</summary>
    private static readonly TimeSpan FirstRefused = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestRefused = TimeSpan.FromHours(1);

    /// <summary>How much it would have removed, if that is why it was not applied; null if it could not be read in full.</summary>
    public RefusedSweep? Refused { get; init; }

    /// <summary>
    /// What is owed after another set that could not be applied: the wait doubles each time, unless the set came before it was due, as to
    /// a follower that polls. So waits grow with the time that has passed, however often the feed is asked.
    /// </summary>
    public static OwedSet After(OwedSet? before, DateTimeOffset now, RefusedSweep? refused = null)
    {
        var isEarly = before?.Until(now) > TimeSpan.Zero;
        if (isEarly && before!.Refused?.Feed == refused?.Feed && before.Refused is null == refused is null)
            return before with { Refused = refused };
        var attempts = (before?.Attempts ?? 0) + (isEarly ? 0 : 1);
        return new OwedSet(attempts, now + Wait(attempts, refused)) { Refused = refused };
    }

    /// <summary>When the last of them was received.</summary>
    public DateTimeOffset At => Due - Wait(Attempts, Refused);

    /// <summary>
    /// How long until it may be fetched again; zero when it is due. If the clock shows a time before the last one was received, it has been
    /// set back since, and the due time means nothing.
    /// </summary>
    public TimeSpan Until(DateTimeOffset now) => now < At || now >= Due ? TimeSpan.Zero : Due - now;

    private static TimeSpan Wait(int attempts, RefusedSweep? refused)
    {
        var (first, longest) = refused is null ? (First, Longest) : (FirstRefused, LongestRefused);
        return TimeSpan.FromTicks((long)Math.Min(first.Ticks * Math.Pow(2, attempts - 1), longest.Ticks));
    }

    /// <summary>Parses what <see cref="ToString"/> wrote; null for null.</summary>
    public static OwedSet? Parse(string? text)
    {
        if (text?.Split(' ') is not [var attempts, var due, .. var refused])
            return null;
        return new OwedSet(int.Parse(attempts, CultureInfo.InvariantCulture), DateTimeOffset.Parse(due, CultureInfo.InvariantCulture))
        {
            Refused = refused is [var lost, var rows, .. var feed]
                ? new RefusedSweep(long.Parse(lost, CultureInfo.InvariantCulture), long.Parse(rows, CultureInfo.InvariantCulture))
                {
                    Feed = feed is [var uri] ? uri : null,
                }
                : null,
        };
    }

    /// <summary>The form in which a table stores it.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Attempts} {Due:O}")
        + (Refused is null ? "" : string.Create(CultureInfo.InvariantCulture, $" {Refused.Lost} {Refused.Rows} {Refused.Feed}").TrimEnd());
}

/// <summary>How much an untrusted whole set would have removed.</summary>
/// <param name="Lost">How many records.</param>
/// <param name="Rows">Of how many records.</param>
internal sealed record RefusedSweep(long Lost, long Rows)
{
    private readonly string? _feed;

    /// <summary>
    /// The feed's address with its query; it does not count against another query. Null if an earlier version recorded none.
    /// </summary>
    public string? Feed
    {
        get => _feed;
        init => _feed = value?.Replace(" ", "%20", StringComparison.Ordinal);
    }
}
