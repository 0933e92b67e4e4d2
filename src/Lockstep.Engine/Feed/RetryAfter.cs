using System.Globalization;

namespace Lockstep.Engine.Feed;

/// <summary>How long a server asks to wait, from its Retry-After header or from those of its rate limit (D8). Immutable.</summary>
/// <param name="Wait">How long to wait: never longer than an hour. Negative for a time in the past.</param>
/// <param name="Note">What the server asked for, in words, if that is not what is done; null otherwise.</param>
internal readonly record struct RetryAfter(TimeSpan Wait, string? Note)
{
    /// <summary>A server that asks for more is asked again after this long anyway.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    /// <summary>Below this, a rate limit's reset is a number of seconds; from here on, it is a time in seconds since 1970.</summary>
    private const long FirstTime = 1_000_000_000;

    private const DateTimeStyles DateStyle = DateTimeStyles.AssumeUniversal | DateTimeStyles.AllowInnerWhite;

    /// <summary>The three formats of RFC 9110, the current one first.</summary>
    private static readonly string[] DateFormats = ["r", "dddd, dd-MMM-yy HH:mm:ss 'GMT'", "ddd MMM d HH:mm:ss yyyy"];

    /// <summary>
    /// What an answer asks for. Null if it does not ask. A date is one of the server's clock, which may differ from the one here.
    /// </summary>
    /// <param name="response">The answer.</param>
    /// <param name="now">The time here, for a server that does not say what time it has.</param>
    public static RetryAfter? Of(HttpResponseMessage response, DateTimeOffset now)
    {
        var at = response.Headers.Date ?? now;
        var asked = Header(response, "Retry-After") is { } text ? Parse(text.Trim(), at) : null;
        var limit = OfLimit(response, at);
        return asked is null || limit?.Wait > asked.Value.Wait ? limit : asked;
    }

    /// <summary>Whether an answer says that the limit of requests is used up.</summary>
    public static bool IsUsedUp(HttpResponseMessage response) =>
        Header(response, "X-RateLimit-Remaining") == "0"
        || Header(response, "RateLimit-Remaining") == "0"
        || Policies(response).Any(policy => Number(policy, "r", "remaining") == 0);

    /// <summary>When the used-up limit ends. One that is not used up is not the reason of a refusal, and may end much later.</summary>
    private static RetryAfter? OfLimit(HttpResponseMessage response, DateTimeOffset at)
    {
        if (!IsUsedUp(response))
            return null;
        var used = Policies(response).Where(policy => Number(policy, "r", "remaining") == 0).Select(policy => Number(policy, "t", "reset"));
        var ends = used.Append(Number(Header(response, "X-RateLimit-Reset"))).Append(Number(Header(response, "RateLimit-Reset")));
        return ends.Max() is { } end ? In(end < FirstTime ? end : end - at.ToUnixTimeSeconds(), "a reset at " + end) : null;
    }

    /// <summary>
    /// The items of <c>RateLimit</c>, such as <c>"default";r=0;t=30</c>; in older servers' form, the whole is one:
    /// <c>limit=100, remaining=0, reset=30</c>.
    /// </summary>
    private static string[] Policies(HttpResponseMessage response) =>
        Header(response, "RateLimit") is not { } text ? []
        : text.Contains("remaining=", StringComparison.Ordinal) ? [text]
        : text.Split(',');

    private static long? Number(string policy, string name, string older) =>
        policy
            .Split(';', ',')
            .Select(pair => pair.Split('=', 2))
            .Where(pair => pair.Length == 2 && (pair[0].Trim() == name || pair[0].Trim() == older))
            .Select(pair => Number(pair[1]))
            .FirstOrDefault();

    private static long? Number(string? text) =>
        long.TryParse(text?.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.NonValidated.TryGetValues(name, out var values) ? values.FirstOrDefault() : null;

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

        return In(seconds, text);
    }

    private static RetryAfter In(double seconds, string text) =>
        seconds > Longest.TotalSeconds
            ? new RetryAfter(Longest, $"The server asked for longer ('{text}'); the limit is an hour.")
            : new RetryAfter(TimeSpan.FromSeconds(seconds), null);
}
