using System.Runtime.CompilerServices;

namespace Lockstep.Gossip.Clock;

/// <summary>
/// Hands out timestamps in fractional milliseconds, unique and increasing for all nodes of the process that share a clock. A step is a
/// thousandth of a millisecond, which a double can represent until the year 200,000.
/// </summary>
internal sealed class MonotonicTimestamps(TimeProvider time)
{
    private const double Step = 0.001;
    private static readonly ConditionalWeakTable<TimeProvider, MonotonicTimestamps> OfClocks = [];
    private readonly Lock _gate = new();
    private double _last = double.NegativeInfinity;

    public static MonotonicTimestamps For(TimeProvider time) => OfClocks.GetValue(time, static key => new MonotonicTimestamps(key));

    /// <summary>
    /// A timestamp above now, above every earlier one, and above the floor: a node that knows something newer would ignore an update
    /// stamped lower.
    /// </summary>
    public double Next(double floor)
    {
        lock (_gate)
        {
            var highest = Math.Max(Math.Max(time.GetUtcNow().ToUnixTimeMilliseconds(), floor), _last);
            var next = Math.Round(highest + Step, 3);
            if (!(next > highest))
            {
                next = Math.BitIncrement(highest);
            }

            if (!double.IsFinite(next))
            {
                throw new GossipException(
                    "No timestamp is left above those already in use: an update with an impossible timestamp was accepted.",
                    "Start over from a node that does not have it."
                );
            }

            _last = next;
            return next;
        }
    }
}
