using Lockstep.Engine.Records;

namespace Lockstep.Engine.Serving;

/// <summary>What a client of a source has, as that source expresses it. Immutable.</summary>
internal interface IFeedPosition<TSelf>
    where TSelf : class, IFeedPosition<TSelf>
{
    /// <summary>The client's cursor.</summary>
    long Cursor { get; }

    /// <summary>How far in the origin's history this position reaches; null if the source cannot say.</summary>
    FeedMark? Mark => null;

    /// <summary>Whether a client at the other position has everything that one at this position has.</summary>
    bool IsWithin(TSelf other);

    /// <summary>The part of a piece of whole lines that a client at this position may lack.</summary>
    ReadOnlyMemory<byte> Rest(ReadOnlyMemory<byte> lines);
}

/// <summary>If changes are numbered in the order in which they come: everything up to a number.</summary>
internal sealed record LogPosition(long Cursor) : IFeedPosition<LogPosition>
{
    public bool IsWithin(LogPosition other) => Cursor <= other.Cursor;

    public ReadOnlyMemory<byte> Rest(ReadOnlyMemory<byte> lines) => FeedLines.After(lines, Cursor);
}
