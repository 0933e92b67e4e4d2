namespace Lockstep.Gossip.Clock;

/// <summary>How far ahead of a node's time an update may be stamped. Safe for concurrent use.</summary>
/// <param name="time">The node's time.</param>
/// <param name="most">How far; <see cref="Timeout.InfiniteTimeSpan"/> for no bound.</param>
internal sealed class FutureBound(TimeProvider time, TimeSpan most)
{
    private double Now => (time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMilliseconds;

    /// <summary>The greatest timestamp that is currently not too far ahead, in milliseconds since 1970.</summary>
    public double Limit() => most == Timeout.InfiniteTimeSpan ? double.PositiveInfinity : Now + most.TotalMilliseconds;

    /// <summary>When an update stamped too far ahead may be applied; null if it may be now.</summary>
    public DateTimeOffset? DueTime(GossipUpdate update) =>
        most == Timeout.InfiniteTimeSpan || update.Timestamp - Now <= most.TotalMilliseconds
            ? null
            : GossipUpdate.ToTime(update.Timestamp - most.TotalMilliseconds);
}
