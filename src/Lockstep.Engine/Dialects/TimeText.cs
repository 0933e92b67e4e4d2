using System.Globalization;

namespace Lockstep.Engine.Dialects;

/// <summary>Times as servers write them, and as they expect them in a request.</summary>
internal static class TimeText
{
    private const string Wire = "yyyy-MM-dd'T'HH:mm:ss'Z'";

    /// <summary>
    /// Reads a time with a zone (RFC 3339, or <c>+0000</c>), or without one, in which case it is in <paramref name="zone"/>; also the date
    /// of a header. What does not begin with its year may be another day, or a version such as <c>1.10</c>.
    /// </summary>
    public static DateTimeOffset? Parse(string text, TimeZoneInfo zone)
    {
        if (!BeginsWithYear(text.AsSpan().TrimStart()))
        {
            return DateTimeOffset.TryParseExact(text, "r", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date)
                ? date
                : null;
        }

        if (
            !DateTime.TryParse(
                text,
                CultureInfo.InvariantCulture,
                DateTimeStyles.RoundtripKind | DateTimeStyles.AllowWhiteSpaces,
                out var time
            )
        )
        {
            return null;
        }

        if (time.Kind == DateTimeKind.Unspecified)
            return new DateTimeOffset(DateTime.SpecifyKind(time, DateTimeKind.Unspecified), zone.GetUtcOffset(time)).ToUniversalTime();
        return new DateTimeOffset(time.ToUniversalTime());
    }

    private static bool BeginsWithYear(ReadOnlySpan<char> text) =>
        text is [>= '0' and <= '9', >= '0' and <= '9', >= '0' and <= '9', >= '0' and <= '9', '-' or '/', ..];

    /// <summary>Writes a time for a request; by default in UTC, to the second.</summary>
    /// <param name="time">The time; fractions of a second are dropped, which requests slightly more.</param>
    /// <param name="format">A .NET format, or null.</param>
    /// <param name="zone">The zone in which the server expects times.</param>
    public static string Write(DateTimeOffset time, string? format, TimeZoneInfo zone)
    {
        if (format == "s")
            return time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        if (format == "ms")
            return time.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
        return format is null
            ? time.UtcDateTime.ToString(Wire, CultureInfo.InvariantCulture)
            : TimeZoneInfo.ConvertTime(time, zone).ToString(format, CultureInfo.InvariantCulture);
    }
}
