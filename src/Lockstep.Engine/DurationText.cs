using System.Globalization;

namespace Lockstep.Engine;

/// <summary>
/// A duration as people write it: <c>90</c> (seconds), <c>250ms</c>, <c>1.5h</c>, <c>7d</c> or <c>00:01:30</c>, whatever the culture.
/// </summary>
internal static class DurationText
{
    private static readonly (string Suffix, double Seconds)[] Units = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400)];

    // A thousand years: beyond it a double cannot tell milliseconds apart.
    private const double MaximumMilliseconds = 1000 * 366 * 86400e3;

    /// <summary>Parses a duration, which must not be negative; rounds to whole milliseconds if it has a unit or is a number.</summary>
    public static bool TryParse(string? text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        text = text?.Trim() ?? "";
        var (suffix, factor) = Units.FirstOrDefault(unit => text.EndsWith(unit.Suffix, StringComparison.OrdinalIgnoreCase), ("", 1));
        if (
            !double.TryParse(
                text.AsSpan(0, text.Length - suffix.Length),
                NumberStyles.AllowDecimalPoint | NumberStyles.AllowTrailingWhite,
                CultureInfo.InvariantCulture,
                out var number
            )
        )
        {
            return TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out duration) && duration >= TimeSpan.Zero;
        }

        var milliseconds = Math.Round(number * factor * 1000);
        if (milliseconds is not (>= 0 and < MaximumMilliseconds))
            return false;

        duration = TimeSpan.FromMilliseconds(milliseconds);
        return true;
    }
}
