namespace Lockstep.Engine.Serving;

/// <summary>From which cursors a source can continue at one moment.</summary>
/// <param name="Identity">Whose cursors.</param>
/// <param name="Floor">The lowest one; what follows lower ones is no longer kept.</param>
/// <param name="Horizon">The highest one: that of a client that has everything.</param>
/// <param name="RetryAfter">
/// When a client that is ahead should come again; null if nobody can be ahead of what is served, but only of what was served before.
/// </param>
internal readonly record struct ServedRange(string Identity, long Floor, long Horizon, TimeSpan? RetryAfter)
{
    /// <summary>Whether a client may begin with a cursor.</summary>
    /// <param name="identity">Whose cursor it is; null if the client does not say.</param>
    /// <param name="cursor">The cursor. From 0 nothing is assumed, so nothing can be wrong.</param>
    /// <inheritdoc cref="IFeedSource.OpenAsync" path="/exception"/>
    public void Admit(string? identity, long cursor)
    {
        if (cursor > 0)
            Check(identity ?? Identity, cursor);
    }

    /// <summary>Whether a client may continue with a cursor.</summary>
    /// <inheritdoc cref="IFeedSource.OpenAsync" path="/exception"/>
    public void Check(string identity, long cursor)
    {
        if (identity != Identity)
            throw new FeedIdentityChangedException(Identity);
        if (cursor < Floor)
            throw new FeedCursorExpiredException(cursor, Floor);
        if (cursor <= Horizon)
            return;
        if (RetryAfter is { } delay)
            throw new FeedBehindException(cursor, Horizon, delay);
        throw new FeedIdentityChangedException(Identity);
    }
}
