using System.Globalization;

namespace Lockstep.Engine.Feed;

/// <summary>Something went wrong in reading a feed.</summary>
public abstract class FeedException : LockstepException
{
    private protected FeedException(ErrorKind kind, FeedUri feed, string message, Remedy remedy, Exception? inner = null)
        : base(kind, message, remedy, inner) => Feed = feed.Display;

    /// <summary>The same error with another remedy.</summary>
    private protected FeedException(FeedException error, Remedy remedy)
        : base(error.Kind, error.Message, remedy, error) => Feed = error.Feed;

    /// <summary>What to do when a feed was cut off.</summary>
    /// <param name="startsOver">Whether it can only be read from its beginning.</param>
    /// <param name="hasRetried">Whether the sync tries again by itself, and has given up.</param>
    private protected static Remedy AfterCut(bool startsOver, bool hasRetried) =>
        (startsOver, hasRetried) switch
        {
            (false, false) => (Remedy)$"Sync again: it resumes from what was committed. With {Term.Follow} Lockstep reconnects by itself.",
            (false, true) =>
                $"Sync again: it resumes from what was committed. A larger {Term.MaximumRetryCount} allows more failed attempts in a row.",
            (true, false) => $"Sync again: the feed is read from its beginning, and what is in the table stays. With "
                + $"{Term.MaximumRetryCount} or {Term.Follow} Lockstep tries again by itself.",
            (true, true) => $"Sync again: the feed is read from its beginning, and what is in the table stays. A larger "
                + $"{Term.MaximumRetryCount} allows more failed attempts in a row.",
        };

    /// <summary>The feed's URI without user info.</summary>
    public string Feed { get; }

    /// <summary>Whether trying again later may help.</summary>
    public virtual bool IsTransient => true;
}

/// <summary>The feed's host cannot be reached: no such name, no connection, no TLS, no answer in time.</summary>
public sealed class FeedUnreachableException : FeedException
{
    internal FeedUnreachableException(FeedUri feed, string reason, Exception? inner = null)
        : base(
            ErrorKind.Unreachable,
            feed,
            $"The feed {feed.Display} cannot be reached: {reason}",
            inner is HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError }
                ? (Remedy)(
                    $"Replace the server's certificate, or trust its issuer: on this machine, or here with "
                    + $"{Term.CertificateAuthority}; {Term.SkipCertificateCheck} accepts any certificate, including an "
                    + $"impostor's."
                )
                : (Remedy)(
                    $"Check the address, that the server runs, and {Term.ConnectionTimeout}; with {Term.Follow} or "
                    + $"{Term.MaximumRetryCount} Lockstep tries again by itself."
                ),
            inner
        ) { }
}

/// <summary>A cursor from the feed cannot be sent in the path, where this feed takes it.</summary>
public sealed class FeedCursorException : FeedException
{
    internal FeedCursorException(FeedUri feed, Records.Cursor cursor)
        : base(
            ErrorKind.UnexpectedAnswer,
            feed,
            $"The cursor '{cursor.Display}' of the feed {feed.Display} cannot be an element of a URI's path.",
            $"If the feed takes the cursor as ?since=, set {Term.CursorStyle} to Query."
        ) { }

    /// <inheritdoc/>
    public override bool IsTransient => false;
}

/// <summary>The connection broke, or fell silent, before the body was complete.</summary>
public sealed class FeedCutException : FeedException
{
    internal FeedCutException(FeedUri feed, string reason, Exception? inner = null)
        : base(
            ErrorKind.Unreachable,
            feed,
            feed.IsImport ? $"{feed.Subject} could not be read to its end: {reason}" : $"{feed.Subject} was cut off: {reason}",
            feed.IsImport
                ? (Remedy)"Check the source and import again: records imported twice change nothing."
                : AfterCut(startsOver: false, hasRetried: false),
            inner
        ) { }

    /// <summary>The same, with what to do in this case.</summary>
    internal FeedCutException(FeedCutException cut, bool startsOver, bool hasRetried)
        : base(cut, AfterCut(startsOver, hasRetried)) { }
}

/// <summary>The feed redirects in a way that leads nowhere.</summary>
public sealed class FeedRedirectException : FeedException
{
    private readonly bool _isTransient;

