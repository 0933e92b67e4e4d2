using Lockstep.Engine.Records;

namespace Lockstep.Engine.Serving;

/// <summary>What a client of a source has, as that source tells it. Immutable.</summary>
internal interface IFeedPosition<TSelf>
    where TSelf : class, IFeedPosition<TSelf>
{
    /// <summary>The client's cursor.</summary>
    long Cursor { get; }

    /// <summary>How far in the origin's history what is here reaches; null where the source cannot say.</summary>
    FeedMark? Mark => null;

    /// <summary>Whether a client at the other position has all that one at this position has.</summary>
    bool IsWithin(TSelf other);

    /// <summary>What of a piece of whole lines a client here may lack.</summary>
    ReadOnlyMemory<byte> Rest(ReadOnlyMemory<byte> lines);
}

/// <summary>Where changes are numbered in the order in which they come: everything up to a number.</summary>
internal sealed record LogPosition(long Cursor) : IFeedPosition<LogPosition>
{
    public bool IsWithin(LogPosition other) => Cursor <= other.Cursor;

    public ReadOnlyMemory<byte> Rest(ReadOnlyMemory<byte> lines) => FeedLines.After(lines, Cursor);
}
