namespace Lockstep.Engine.Records;

/// <summary>The names of the wire formats' members, in one place. They are exact.</summary>
internal static class WireNames
{
    /// <summary>The order field if no other is named.</summary>
    public const string DefaultOrderField = "updated_at";

    /// <summary>The key field if the first record has it and no other is named.</summary>
    public const string DefaultKeyField = "id";

    /// <summary>The response and request header that carries a feed's identity.</summary>
    public const string FeedIdentityHeader = "Lockstep-Feed";

    /// <summary>
    /// The header in which a client that keeps marks says how far it has heard, or <see cref="NoMark"/>, and the feed says how far the
    /// beginning of its answer goes.
    /// </summary>
    public const string MarkHeader = "Lockstep-Mark";

    /// <summary>
    /// The response header that repeats the identity that the client sent, if its cursor and mark are valid under another one: the feed has
    /// moved elsewhere.
    /// </summary>
    public const string ContinuesHeader = "Lockstep-Continues";

    /// <summary>The value of <see cref="MarkHeader"/> from a client that keeps marks and has none.</summary>
    public const string NoMark = "none";

    /// <summary>The response header that names the members which identify a record: a JSON array of strings in ASCII.</summary>
    public const string KeyHeader = "Lockstep-Key";

    /// <summary>
    /// The response header in which a feed whose body does not end says how it shows that it has nothing more for now: <see
    /// cref="CaughtUpBySilence"/> or <see cref="CaughtUpByHeartbeat"/>.
    /// </summary>
    public const string CaughtUpHeader = "Lockstep-Caught-Up";

    /// <summary>A value of <see cref="CaughtUpHeader"/>: the feed is silent only when it has nothing more.</summary>
    public const string CaughtUpBySilence = "silence";

    /// <summary>A value of <see cref="CaughtUpHeader"/>: a heartbeat comes when the feed has nothing more, and only then.</summary>
    public const string CaughtUpByHeartbeat = "heartbeat";

    /// <summary>The response header that names the serving node.</summary>
    public const string InstanceNameHeader = "Instance-Name";

    /// <summary>The response header that announces how many records a snapshot holds.</summary>
    public const string CountHeader = "X-Amz-Meta-Count";

    /// <summary>
    /// The request header in which a client asks the feed to say, within the whole set, where the set continues after a cut; its value is
    /// <see cref="ResumeByPage"/>.
    /// </summary>
    public const string ResumeHeader = "Lockstep-Resume";

    /// <summary>The value of <see cref="ResumeHeader"/>, and the type of the control rows that it requests.</summary>
    public const string ResumeByPage = "page";

    /// <summary>
    /// The request header in which a client says how else than in one body it takes live updates, and the response header in which the feed
    /// says that it sends them so; its value is <see cref="FollowByPages"/>.
    /// </summary>
    public const string FollowHeader = "Lockstep-Follow";

    /// <summary>The value of <see cref="FollowHeader"/>: in pages, each of which ends, and names the next one in <c>Link</c>.</summary>
    public const string FollowByPages = "pages";

    internal static ReadOnlySpan<byte> DeletedAt => "deleted_at"u8;

    internal static ReadOnlySpan<byte> Heartbeat => "heartbeat"u8;

    internal static ReadOnlySpan<byte> Control => "control"u8;

    internal static ReadOnlySpan<byte> ControlType => "type"u8;

    internal static ReadOnlySpan<byte> SnapshotCompleted => "snapshot_completed"u8;

    internal static ReadOnlySpan<byte> RowLeftOut => "row_left_out"u8;

    internal static ReadOnlySpan<byte> Key => "key"u8;

    internal static ReadOnlySpan<byte> Reason => "reason"u8;

    internal static ReadOnlySpan<byte> Page => "page"u8;

    internal static ReadOnlySpan<byte> Mark => "mark"u8;

    internal static ReadOnlySpan<byte> Next => "next"u8;

    internal static ReadOnlySpan<byte> TransactionId => "txid"u8;

    internal static ReadOnlySpan<byte> Since => "since"u8;

    internal static ReadOnlySpan<byte> Horizon => "current_xmin"u8;

    internal static ReadOnlySpan<byte> Deleted => "deleted"u8;

    internal static ReadOnlySpan<byte> Data => "data"u8;
}