    /// <param name="feed">The feed.</param>
    /// <param name="reason">How it redirects.</param>
    /// <param name="isTransient">Whether it may answer otherwise later.</param>
    internal FeedRedirectException(FeedUri feed, string reason, bool isTransient = false)
        : base(
            ErrorKind.FeedProtocol,
            feed,
            $"The feed {feed.Display} redirects wrongly: {reason}",
            "Use the feed's real address, or tell its operator."
        ) => _isTransient = isTransient;

    /// <inheritdoc/>
    public override bool IsTransient => _isTransient;
}

/// <summary>Credentials would go unencrypted over a network.</summary>
public sealed class InsecureCredentialsException : FeedException
{
    internal InsecureCredentialsException(FeedUri feed)
        : base(
            ErrorKind.InsecureCredentials,
            feed,
            $"The credentials for {feed.Display} would be sent unencrypted.",
            $"Use https, or {Term.AllowUnencryptedAuthentication} if the network is yours alone."
        ) { }

    /// <inheritdoc/>
    public override bool IsTransient => false;
}

/// <summary>Every record received was malformed and was set aside: most likely the feed is being read the wrong way.</summary>
public sealed class AllRecordsMalformedException : FeedException
{
    internal AllRecordsMalformedException(FeedUri feed, long count, string reason, Remedy? remedy)
        : base(
            ErrorKind.MalformedRecord,
            feed,
            string.Create(
                CultureInfo.InvariantCulture,
                $"{feed.Subject} sent only malformed records; all {count} were set aside. The first: {reason}."
            ),
            remedy ?? $"Look at them with {Term.ReadQuarantined}, and check that this is the right feed."
        ) => Count = count;

    /// <summary>How many were received.</summary>
    public long Count { get; }

    /// <inheritdoc/>
    public override bool IsTransient => false;
}

/// <summary>Something in the feed is not a record.</summary>
public sealed class MalformedRecordException : FeedException
{
    internal MalformedRecordException(FeedUri feed, long byteOffset, string reason, string snippet, Remedy? remedy = null)
        : base(
            ErrorKind.MalformedRecord,
            feed,
            string.Create(
                CultureInfo.InvariantCulture,
                $"{feed.Subject} holds a malformed record at byte {byteOffset}: {reason}. It begins: {snippet}"
            ),
            remedy
                ?? (
                    feed.IsImport
                        ? (Remedy)$"Correct it, or import with {Term.MalformedRecord} Quarantine, which sets such records aside."
                        : $"Tell the feed's operator; with {Term.MalformedRecord} Quarantine such records are set aside and "
                            + $"the sync goes on."
                )
        )
    {
        ByteOffset = byteOffset;
        Reason = reason;
        Snippet = snippet;
    }

    /// <summary>The offset in the body at which it begins, in bytes after decompression; the first byte has 0.</summary>
    public long ByteOffset { get; }

    /// <summary>What is wrong.</summary>
    public string Reason { get; }

    /// <summary>Its first characters.</summary>
    public string Snippet { get; }

    /// <summary>The dialect of another server that reads the body; null if none does, or if it is a feed of records.</summary>
    public string? Foreign { get; internal init; }

    /// <summary>Whether the body begins with it: a feed that has worked did not send that, but perhaps a gateway in front of it.</summary>
    internal bool IsFirst { get; init; }

    /// <inheritdoc/>
    public override bool IsTransient => false;
}

/// <summary>The answer is not a feed at all, but a page such as a proxy or a login sends: an error, not an empty set (I6).</summary>
public sealed class NotAFeedException : FeedException
{
    internal NotAFeedException(FeedUri feed, string beginning, bool isArray = false)
        : base(
            ErrorKind.UnexpectedAnswer,
            feed,
            isArray ? $"{feed.Subject} is one JSON array, not a feed of records. It begins: {beginning}"
                : beginning.Length == 0 ? $"{feed.Subject} is an empty page of HTML or XML, not a feed."
                : $"{feed.Subject} holds no JSON object, so it is not a feed. It begins: {beginning}",
            "Check the URI, and whether a proxy or a login answers instead of the feed; the table keeps what it had."
        ) { }
}

