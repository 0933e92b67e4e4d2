using System.Globalization;

namespace Lockstep.Engine.Feed;

/// <summary>How long a server asks to wait, from its Retry-After header. Immutable.</summary>
/// <param name="Wait">How long to wait: never longer than an hour. Negative for a time in the past.</param>
/// <param name="Note">What the server asked for, in words, if that is not what is done; null otherwise.</param>
internal readonly record struct RetryAfter(TimeSpan Wait, string? Note)
{
    /// <summary>A server that asks for more is asked again after this long anyway.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    private const DateTimeStyles DateStyle = DateTimeStyles.AssumeUniversal | DateTimeStyles.AllowInnerWhite;

    /// <summary>The three formats of RFC 9110, the current one first.</summary>
    private static readonly string[] DateFormats = ["r", "dddd, dd-MMM-yy HH:mm:ss 'GMT'", "ddd MMM d HH:mm:ss yyyy"];

    /// <summary>
    /// What an answer asks for. Null if it does not ask. A date is one of the server's clock, which may differ from the one here.
    /// </summary>
    /// <param name="response">The answer.</param>
    /// <param name="now">The time here, for a server that does not say what time it has.</param>
    public static RetryAfter? Of(HttpResponseMessage response, DateTimeOffset now) =>
        response.Headers.NonValidated.TryGetValues("Retry-After", out var values) && values.FirstOrDefault() is { } text
            ? Parse(text.Trim(), response.Headers.Date ?? now)
            : null;

    /// <summary>Reads the header: seconds, with or without a fraction, or a date. Null if it is neither.</summary>
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
