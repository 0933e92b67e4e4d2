namespace Lockstep.Ticks;

/// <summary>
/// What may be done to a schedule, and when: pure functions from what a transaction read to what it writes. That every process knows a
/// value before it becomes active rests on them; each rule is a test in the suite of tick variables.
/// </summary>
internal static class TickRules
{
    private static readonly TimeSpan FarthestAhead = TimeSpan.FromDays(100 * 366);

    /// <summary>
    /// Sets a value for the first boundary that is neither before <paramref name="desired"/> nor before the next available change.
    /// Without a tick the value keeps that of the tuple it follows.
    /// </summary>
    public static TickEdit Set(string variable, TickReading reading, string json, DateTimeOffset? desired, TimeSpan? tick, bool replace)
    {
        if (tick is { } wanted)
            CheckTick(reading.Settings, wanted);
        var schedule = reading.Schedule;
        var at = FirstChange(reading, desired);
        if (schedule.ActiveAt(at) is { } occupant && occupant.ActiveAt == at && !replace)
            throw new TickConflictException(variable, occupant);
        var tuple = new TickTuple(at, json, tick ?? schedule.TickAt(at - new TimeSpan(1)));
        return WithFollowers(
            reading,
            [new TickOperation(TickAction.Set, tuple)],
            [.. schedule.Tuples.Where(other => other.ActiveAt < at), tuple],
            schedule.PendingAt(at)
        );
    }

    /// <summary>Removes a pending tuple; <see cref="TickEdit.Nothing"/> when there is none at that instant.</summary>
    public static TickEdit Remove(string variable, TickReading reading, DateTimeOffset activeAt)
    {
        var schedule = reading.Schedule;
        if (schedule.ActiveAt(activeAt) is not { } tuple || tuple.ActiveAt != activeAt)
            return TickEdit.Nothing;
        var available = schedule.NextAvailableChangeAt(reading.StoreTime);
        if (activeAt < available)
            throw new TickTooLateException(variable, activeAt, available);
        return WithFollowers(
            reading,
            [new TickOperation(TickAction.Remove, tuple)],
            [.. schedule.Tuples.Where(other => other.ActiveAt < activeAt)],
            schedule.PendingAt(activeAt)
        );
    }

    /// <summary>
    /// Moves every pending tuple that does not lie on a boundary to the next one: for schedules that were written without these rules.
    /// </summary>
    public static TickEdit Reschedule(TickReading reading)
    {
        var settled = reading.Schedule.NextAvailableChangeAt(reading.StoreTime) - new TimeSpan(1);
        return WithFollowers(
            reading,
            [],
            [.. reading.Schedule.Tuples.Where(tuple => tuple.ActiveAt <= settled)],
            reading.Schedule.PendingAt(settled)
        );
    }

    /// <summary>
    /// Clears away all expired tuples but the newest <paramref name="keep"/>. A tuple counts as expired once its successor has been active
    /// for a tick: until then a process whose clock is behind may still need it.
    /// </summary>
    public static TickEdit Purge(TickReading reading, int keep)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(keep);
        var schedule = reading.Schedule;
        var settled = reading.StoreTime - schedule.TickAt(reading.StoreTime);
        return new TickEdit(
            [.. schedule.ExpiredAt(settled).SkipLast(keep).Select(tuple => new TickOperation(TickAction.Purge, tuple))],
            null,
            null
        );
    }

    /// <summary>The first boundary at which a change that is decided now may become active.</summary>
    public static DateTimeOffset FirstChange(TickReading reading, DateTimeOffset? desired)
    {
        var available = reading.Schedule.NextAvailableChangeAt(reading.StoreTime);
        if (desired is not { } instant || instant <= available)
            return available;
        if (instant - reading.StoreTime > FarthestAhead)
            throw new ArgumentOutOfRangeException(nameof(desired), "A change can be scheduled at most 100 years ahead.");
        return reading.Schedule.BoundaryAtOrAfter(instant.ToUniversalTime());
    }

    /// <exception cref="TickTooSmallException">The tick is not safe.</exception>
    public static void CheckTick(TickSettings settings, TimeSpan tick)
    {
        if (!settings.IsSafe(TickTuple.CheckTick(tick)))
            throw new TickTooSmallException(tick, settings.MinimumTick);
    }

    /// <summary>
    /// Completes an edit after which the schedule begins with <paramref name="settled"/>: the tuples that follow move to the next boundary,
    /// in their order and each to its own, where a tick changed before them.
    /// </summary>
    public static TickEdit WithFollowers(
        TickReading reading,
        List<TickOperation> operations,
        List<TickTuple> settled,
        IReadOnlyList<TickTuple> followers
    )
    {
        foreach (var follower in followers)
        {
            var earliest =
                settled.Count > 0 && follower.ActiveAt <= settled[^1].ActiveAt ? settled[^1].ActiveAt + new TimeSpan(1) : follower.ActiveAt;
            var at = new TickSchedule(reading.Schedule.DefaultTick, settled).BoundaryAtOrAfter(earliest);
            var placed = at == follower.ActiveAt ? follower : new TickTuple(at, follower.Json, follower.Tick);
            if (at != follower.ActiveAt)
                operations.Add(new TickOperation(TickAction.Move, placed, follower.ActiveAt));
            settled.Add(placed);
        }

        return operations.Count == 0 ? TickEdit.Nothing : Timed(reading, operations);
    }

    /// <summary>Gives an edit its deadlines: it must be committed before the boundary that precedes the first instant it touches.</summary>
    private static TickEdit Timed(TickReading reading, IReadOnlyList<TickOperation> operations)
    {
        var first = operations.Min(operation =>
            operation.MovedFrom is { } from && from < operation.Tuple.ActiveAt ? from : operation.Tuple.ActiveAt
        );
        var before = reading.Schedule.BoundaryBefore(first);
        return new TickEdit(operations, before, reading.Settings.VisibleBy(first, reading.Schedule.TickAt(before)));
    }
}
