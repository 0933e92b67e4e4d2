using Lockstep.Engine;

namespace Lockstep;

/// <summary>Something that happened to the connection of a sync, as written to the information stream.</summary>
public sealed class FeedEvent
{
    internal FeedEvent(FeedEventKind kind, DateTime time, string message)
    {
        Kind = kind;
        Time = time;
        Message = message;
    }

    /// <summary>What it is.</summary>
    public FeedEventKind Kind { get; }

    /// <summary>When, in local time.</summary>
    public DateTime Time { get; }

    /// <summary>A description of it. Holds no secret.</summary>
    public string Message { get; }

    /// <summary>The kind and the description, safe to print: without control characters.</summary>
    public override string ToString() => $"{Kind}: {PlainText.Of(Message)}";
}

/// <summary>What can happen to the connection of a sync.</summary>
public enum FeedEventKind
{
    /// <summary>The feed answered with records.</summary>
    Connect = 0,

    /// <summary>The body ended normally.</summary>
    Disconnect = 1,

    /// <summary>The connection was cut, or dropped because it was silent.</summary>
    Close = 2,

    /// <summary>A heartbeat.</summary>
    Heartbeat = 3,

    /// <summary>The serving node's name.</summary>
    InstanceName = 4,

    /// <summary>How many records the snapshot holds.</summary>
    Count = 5,

    /// <summary>A 4xx answer.</summary>
    ClientError = 6,

    /// <summary>A 5xx answer.</summary>
    ServerError = 7,

    /// <summary>Any other answer without a body of records.</summary>
    OtherStatus = 8,

    /// <summary>The host could not be reached.</summary>
    SocketError = 9,

    /// <summary>There will be another attempt after a wait.</summary>
    Retry = 10,

    /// <summary>The whole set is fetched again.</summary>
    Resync = 11,

    /// <summary>Something that the user should know.</summary>
    Warning = 12,

    /// <summary>The feed is another server's, and was recognised.</summary>
    Dialect = 13,

    /// <summary>A table's first load continues where it was cut off, or would start over if it were.</summary>
    Load = 14,

    /// <summary>All went well; the feed is polled again after a wait.</summary>
    Poll = 15,
}
