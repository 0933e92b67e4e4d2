namespace Lockstep.TestServer.Foreign;

/// <summary>How a dialect writes an answer that stays open: the form of each change, and the markers around them. Immutable.</summary>
internal sealed record ChangeStream
{
    public required string ContentType { get; init; }

    /// <summary>The sequence after which it starts.</summary>
    public required int After { get; init; }

    /// <summary>A change as sent; empty if it is not sent.</summary>
    public required Func<Change, ReadOnlyMemory<byte>> Frame { get; init; }

    /// <summary>
    /// Streams with the same text here send the same bytes, so their live clients are served together. Null for a stream that is served
    /// alone.
    /// </summary>
    public string? Shared { get; init; }

    /// <summary>How many changes are sent before checking whether there is anything else to send.</summary>
    public int Batch { get; init; } = 256;

    /// <summary>What is sent first.</summary>
    public string Greeting { get; init; } = "";

    /// <summary>What is sent after changes when there are no more for now, given the sequence reached.</summary>
    public Func<int, string> CaughtUp { get; init; } = _ => "";

    /// <summary>The heartbeat to send after silence.</summary>
    public Func<int, string> Heartbeat { get; init; } = _ => "";

    /// <summary>The silence before a heartbeat.</summary>
    public TimeSpan Interval { get; init; } = Forever;

    /// <summary>How long the answer stays open.</summary>
    public TimeSpan Lasts { get; init; } = Forever;

    /// <summary>What is sent last when that time is over.</summary>
    public Func<int, string> Farewell { get; init; } = _ => "";

    /// <summary>Longer than any test, and short enough for a timer.</summary>
    public static readonly TimeSpan Forever = TimeSpan.FromDays(20);
}
