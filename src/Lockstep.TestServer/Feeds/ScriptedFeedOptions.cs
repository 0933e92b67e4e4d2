namespace Lockstep.TestServer.Feeds;

/// <summary>How a scripted feed behaves. Set before the server starts.</summary>
public sealed class ScriptedFeedOptions
{
    /// <summary>Where the feed is: <c>/servers/N</c> and <c>/servers?since=N</c> are answered, any other path gets 404.</summary>
    public string Path { get; set; } = "/servers/";

    /// <summary>Records or transaction rows.</summary>
    public ScriptedDialect Dialect { get; set; }

    /// <summary>The field that the cursor is compared with; null for <c>updated_at</c>, or <c>since</c> in the transaction dialect. Numbers
    /// compare exactly; strings are opaque and the feed goes on from the first record that carries the one asked for. A record without the
    /// field is part of every answer.</summary>
    public string? OrderBy { get; set; }

    /// <summary>
    /// True: clients stay connected and get what is added. False: the response ends after the records that are there, and tells its
    /// Content-Length.
    /// </summary>
    public bool Endless { get; set; } = true;

    /// <summary>
    /// After how much silence an endless feed sends a heartbeat; null for never. At least one millisecond. The transaction dialect also
    /// sends one after each set of updates.
    /// </summary>
    public TimeSpan? HeartbeatInterval { get; set; }

    /// <summary>What a heartbeat looks like.</summary>
    public HeartbeatKind Heartbeat { get; set; }

    /// <summary>What stands between records: any white space, or nothing.</summary>
    public string Separator { get; set; } = "\n";

    /// <summary>
    /// Whether each record of a chunked body is a chunk of its own, as the original's server sends them and its client wants them. Null:
    /// in the record dialect. False: records that go out together share one.
    /// </summary>
    public bool? ChunkPerRecord { get; set; }

    /// <summary>Leave deleted records out of what is there when a client asks with cursor 0, as a feed may.</summary>
    public bool OmitDeleted { get; set; }

    /// <summary>Answer cursor 0 with a 307 to a finite snapshot of what is there, unless the client says <c>update=true</c>.</summary>
    public bool RedirectToSnapshot { get; set; }

    /// <summary>Announce the number of records that are there in <c>X-Amz-Meta-Count</c>.</summary>
    public bool AnnounceCount { get; set; }

    /// <summary>Sent as <c>Instance-Name</c>; null for none.</summary>
    public string? InstanceName { get; set; }

    /// <summary>Sent as <c>Lockstep-Feed</c>; a client that names another one gets 409. Null for none.</summary>
    public string? Identity { get; set; }

    internal bool ChunksEachRecord => ChunkPerRecord ?? Dialect == ScriptedDialect.Record;

    internal string OrderField => OrderBy ?? (Dialect == ScriptedDialect.Transaction ? "since" : "updated_at");
}

/// <summary>The shape of what a scripted feed sends.</summary>
public enum ScriptedDialect
{
    /// <summary>The records as they were supplied.</summary>
    Record,

    /// <summary>
    /// Transaction rows (<c>txid</c>, <c>current_xmin</c>, <c>since</c>, <c>deleted</c>, <c>data</c>) and control rows. A supplied record
    /// that is such a row is sent as it is; any other becomes the <c>data</c> of one, each in a transaction of its own, deleted when its
    /// <c>deleted_at</c> is there and not null.
    /// </summary>
    Transaction,
}

/// <summary>What a scripted feed sends to show that it is alive.</summary>
public enum HeartbeatKind
{
    /// <summary>A control row in the transaction dialect, else an object.</summary>
    Auto,

    /// <summary>An empty line.</summary>
    BlankLine,

    /// <summary><c>{"heartbeat":true}</c></summary>
    Object,

    /// <summary><c>{"control":true,"type":"heartbeat",...}</c></summary>
    ControlRow,
}
