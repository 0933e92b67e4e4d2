using Lockstep.Engine.Records;

namespace Lockstep.TestServer.Feeds;

/// <summary>
/// A part of a record log: the positions from <paramref name="Start"/> up to but not including <paramref name="End"/>, and of those what is
/// not below a minimum.
/// </summary>
/// <param name="Start">The first position.</param>
/// <param name="End">The position after the last.</param>
/// <param name="Minimum">The cursor, when it is a number; a record without an order value is never below it.</param>
/// <param name="IsWhole">The client asked for the whole set, so that the answer is a snapshot.</param>
internal readonly record struct RecordRange(int Start, int End, OrderValue Minimum, bool IsWhole = false)
{
    public bool Takes(FeedRecord record) =>
        Minimum.Kind == OrderKind.Unknown || record.Order.Kind != OrderKind.Number || OrderValue.Compare(record.Order, Minimum) >= 0;
}
