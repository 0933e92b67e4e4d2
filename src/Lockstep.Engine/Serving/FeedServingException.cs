namespace Lockstep.Engine.Serving;

/// <summary>Why a source cannot give a client what it asks for.</summary>
public abstract class FeedServingException : LockstepException
{
    /// <summary>Describes the cause and what to do.</summary>
    protected FeedServingException(ErrorKind kind, string message, Remedy remedy, Exception? inner = null)
        : base(kind, message, remedy, inner) { }
}

/// <summary>
/// The client's cursor belongs to another feed (restored, truncated or altered since): it has to start over from 0. HTTP 409.
/// </summary>
internal sealed class FeedIdentityChangedException : FeedServingException
{
    /// <summary>Names the identity that is served now.</summary>
    public FeedIdentityChangedException(string identity)
        : base(
            ErrorKind.FeedRequest,
            $"The cursor belongs to a different feed from the one served now ({identity}): the table was altered, truncated or restored, "
                + "or another database answers.",
            "Start over from cursor 0."
        )
    {
        Identity = identity;
    }

    /// <summary>What is served now.</summary>
    public string Identity { get; }
}

/// <summary>
/// The server has not yet seen what the client has, as a lagging replica: the client has to wait, not to resync. HTTP 503.
/// </summary>
internal sealed class FeedBehindException : FeedServingException
{
    /// <summary>Says how far behind, and when to try again.</summary>
    public FeedBehindException(long since, long horizon, TimeSpan retryAfter)
        : base(
            ErrorKind.FeedRequest,
            $"This server is at {horizon}, behind the cursor {since}: it may be a lagging replica.",
            "Try again. If the database was restored from a backup, start over from cursor 0."
        )
    {
        RetryAfter = retryAfter;
    }

    /// <summary>How long a client should wait before it tries again; sent in the header Retry-After.</summary>
    public TimeSpan RetryAfter { get; }
}

/// <summary>The changes after the client's cursor are no longer kept: it has to start over from 0. HTTP 410.</summary>
internal sealed class FeedCursorExpiredException : FeedServingException
{
    /// <summary>Names the oldest cursor that is still served.</summary>
    public FeedCursorExpiredException(long since, long oldest)
        : base(
            ErrorKind.FeedRequest,
            $"The changes after cursor {since} are no longer kept; the oldest cursor served is {oldest}.",
            "Start over from cursor 0."
        )
    {
        Oldest = oldest;
    }

    /// <summary>The oldest cursor that is still served: one below it misses changes.</summary>
    public long Oldest { get; }
}

/// <summary>The origin of the feed cannot be read for now. HTTP 503.</summary>
public sealed class FeedUnavailableException : FeedServingException
{
    /// <summary>
    /// Says why and when to try again; the message must hold no secret (I9), and what the inner exception says is not shown to clients.
    /// </summary>
    public FeedUnavailableException(string message, TimeSpan retryAfter, Exception? inner = null)
        : this(message, "Try again later; if it stays so, look at the server that the feed comes from.", retryAfter, inner) { }

    /// <summary>With advice to the operator of the server; clients get neither.</summary>
    internal FeedUnavailableException(string message, Remedy remedy, TimeSpan retryAfter, Exception? inner)
        : base(ErrorKind.Unavailable, message, remedy, inner) => RetryAfter = retryAfter;

    /// <summary>How long a client should wait before it tries again; sent in the header Retry-After.</summary>
    public TimeSpan RetryAfter { get; }
}

/// <summary>A position in a request is not one that the source gave out. HTTP 400.</summary>
internal sealed class FeedPositionException : FeedServingException
{
    /// <summary>Says that the position is invalid.</summary>
    public FeedPositionException(Exception? inner = null)
        : base(
            ErrorKind.FeedRequest,
            "The page's position is not one that this server issued.",
            "Take the address of a page from the page before it.",
            inner
        ) { }
}

/// <summary>A filter in a request cannot be understood. HTTP 400.</summary>
internal sealed class FeedFilterException : FeedServingException
{
    /// <summary>Says which part.</summary>
    public FeedFilterException(string message)
        : base(
            ErrorKind.FeedRequest,
            message,
            "Write columns=a,b and where=column=value, with one of = != < <= > >= and a number, true, false, null or text."
        ) { }
}
