namespace Lockstep.Engine.Feed;

/// <summary>A server's answer does not follow its dialect.</summary>
public sealed class DialectException : FeedException
{
    internal DialectException(FeedUri feed, string dialect, string reason, Remedy? remedy = null)
        : base(
            ErrorKind.UnexpectedAnswer,
            feed,
            $"The feed {feed.Display} does not answer as its dialect '{dialect}' says: {reason}.",
            remedy ?? $"Check the URI and the credentials, or name another dialect with {Term.Dialect}."
        ) { }

    /// <summary>Whether the answer is an error or a web page, which says nothing about the feed's dialect.</summary>
    internal bool SaysNothing { get; init; }

    /// <inheritdoc/>
    public override bool IsTransient => false;
}