/// <summary>A whole set whose end is uncertain would remove too much, and was refused. Nothing was changed (I6).</summary>
public sealed class SweepRefusedException : FeedException
{
    /// <param name="feed">The feed.</param>
    /// <param name="lost">How many records the set would remove.</param>
    /// <param name="rows">Of how many.</param>
    /// <param name="examples">Some of them.</param>
    /// <param name="due">When it is fetched again at the earliest.</param>
    /// <param name="other">The address that the table's records came from, where that is another query.</param>
    internal SweepRefusedException(
        FeedUri feed,
        long lost,
        long rows,
        IReadOnlyList<Records.RecordKey> examples,
        DateTimeOffset due,
        string? other = null
    )
        : base(
            ErrorKind.SweepRefused,
            feed,
            string.Create(CultureInfo.InvariantCulture, $"{Refuse(feed, lost, rows, examples)} It is fetched again from {due:u} on."),
            other is null
                ? (Remedy)(
                    $"If these records are really gone, sync again with {Term.Resync} and {Term.Force}, or allow more with "
                    + $"{Term.SweepLimit}; otherwise tell the feed's operator."
                )
                : (Remedy)(
                    $"The table was filled from {other}: another query is another table, whose name {Term.Table} gives. "
                    + $"{Term.Force} makes this one the query's."
                )
        ) => (Lost, Rows, Refusal) = (lost, rows, Refuse(feed, lost, rows, examples));

    /// <summary>A set that was refused before is not fetched again yet.</summary>
    /// <param name="feed">The feed.</param>
    /// <param name="lost">How many records the set would have removed.</param>
    /// <param name="rows">Of how many.</param>
    /// <param name="at">When it came.</param>
    /// <param name="due">When it is fetched again at the earliest.</param>
    internal SweepRefusedException(FeedUri feed, long lost, long rows, DateTimeOffset at, DateTimeOffset due)
        : base(
            ErrorKind.SweepRefused,
            feed,
            string.Create(
                CultureInfo.InvariantCulture,
                $"The feed was not asked: the set that it sent at {at:u} would have removed {lost} of {rows} records, "
                    + $"and may have been incomplete. The next attempt is due at {due:u}."
            ),
            $"To fetch it now: {Term.Force} accepts it as it is, {Term.Resync} checks it again."
        ) => (Lost, Rows, Refusal) = (lost, rows, Message);

    private static string Refuse(FeedUri feed, long lost, long rows, IReadOnlyList<Records.RecordKey> examples) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"The whole set of {feed.Display} would remove {lost} of {rows} records{Among(examples)}, and its end is not certain: "
                + $"nothing was changed."
        );

    /// <summary>The message without the time of the next attempt, which may be earlier while following.</summary>
    internal string Refusal { get; }

    /// <summary>How many records the set would have removed.</summary>
    public long Lost { get; }

    /// <summary>How many records the table has.</summary>
    public long Rows { get; }

    /// <inheritdoc/>
    public override bool IsTransient => false;

    /// <summary>Some of the records, as the end of a sentence about them.</summary>
    internal static string Among(IReadOnlyList<Records.RecordKey> examples) =>
        examples.Count == 0 ? "" : $", among them {string.Join(", ", examples.Select(key => PlainText.Of(key.ToString())))}";
}

/// <summary>The body ended within its last record.</summary>
public sealed class TruncatedFeedException : FeedException
{
    internal TruncatedFeedException(FeedUri feed, long byteOffset, string snippet)
        : base(
            ErrorKind.TruncatedFeed,
            feed,
            string.Create(
                CultureInfo.InvariantCulture,
                $"{feed.Subject} ended within a record that begins at byte {byteOffset}: {snippet}"
            ),
            feed.IsImport
                ? "Complete its last record and import again: records imported twice change nothing."
                : "Sync again: it resumes from the last whole record."
        ) => ByteOffset = byteOffset;

    /// <summary>The same, of a set that can only be fetched from its beginning.</summary>
    internal TruncatedFeedException(TruncatedFeedException torn, bool hasRetried)
        : base(torn, AfterCut(startsOver: true, hasRetried)) => ByteOffset = torn.ByteOffset;

    /// <summary>The offset in the body at which the record begins, in bytes after decompression; the first byte has 0.</summary>
    public long ByteOffset { get; }
}

/// <summary>The feed asks for a new snapshot again and again.</summary>
public sealed class ResyncLoopException : FeedException
{
    internal ResyncLoopException(FeedUri feed, int times)
        : base(
            ErrorKind.FeedProtocol,
            feed,
            string.Create(CultureInfo.InvariantCulture, $"The feed {feed.Display} asked {times} times in a row to start over."),
            "Tell the feed's operator; the table keeps what it had."
        ) { }

    /// <inheritdoc/>
    public override bool IsTransient => false;
}
