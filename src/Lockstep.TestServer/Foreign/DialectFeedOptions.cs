using Lockstep.Engine.Dialects;

namespace Lockstep.TestServer.Foreign;

/// <summary>How a feed in another server's dialect behaves. Set before the server starts.</summary>
public sealed class DialectFeedOptions
{
    /// <summary>Where the feed is, such as <c>/v1.0/groups/delta</c>; null for the dialect's usual path. Any other path gets 404.</summary>
    public string? Path { get; set; }

    /// <summary>How many items are on a page, unless the client asks for fewer; 1 to 1,000,000.</summary>
    public int PageSize { get; set; } = 100;

    /// <summary>
    /// How long a stream is silent before it sends a heartbeat, unless the client says otherwise. At least one millisecond.
    /// </summary>
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long an answer that waits for a change is held, unless the client says otherwise. At least one millisecond.</summary>
    public TimeSpan LongestWait { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// For the Rest feed: the dialect to serve, so that a list can look like any API's. Null for arrays with links to the next page.
    /// </summary>
    public DialectDescription? Description { get; set; }
}
