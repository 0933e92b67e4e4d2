using System.Globalization;

namespace Lockstep.Engine.Feed;

/// <summary>How long a server asks to wait, as its header Retry-After says it. Immutable.</summary>
/// <param name="Wait">How long to wait: never longer than an hour. Negative for a time that is over.</param>
/// <param name="Note">What was asked for, in words, where that is not what is done; null otherwise.</param>
internal readonly record struct RetryAfter(TimeSpan Wait, string? Note)
{
    /// <summary>A server that asks for more is asked again after this all the same.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    private const DateTimeStyles DateStyle = DateTimeStyles.AssumeUniversal | DateTimeStyles.AllowInnerWhite;

    /// <summary>The three of RFC 9110, the first of which is the one in use.</summary>
    private static readonly string[] DateFormats = ["r", "dddd, dd-MMM-yy HH:mm:ss 'GMT'", "ddd MMM d HH:mm:ss yyyy"];

    /// <summary>Reads the header: seconds, also with a fraction, or a date. Null when it is neither.</summary>
    public static RetryAfter? Parse(string text, DateTimeOffset now)
    {
        double seconds;
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var given) && given >= 0)
        {
            seconds = given;
        }
        else if (DateTimeOffset.TryParseExact(text, DateFormats, CultureInfo.InvariantCulture, DateStyle, out var date))
        {
            seconds = (date - now).TotalSeconds;
        }
        else
        {
            return null;
        }

        return seconds > Longest.TotalSeconds
            ? new RetryAfter(Longest, $"The server asked for longer ('{text}'); the limit is an hour.")
            : new RetryAfter(TimeSpan.FromSeconds(seconds), null);
    }
}
