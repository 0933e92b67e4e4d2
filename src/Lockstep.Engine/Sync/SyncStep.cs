using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>Something that a running sync reports to its caller. Its contents are valid until the next step is pulled.</summary>
public abstract record SyncStep;

/// <summary>Nothing has happened for a quarter of a second, or enough has to show progress again.</summary>
/// <param name="Result">The counts so far.</param>
public sealed record SyncProgress(SyncResult Result) : SyncStep;

/// <summary>A commit is done (I5).</summary>
/// <param name="Changes">What it changed, in order of sequence; empty unless requested.</param>
/// <param name="Records">The records in the commit, in order of arrival; empty unless requested.</param>
/// <param name="Result">The counts so far.</param>
public sealed record ChangesCommitted(IReadOnlyList<TableChange> Changes, IReadOnlyList<ReceivedRecord> Records, SyncResult Result)
    : SyncStep;

/// <summary>Something happened on the connection.</summary>
/// <param name="Event">The event.</param>
public sealed record FeedEventOccurred(FeedEvent Event) : SyncStep;

/// <summary>
/// Records that are about to be applied and may be rewritten. Pulling the next step applies them as they then are. Tombstones are not
/// included.
/// </summary>
/// <param name="Records">The records, in order of arrival.</param>
public sealed record RecordsToTransform(IReadOnlyList<TransformableRecord> Records) : SyncStep;

/// <summary>
/// The feed refused the credentials (401 or 403). The caller may supply a token, an address or headers to continue with; if the next step
/// is pulled without any, or after the third refusal in a row, the sync fails with <paramref name="Error"/>.
/// </summary>
/// <param name="Error">The feed's answer; null at the start, when a token is requested for the first time.</param>
public sealed record CredentialsNeeded(FeedStatusException? Error) : SyncStep
{
    /// <summary>
    /// The headers of the answer, with case-insensitive names: <c>WWW-Authenticate</c> says what the server wants. Empty at the start.
    /// </summary>
    public IReadOnlyDictionary<string, string> Headers => Error?.Headers ?? ResponseHeaders.None;

    /// <summary>The token to continue with; null to keep the current one.</summary>
    public string? NewToken { get; set; }

    /// <summary>
    /// The address to continue at, to which the credentials are sent from then on; null to keep the current one. The table stays bound to
    /// the first one.
    /// </summary>
    public Uri? NewUri { get; set; }

    /// <summary>Headers to send, replacing those of the same name; null to keep the current ones.</summary>
    public IReadOnlyList<KeyValuePair<string, string>>? NewHeaders { get; set; }
}

/// <summary>The sync has ended; the last step.</summary>
/// <param name="Result">What it did.</param>
public sealed record SyncEnded(SyncResult Result) : SyncStep;

/// <summary>A record that was received.</summary>
/// <param name="Key">Its key.</param>
/// <param name="IsDeleted">Whether it is a tombstone.</param>
/// <param name="Record">The record as one JSON object in UTF-8.</param>
public sealed record ReceivedRecord(RecordKey Key, bool IsDeleted, ReadOnlyMemory<byte> Record);

/// <summary>A record before it is applied.</summary>
public sealed class TransformableRecord
{
    internal TransformableRecord(int index, RecordKey key, ReadOnlyMemory<byte> record)
    {
        Index = index;
        Key = key;
        Record = record;
    }

    /// <summary>The record's key.</summary>
    public RecordKey Key { get; }

    /// <summary>The record as one JSON object in UTF-8. Set another object with the same key to store that instead.</summary>
    public ReadOnlyMemory<byte> Record { get; private set; }

    internal int Index { get; }

    internal bool IsReplaced { get; private set; }

    internal bool IsSkipped { get; private set; }

    /// <summary>Stores another object under the same key.</summary>
    public void Replace(ReadOnlyMemory<byte> json)
    {
        Record = json;
        IsReplaced = true;
    }

    /// <summary>Stores nothing; the key gets a tombstone at the record's order value, so that no older version remains.</summary>
    public void Skip() => IsSkipped = true;
}
