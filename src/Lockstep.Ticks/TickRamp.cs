using System.Globalization;

namespace Lockstep.Ticks;

/// <summary>A number that moves from one value to another in equal steps over a period: a gradual rollout by percentage.</summary>
/// <param name="From">The value at the start.</param>
/// <param name="To">The value at the end.</param>
/// <param name="Over">The ramp's duration; more than zero.</param>
/// <param name="Steps">How many steps; null for steps of 1, or of one tick's length if there are fewer ticks than that.</param>
public sealed record TickRamp(decimal From, decimal To, TimeSpan Over, int? Steps = null)
{
    /// <summary>The maximum number of steps in a ramp.</summary>
    public const int MaximumSteps = 1000;

    /// <summary>
    /// The whole ramp as one edit, refused as a whole if another change is pending anywhere along it. The start is the first boundary that
    /// <see cref="TickRules.Set"/> would take; each step becomes active at the first boundary not before its share of the time.
    /// </summary>
    internal TickEdit Decide(string variable, TickReading reading, DateTimeOffset? desired, TimeSpan? tick)
    {
        if (tick is { } wanted)
            TickRules.CheckTick(reading.Settings, wanted);
        if (Over <= TimeSpan.Zero)
            throw new ArgumentException("A ramp must last longer than zero.");
        if (From == To)
            throw new ArgumentException("A ramp goes from one number to another.");

        var schedule = reading.Schedule;
        var start = TickRules.FirstChange(reading, desired);
        var step = tick ?? schedule.TickAt(start - new TimeSpan(1));
        var count = CountSteps(step);
        var grid = new TickSchedule(schedule.DefaultTick, new TickTuple(start, "null", step));
        var tuples = Enumerable
            .Range(0, count + 1)
            .Select(i => new TickTuple(
                grid.BoundaryAtOrAfter(start + TimeSpan.FromTicks((long)((Int128)Over.Ticks * i / count))),
                ValueAt(i, count),
                step
            ))
            .ToList();
        if (schedule.PendingAt(start - new TimeSpan(1)).FirstOrDefault(pending => pending.ActiveAt <= tuples[^1].ActiveAt) is { } occupant)
        {
            throw new TickConflictException(variable, occupant, isReplaceable: false);
        }

        return TickRules.WithFollowers(
            variable,
            reading,
            [.. tuples.Select(tuple => new TickOperation(TickAction.Set, tuple))],
            [.. schedule.Tuples.Where(tuple => tuple.ActiveAt < start), .. tuples],
            schedule.PendingAt(tuples[^1].ActiveAt)
        );
    }

    private int CountSteps(TimeSpan tick)
    {
        // Each step needs its own boundary.
        var most = (int)Math.Min(MaximumSteps, Over / tick);
        if (most < 1)
            throw new ArgumentException($"A ramp must take at least one tick, {tick}.");
        if (Steps is not { } asked)
            return (int)Math.Clamp(Math.Abs(To - From), 1, most);
        return asked >= 1 && asked <= most
            ? asked
            : throw new ArgumentException($"With a tick of {tick}, a ramp over {Over} has 1 to {most} steps.");
    }

    private string ValueAt(int step, int count) =>
        (step == count ? To : decimal.Round(From + ((To - From) * step / count), 4)).ToString(
            "0.############################",
            CultureInfo.InvariantCulture
        );
}
