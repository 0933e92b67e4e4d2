using System.Globalization;

namespace Lockstep.Engine;

/// <summary>Checks the values of options, and names an invalid one as the user knows it.</summary>
/// <param name="say">What a front end calls an option, as for <see cref="Remedy.Render"/>; null for this library's own names.</param>
internal readonly struct OptionCheck(Func<string, string?, string>? say)
{
    /// <summary>The upper bound of a timeout that can also be switched off.</summary>
    private static readonly TimeSpan LongestTimeout = TimeSpan.FromSeconds(2_000_000);

    /// <summary>Seconds as the user wrote them; a value that is no length of time becomes one that every option rejects.</summary>
    public static TimeSpan Seconds(double seconds) =>
        double.IsNaN(seconds) || seconds <= TimeSpan.MinValue.TotalSeconds ? TimeSpan.MinValue
        : seconds >= TimeSpan.MaxValue.TotalSeconds ? TimeSpan.MaxValue
        : TimeSpan.FromSeconds(seconds);

    /// <summary>Likewise, where 0 means no limit.</summary>
    public static TimeSpan Timeout(double seconds) => seconds == 0 ? System.Threading.Timeout.InfiniteTimeSpan : Seconds(seconds);

    /// <summary>A time above zero, or no limit.</summary>
    public void Timeout(TimeSpan value, Term option)
    {
        if (value == System.Threading.Timeout.InfiniteTimeSpan || (value > TimeSpan.Zero && value <= LongestTimeout))
            return;
        throw Wrong(
            option,
            string.Create(
                CultureInfo.InvariantCulture,
                $"a number of seconds above 0 and up to {LongestTimeout.TotalSeconds}, or "
                    + $"{(say is null ? "Timeout.InfiniteTimeSpan" : "0")} for any time"
            )
        );
    }

    /// <summary>A time from <paramref name="least"/> on, or above zero where that is null.</summary>
    public void Time(TimeSpan? value, Term option, TimeSpan? least, TimeSpan most)
    {
        if (value is not { } time || (time <= most && (least is { } from ? time >= from : time > TimeSpan.Zero)))
            return;
        var range = least is { } bound ? $"from {Invariant(bound.TotalSeconds)} to" : "above 0 and up to";
        throw Wrong(option, $"a number of seconds {range} {Invariant(most.TotalSeconds)}");
    }

    /// <summary>A number within bounds, both inclusive.</summary>
    public void Number(decimal? value, Term option, decimal least, decimal most)
    {
        if (value is not { } number || (number >= least && number <= most))
            return;
        throw Wrong(
            option,
            most is int.MaxValue or long.MaxValue
                ? $"a number, {Invariant(least)} or more"
                : $"a number from {Invariant(least)} to {Invariant(most)}"
        );
    }

    /// <summary>The error for an option with a wrong value; <paramref name="takes"/> completes the sentence.</summary>
    public InvalidOptionException Wrong(Term option, string takes) =>
        new($"{(say is null ? option.ApiName : say(option.Name, option.Value))} takes {takes}.", $"Correct {option}, or leave it out.");

    private static string Invariant(IFormattable number) => number.ToString(null, CultureInfo.InvariantCulture);
}
