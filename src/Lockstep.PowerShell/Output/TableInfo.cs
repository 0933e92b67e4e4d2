namespace Lockstep;

/// <summary>What a table file says of its table, as of the moment of asking.</summary>
public sealed class TableInfo
{
    internal TableInfo() { }

    /// <summary>The table's name.</summary>
    public string Name { get; internal init; } = "";

    /// <summary>The table file.</summary>
    public string Path { get; internal init; } = "";

    /// <summary>Whether the table is gone with this process.</summary>
    public bool IsSession { get; internal init; }

    /// <summary>The feed, without user and password; null where none has filled the table.</summary>
    public Uri? Uri { get; internal init; }

    /// <summary>How the feed writes its records: the dialect's name, also of another server's; Auto until a record has come.</summary>
    public string Dialect { get; internal init; } = nameof(FeedDialect.Auto);

    /// <summary>The same; null until a record has come.</summary>
    public string? DialectName { get; internal init; }

    /// <summary>The fields that are the key; empty until a record has come.</summary>
    public string[] KeyProperty { get; internal init; } = [];

    /// <summary>The field that orders the records; null until one has come.</summary>
    public string? OrderBy { get; internal init; }

    /// <summary>The names of the fields that records have had.</summary>
    public string[] Fields { get; internal init; } = [];

    /// <summary>The fields that have an index for filters, as <c>Set-LockstepTable -Index</c> names them.</summary>
    public string[] Index { get; internal init; } = [];

    /// <summary>The cursor that is committed: where the next sync goes on; empty for a list that is fetched whole each time.</summary>
    public string Cursor { get; internal init; } = "0";

    /// <summary>How many records there are.</summary>
    public long Rows { get; internal init; }

    /// <summary>How many deleted records are remembered, so that nothing old comes back.</summary>
    public long Tombstones { get; internal init; }

    /// <summary>The number of the last change: what <c>Get-LockstepRecord -Since</c> takes.</summary>
    public long Sequence { get; internal init; }

    /// <summary>
    /// Whether a whole set came that could not be taken as it is, so that nothing was removed by it: a later sync fetches it again.
    /// </summary>
    public bool IsSetOwed { get; internal init; }

    /// <summary>How many percent of the records a whole set may remove whose end is not certain.</summary>
    public int SweepLimit { get; internal init; }

    /// <summary>How many malformed records are set aside.</summary>
    public long Quarantined { get; internal init; }

    /// <summary>The file's size in bytes, its log included.</summary>
    public long Size { get; internal init; }

    /// <summary>When a sync last ended well, in local time; null when none has.</summary>
    public DateTime? LastSync { get; internal init; }

    /// <summary>Who is writing to it; null when nobody is.</summary>
    public string? Writer { get; internal init; }

    /// <summary>The state of the sync that runs in this process; null when none does.</summary>
    public SyncState? State => Sync?.State;

    /// <summary>How old the newest record is, by its order value; null where that is no time.</summary>
    public TimeSpan? Lag { get; internal init; }

    /// <summary>How long ago the last byte came to the sync that runs in this process; null when none runs, or none came.</summary>
    public TimeSpan? SinceLastByte => Sync?.SinceLastByte;

    /// <summary>
    /// What last went wrong between the feed and the table's newest sync in this process; null where nothing has. It stays when all is well
    /// again.
    /// </summary>
    public string? LastError { get; internal init; }

    /// <summary>When that sync last heard of its feed, in local time; null when it has not.</summary>
    public DateTime? LastContact { get; internal init; }

    /// <summary>When that sync last changed the table, in local time; null when it has not.</summary>
    public DateTime? LastChange { get; internal init; }

    /// <summary>What the sync that runs in this process has done so far; null when none runs.</summary>
    public SyncResult? Sync { get; internal init; }

    /// <summary>The table's name.</summary>
    public override string ToString() => Name;
}
