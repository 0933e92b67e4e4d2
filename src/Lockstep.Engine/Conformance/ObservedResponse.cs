namespace Lockstep.Engine.Conformance;

/// <summary>One response of a feed, read as far as it is needed.</summary>
internal sealed record ObservedResponse(
    string Uri,
    int Status,
    string? MediaType,
    Uri? Location,
    string? AnnouncedCount,
    ReadingEnd End,
    IReadOnlyList<FeedItem> Items,
    int BlankLines
)
{
    public bool IsSuccess => Status is >= 200 and < 300;

    public IEnumerable<FeedItem> Records => Items.Where(item => item.Kind is FeedItemKind.Record or FeedItemKind.Transaction);

    /// <summary>Whether the body is a JSON array, as those of other servers are.</summary>
    public bool IsArray => Items is [{ Kind: FeedItemKind.Malformed, Missing: FeedItemReader.Array }, ..];

    /// <summary>Whether there was a sign of life other than records.</summary>
    public bool HasHeartbeat => BlankLines > 0 || Items.Any(item => item.Kind == FeedItemKind.Heartbeat);
}

internal enum ReadingEnd
{
    /// <summary>The body was complete.</summary>
    Completed,

    /// <summary>The feed is endless and had nothing more to say.</summary>
    Settled,

    /// <summary>As many records as were wanted have come.</summary>
    Enough,

    /// <summary>The connection broke, or the framing was wrong.</summary>
    Broken,
}
