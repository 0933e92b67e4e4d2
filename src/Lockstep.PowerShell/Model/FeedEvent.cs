namespace Lockstep;

/// <summary>Something that happened to the connection of a sync, as the information stream carries it.</summary>
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

    /// <summary>The same in words. Holds no secret.</summary>
    public string Message { get; }

    /// <summary>What it is, and the same in words.</summary>
    public override string ToString() => $"{Kind}: {Message}";
}
