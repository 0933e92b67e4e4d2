using Lockstep.Engine.Dialects;

namespace Lockstep.TestServer.Foreign;

/// <summary>How a feed in the dialect of another server behaves. To be set before the server starts.</summary>
public sealed class DialectFeedOptions
{
    /// <summary>
    /// Where the feed is, such as <c>/v1.0/groups/delta</c>; null for the dialect's usual place. Any other path gets 404.
    /// </summary>
    public string? Path { get; set; }

    /// <summary>How many items a page holds, unless the client asks for fewer; 1 to 1,000,000.</summary>
    public int PageSize { get; set; } = 100;

    /// <summary>After how much silence a stream gives a sign of life, where the client does not say it. At least one millisecond.</summary>
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long an answer is held that waits for a change, where the client does not say it. At least one millisecond.</summary>
    public TimeSpan LongestWait { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// Of the Rest feed: the dialect that is served, so that a list can be had as any API has it. Null for arrays with links to the next
    /// page.
    /// </summary>
    public DialectDescription? Description { get; set; }
}
