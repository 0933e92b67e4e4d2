namespace Lockstep;

/// <summary>A table's description, read when requested.</summary>
public sealed class TableInfo
{
    internal TableInfo() { }

    /// <summary>The table's name.</summary>
    public string Name { get; internal init; } = "";

    /// <summary>The table file.</summary>
    public string Path { get; internal init; } = "";

    /// <summary>Whether the table ends with this process.</summary>
    public bool IsSession { get; internal init; }

    /// <summary>The feed, without user and password; null if none has filled the table.</summary>
    public Uri? Uri { get; internal init; }

    /// <summary>
    /// How the feed writes its records: the dialect's name, or that of another server's dialect; Auto until a record has arrived.
    /// </summary>
    public string Dialect { get; internal init; } = nameof(FeedDialect.Auto);

    /// <summary>The same; null until a record has arrived.</summary>
    public string? DialectName { get; internal init; }

    /// <summary>The fields that form the key; empty until a record has arrived.</summary>
    public string[] KeyProperty { get; internal init; } = [];

    /// <summary>The field that orders the records; null until one has arrived.</summary>
    public string? OrderBy { get; internal init; }

    /// <summary>The names of the fields that records have had.</summary>
    public string[] Fields { get; internal init; } = [];

    /// <summary>The fields that have an index for filters, as <c>Set-LockstepTable -Index</c> names them.</summary>
    public string[] Index { get; internal init; } = [];

    /// <summary>The committed cursor, where the next sync continues; empty for a list that is fetched whole each time.</summary>
    public string Cursor { get; internal init; } = "0";

    /// <summary>How many records there are.</summary>
    public long Rows { get; internal init; }

    /// <summary>How many deleted records are remembered, so that old versions do not bring them back.</summary>
    public long Tombstones { get; internal init; }

    /// <summary>The number of the last change: what <c>Get-LockstepRecord -Since</c> takes.</summary>
    public long Sequence { get; internal init; }

    /// <summary>Whether the table has records of a first load that is under way or was interrupted, so that others are missing.</summary>
    public bool IsLoadUnfinished { get; internal init; }

    /// <summary>
    /// Whether a whole set arrived that could not be accepted as it is, so that it removed nothing: a later sync fetches it again.
    /// </summary>
    public bool IsSetOwed { get; internal init; }

    /// <summary>The percentage of the records that a whole set may remove if its end is uncertain.</summary>
    public int SweepLimit { get; internal init; }

    /// <summary>How many malformed records are quarantined.</summary>
    public long Quarantined { get; internal init; }

    /// <summary>The file's size in bytes, including its log.</summary>
    public long Size { get; internal init; }

    /// <summary>When a sync last succeeded, in local time; null if none has.</summary>
    public DateTime? LastSync { get; internal init; }

    /// <summary>Who is writing to it; null if nobody is.</summary>
    public string? Writer { get; internal init; }

    /// <summary>The state of the sync running in this process; null if there is none.</summary>
    public SyncState? State => Sync?.State;

    /// <summary>How old the newest record is, by its order value; null if that is not a time.</summary>
    public TimeSpan? Lag { get; internal init; }

    /// <summary>How long ago the running sync in this process received its last byte; null if none runs, or none was received.</summary>
    public TimeSpan? SinceLastByte => Sync?.SinceLastByte;

    /// <summary>
    /// The last error between the feed and the table's newest sync in this process; null if there was none. Kept after a recovery.
    /// </summary>
    public string? LastError { get; internal init; }

    /// <summary>When that sync last heard from its feed, in local time; null if it has not.</summary>
    public DateTime? LastContact { get; internal init; }

    /// <summary>When that sync last changed the table, in local time; null if it has not.</summary>
    public DateTime? LastChange { get; internal init; }

    /// <summary>What the sync running in this process has done so far; null if there is none.</summary>
    public SyncResult? Sync { get; internal init; }

    /// <summary>The table's name.</summary>
    public override string ToString() => Name;
}
