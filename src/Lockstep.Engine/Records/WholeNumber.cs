using System.Globalization;

namespace Lockstep.Engine.Records;

/// <summary>
/// Whole numbers in external input: ASCII digits and nothing else. <see cref="long.TryParse(string, out long)"/> ignores NUL characters at
/// the end whatever its style, so that two texts would be one number.
/// </summary>
internal static class WholeNumber
{
    /// <summary>Whether it is one, from 0 to the largest 64-bit number.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out long number)
    {
        number = 0;
        return !text.ContainsAnyExceptInRange('0', '9') && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }
}
