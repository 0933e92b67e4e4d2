using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Sync;

/// <summary>A body, and what is known about it before its first byte. Immutable.</summary>
internal sealed record BodySource
{
    public required FeedUri Feed { get; init; }

    public required Stream Stream { get; init; }

    /// <summary>Where the request started, before any look-back window.</summary>
    public Cursor Start { get; init; }

    /// <summary>Whether no cursor may be committed until the set is complete (I4).</summary>
    public bool IsHeld { get; init; }

    /// <summary>Whether the records are kept outside the table until the set is complete (I6).</summary>
    public bool IsStaged { get; init; }

    /// <summary>Whether it was requested with cursor 0 or by redirect, so that its end completes the whole set.</summary>
    public bool IsWholeSet { get; init; }

    /// <summary>Whether the feed redirected here.</summary>
    public bool IsRedirected { get; init; }

    /// <summary>Whether the records do not come from a feed: the table is not bound to one, and an existing cursor stays.</summary>
    public bool IsImport { get; init; }

    /// <summary>Whether the whole set was requested explicitly, which may move the cursor back (I4).</summary>
    public bool IsResync { get; init; }

    /// <summary>Whether it fills an empty table, or continues a first load that was cut off.</summary>
    public bool IsFirstLoad { get; init; }

    /// <summary>How many records a first load had brought before; null if this is its start.</summary>
    public long? LoadedBefore { get; init; }

    /// <summary>The page from which the body is being read, if it is paged; null otherwise.</summary>
    public Func<Uri>? Page { get; init; }

    /// <summary>How many bytes of its snapshot came before it.</summary>
    public long RangeStart { get; init; }

    /// <summary>The entity tag with which the rest of its snapshot can be requested; null if it cannot.</summary>
    public string? RangeTag { get; init; }

    /// <summary>Stores the address at which a first load resumes; null if it may not be stored, or is not an address.</summary>
    public Func<Uri, string?>? KeepPage { get; init; }

    /// <summary>Its length in bytes; null if unknown.</summary>
    public long? Length { get; init; }

    /// <summary>How many records are announced; null if the feed does not say.</summary>
    public long? ExpectedRecords { get; init; }

    /// <summary>Whether it is known to end, so that a pause in it means nothing.</summary>
    public bool IsFinite { get; init; }

    /// <summary>Whether a staged set may be merged before it has ended, because this kind of feed may never signal the end (I6).</summary>
    public bool MayMergeUnfinished { get; init; }

    /// <summary>Whether the feed says that it is not the one the table knows.</summary>
    public bool IsAnotherFeed { get; init; }

    /// <summary>Whether the body itself marks its end.</summary>
    public bool HasDefiniteEnd { get; init; }

    /// <summary>How the feed signals that it has nothing more for now; does not apply behind a redirect.</summary>
    public CaughtUpSign CaughtUpBy { get; init; }

    /// <summary>Whether its content type is that of an HTML or XML page; the header may be wrong.</summary>
    public bool IsMarkup { get; init; }

    /// <summary>Why the feed may be another server's after all, if only the body shows what it is; null otherwise.</summary>
    public DialectException? Doubt { get; init; }

    public string? FeedIdentity { get; init; }

    /// <summary>
    /// How much of the origin's history the client has heard of before the body's next byte; null if the feed does not say.
    /// </summary>
    public Func<FeedMark?> Mark { get; init; } = () => null;

    public TimeSpan IdleTimeout { get; init; } = Timeout.InfiniteTimeSpan;
}
