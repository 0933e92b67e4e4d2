using System.Globalization;

namespace Lockstep.Engine.Tables;

/// <summary>
/// A whole set that came but could not be read in full, so that nothing was swept by it: it is fetched again, with growing waits. Immutable.
/// </summary>
/// <param name="Attempts">How many came so in a row; at least 1.</param>
/// <param name="Due">When it is fetched again at the earliest.</param>
internal sealed record OwedSet(int Attempts, DateTimeOffset Due)
{
    private static readonly TimeSpan First = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    /// <summary>What is owed after one more set that could not be read in full: the wait doubles each time, up to a day.</summary>
    public static OwedSet After(OwedSet? before, DateTimeOffset now)
    {
        var attempts = (before?.Attempts ?? 0) + 1;
        return new OwedSet(attempts, now + TimeSpan.FromTicks((long)Math.Min(First.Ticks * Math.Pow(2, attempts - 1), Longest.Ticks)));
    }

    /// <summary>Reads what <see cref="ToString"/> wrote; null for null.</summary>
    public static OwedSet? Parse(string? text)
    {
        if (text?.Split(' ') is not [var attempts, var due])
            return null;
        return new OwedSet(int.Parse(attempts, CultureInfo.InvariantCulture), DateTimeOffset.Parse(due, CultureInfo.InvariantCulture));
    }

    /// <summary>As a table's description keeps it.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Attempts} {Due:O}");
}
