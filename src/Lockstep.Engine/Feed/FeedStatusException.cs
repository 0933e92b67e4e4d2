using System.Globalization;
using System.Net;

namespace Lockstep.Engine.Feed;

/// <summary>The feed answered with an error status.</summary>
public sealed class FeedStatusException : FeedException
{
    private readonly FeedUri _feed;
    private readonly string? _reason;
    private readonly string? _excerpt;

    /// <param name="feed">The feed.</param>
    /// <param name="status">What it answered.</param>
    /// <param name="reason">The same in its words.</param>
    /// <param name="retryAfter">How long it asks to wait.</param>
    /// <param name="excerpt">What it says of the error in the body, fit to be shown; null for nothing.</param>
    /// <param name="remedy">What to do; null for what goes with the status.</param>
    internal FeedStatusException(
        FeedUri feed,
        HttpStatusCode status,
        string? reason,
        RetryAfter? retryAfter,
        string? excerpt = null,
        Remedy? remedy = null
    )
        : base(
            KindOf(status, retryAfter is not null),
            feed,
            string.Create(CultureInfo.InvariantCulture, $"The feed {feed.Display} answered {(int)status} {reason ?? status.ToString()}")
                + (excerpt is null ? "." : $": {excerpt}{(excerpt[^1] is '.' or '!' or '?' or '…' ? "" : ".")}"),
            remedy ?? AdviceOf(status, dialect: null, retryAfter)
        )
    {
        (_feed, _reason, _excerpt) = (feed, reason, excerpt);
        Status = status;
        RetryAfter = retryAfter?.Wait;
        RetryAfterNote = retryAfter?.Note;
    }

    /// <summary>The HTTP status.</summary>
    public HttpStatusCode Status { get; }

    /// <summary>How long the server asks to wait, when it does; an hour when it asks for more.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>The answer's headers, for the code that renews the credentials; names ignore case.</summary>
    internal IReadOnlyDictionary<string, string> Headers { get; init; } = ResponseHeaders.None;

    /// <summary>The wait the server asked for, in words, if a different one is used.</summary>
    internal string? RetryAfterNote { get; }

    /// <inheritdoc/>
    public override bool IsTransient => IsPassing(Status) || IsLimit(Status, RetryAfter is not null);

    /// <summary>Whether the server wants other credentials.</summary>
    public bool IsRefusal => Status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden && !IsTransient;

    /// <summary>The same error, where a script supplies the tokens: what else to give it would be no advice.</summary>
    /// <param name="times">How many tokens were refused in a row.</param>
    /// <param name="hasSupplied">Whether the script returned one when it was asked last.</param>
    internal FeedStatusException OfTokenProvider(int times, bool hasSupplied) =>
        new(
            _feed,
            Status,
            _reason,
            RetryAfter is { } wait ? new RetryAfter(wait, RetryAfterNote) : null,
            _excerpt,
            hasSupplied
                ? (Remedy)(
                    $"The token of {Term.TokenProvider} was refused {times} times in a row: check that the token is for this feed and has "
                    + $"not expired."
                )
                : (Remedy)$"{Term.TokenProvider} returned nothing when the feed refused: let the script return a token."
        )
        {
            Headers = Headers,
        };

    /// <summary>Whether the server cannot resume from the cursor, so that only fetching the whole set helps.</summary>
    internal bool AsksForResync => Status is HttpStatusCode.Gone or HttpStatusCode.Conflict;

    /// <summary>Whether the server has nothing, or nothing any more, at the requested address.</summary>
    internal bool LeadsNowhere =>
        Status
            is HttpStatusCode.BadRequest
                or HttpStatusCode.NotFound
                or HttpStatusCode.MethodNotAllowed
                or HttpStatusCode.Gone
                or HttpStatusCode.Conflict
                or HttpStatusCode.RequestedRangeNotSatisfiable;

    /// <summary>A 403 that says when to come back is a limit of requests, and no judgement of the credentials (D8).</summary>
    private static bool IsLimit(HttpStatusCode status, bool saysWhen) => status == HttpStatusCode.Forbidden && saysWhen;

    private static ErrorKind KindOf(HttpStatusCode status, bool saysWhen) =>
        status switch
        {
            _ when IsLimit(status, saysWhen) => ErrorKind.Unavailable,
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => ErrorKind.AccessDenied,
            HttpStatusCode.NotFound => ErrorKind.FeedNotFound,
            _ when IsPassing(status) => ErrorKind.Unavailable,
            _ => ErrorKind.UnexpectedAnswer,
        };

    private static bool IsPassing(HttpStatusCode status) =>
        status
            is HttpStatusCode.RequestTimeout
                or HttpStatusCode.TooManyRequests
                or (>= HttpStatusCode.InternalServerError and not HttpStatusCode.NotImplemented);

    /// <summary>What to do about a status.</summary>
    /// <param name="status">The status.</param>
    /// <param name="dialect">The dialect of another server that was asked in; null for Lockstep's own.</param>
    /// <param name="retryAfter">How long the server asks to wait; null if it does not.</param>
    internal static Remedy AdviceOf(HttpStatusCode status, string? dialect, RetryAfter? retryAfter) =>
        IsLimit(status, retryAfter is not null) ? Advise(HttpStatusCode.TooManyRequests, SecondsOf(retryAfter))
        : dialect is not null && status == HttpStatusCode.NotFound
            ? (Remedy)$"Check the URI, and that the feed is of the dialect '{dialect}'; another one is named with {Term.Dialect}."
        : Advise(status, SecondsOf(retryAfter));

    /// <summary>The wait in words; null for none, or one that is over.</summary>
    private static string? SecondsOf(RetryAfter? retryAfter) =>
        retryAfter is { Wait: var wait } && wait > TimeSpan.Zero
            ? string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(wait.TotalSeconds)} s, as the feed asks")
            : null;

    private static Remedy Advise(HttpStatusCode status, string? wait) =>
        status switch
        {
            HttpStatusCode.Unauthorized => (Remedy)$"Give {Term.Credential} or {Term.Token}, or check the one that was given.",
            HttpStatusCode.Forbidden => "Check that these credentials may read the feed.",
            HttpStatusCode.NotFound =>
                $"Check the URI and {Term.CursorStyle}: a feed whose URI ends with / gets the cursor as the last path "
                    + $"element, another as ?since=.",
            HttpStatusCode.TooManyRequests =>
                $"Send requests less often, or wait {wait ?? "as long as the feed says"}; with {Term.Follow} or "
                    + $"{Term.MaximumRetryCount} Lockstep waits by itself.",
            HttpStatusCode.RequestTimeout =>
                $"The feed waited too long for the request, often behind a proxy: try again; with {Term.Follow} or "
                    + $"{Term.MaximumRetryCount} Lockstep does so by itself.",
            HttpStatusCode.Gone or HttpStatusCode.Conflict => $"Sync again with {Term.Resync}.",
            HttpStatusCode.NotImplemented =>
                "The server cannot do what the URI asks for: leave that out, such as a property whose changes it does not track.",
            >= HttpStatusCode.InternalServerError =>
                $"Try again {(wait is null ? "later" : "in " + wait)}; with {Term.Follow} or {Term.MaximumRetryCount} Lockstep "
                    + $"does so by itself.",
            _ => "Check the URI and the options of the request.",
        };
}
