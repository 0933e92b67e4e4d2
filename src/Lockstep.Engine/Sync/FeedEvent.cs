namespace Lockstep.Engine.Sync;

/// <summary>What can happen on a sync's connection.</summary>
public enum FeedEventKind
{
    /// <summary>The feed answered with records.</summary>
    Connect = 0,

    /// <summary>The body ended normally.</summary>
    Disconnect = 1,

    /// <summary>The connection was cut off, or dropped because it was silent.</summary>
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

    /// <summary>Any other answer without a body.</summary>
    OtherStatus = 8,

    /// <summary>The host could not be reached.</summary>
    SocketError = 9,

    /// <summary>Another attempt follows after a wait.</summary>
    Retry = 10,

    /// <summary>The whole set will be fetched again.</summary>
    Resync = 11,

    /// <summary>Something that the user should know.</summary>
    Warning = 12,

    /// <summary>The feed is another server's, and was recognised.</summary>
    Dialect = 13,

    /// <summary>A table's first load resumes where it was cut off, or would start over if cut off.</summary>
    Load = 14,

    /// <summary>The feed will be asked again after a wait, as is normal.</summary>
    Poll = 15,
}

/// <summary>Something that happened on a sync's connection. Holds no secret. Immutable.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="At">When.</param>
/// <param name="Message">A description.</param>
public sealed record FeedEvent(FeedEventKind Kind, DateTimeOffset At, string Message)
{
    /// <summary>What the user can do about it; null if there is nothing to do.</summary>
    public Remedy? Remedy { get; init; }

    /// <summary>Whether it reports a whole set that was not trusted.</summary>
    internal bool IsSweepRefused { get; init; }

    /// <summary>The message and what the user can do, in the front end's words.</summary>
    /// <param name="say">As for <see cref="Engine.Remedy.Render"/>.</param>
    public string Render(Func<string, string?, string> say) => Remedy is null ? Message : $"{Message} {Remedy.Render(say)}";

    /// <inheritdoc/>
    public override string ToString() => Remedy is null ? $"{Kind}: {Message}" : $"{Kind}: {Message} {Remedy}";
}
