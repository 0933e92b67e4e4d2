namespace Lockstep.Ticks;

/// <summary>
/// What may be done to a schedule, and when: pure functions from what a transaction read to what it writes. They guarantee that every
/// process knows a value before it becomes active; each rule is a test in the suite of tick variables.
/// </summary>
internal static class TickRules
{
    private static readonly TimeSpan FarthestAhead = TimeSpan.FromDays(100 * 366);

    /// <summary>How many boundaries are searched for a common one, within the transaction that waits for it.</summary>
    private const int MostLooks = 10_000;

    /// <summary>
    /// Sets a value for the first boundary that is neither before <paramref name="desired"/> nor before the next available change.
    /// Without a tick the value keeps that of the tuple it follows.
    /// </summary>
    public static TickEdit Set(string variable, TickReading reading, string json, DateTimeOffset? desired, TimeSpan? tick, bool replace)
    {
        if (tick is { } wanted)
            CheckTick(reading.Settings, wanted);
        return SetAt(variable, reading, json, FirstChange(reading, desired), WishOf(desired), tick, replace, group: null);
    }

    /// <summary>
    /// Sets values of several variables for the first boundary that they share and that <see cref="Set"/> could take for each.
    /// </summary>
    /// <param name="changes">The variables with what was read of each, at a single time, and their values.</param>
    /// <param name="desired">When they should become active; null for as soon as is safe.</param>
    /// <param name="tick">The tick of all of them from then on; null to leave each as it is.</param>
    /// <param name="replace">Whether to replace values that are pending for that boundary.</param>
    /// <param name="group">What identifies the values as set together.</param>
    /// <exception cref="TickNoCommonBoundaryException">There is no such boundary.</exception>
    public static IReadOnlyList<TickEdit> SetTogether(
        IReadOnlyList<(string Variable, TickReading Reading, string Json)> changes,
        DateTimeOffset? desired,
        TimeSpan? tick,
        bool replace,
        string group
    )
    {
        if (tick is { } wanted)
            CheckTick(changes[0].Reading.Settings, wanted);
        var at = CommonBoundary(changes, desired);
        return
        [
            .. changes.Select(change => SetAt(change.Variable, change.Reading, change.Json, at, WishOf(desired), tick, replace, group)),
        ];
    }

    private static TickEdit SetAt(
        string variable,
        TickReading reading,
        string json,
        DateTimeOffset at,
        DateTimeOffset? wish,
        TimeSpan? tick,
        bool replace,
        string? group
    )
    {
        var schedule = reading.Schedule;
        if (schedule.ActiveAt(at) is { } occupant && occupant.ActiveAt == at && !replace)
            throw new TickConflictException(variable, occupant);

        // A requested time that was already too early when requested does not count: a value set for as soon as possible stays where it is.
        var kept = wish > schedule.NextAvailableChangeAt(reading.StoreTime) ? wish : null;
        var tuple = new TickTuple(at, json, tick ?? schedule.TickAt(at - new TimeSpan(1)), kept, group);
        return WithFollowers(
            variable,
            reading,
            [new TickOperation(TickAction.Set, tuple)],
            [.. schedule.Tuples.Where(other => other.ActiveAt < at), tuple],
            schedule.PendingAt(at)
        );
    }

    /// <summary>Removes a pending tuple; <see cref="TickEdit.Nothing"/> if there is none at that instant.</summary>
    public static TickEdit Remove(string variable, TickReading reading, DateTimeOffset activeAt)
    {
        var schedule = reading.Schedule;
        if (schedule.ActiveAt(activeAt) is not { } tuple || tuple.ActiveAt != activeAt)
            return TickEdit.Nothing;
        var available = schedule.NextAvailableChangeAt(reading.StoreTime);
        if (activeAt < available)
            throw new TickTooLateException(variable, activeAt, available);
        return WithFollowers(
            variable,
            reading,
            [new TickOperation(TickAction.Remove, tuple)],
            [.. schedule.Tuples.Where(other => other.ActiveAt < activeAt)],
            schedule.PendingAt(activeAt)
        );
    }

    /// <summary>
    /// Moves every pending tuple that is not at the boundary nearest its requested time to that boundary: for schedules written without
    /// these rules.
    /// </summary>
    public static TickEdit Reschedule(string variable, TickReading reading)
    {
        var settled = reading.Schedule.NextAvailableChangeAt(reading.StoreTime) - new TimeSpan(1);
        return WithFollowers(
            variable,
            reading,
            [],
            [.. reading.Schedule.Tuples.Where(tuple => tuple.ActiveAt <= settled)],
            reading.Schedule.PendingAt(settled)
        );
    }

    /// <summary>
    /// Purges all expired tuples except the newest <paramref name="keep"/>. A tuple counts as expired once its successor has been active
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

    /// <summary>Removes the whole schedule, including what is active: readers get no advance notice.</summary>
    public static TickEdit RemoveAll(TickReading reading) =>
        new([.. reading.Schedule.Tuples.Select(tuple => new TickOperation(TickAction.Remove, tuple))], null, null);

    /// <summary>The first boundary at which a change decided now may become active.</summary>
    public static DateTimeOffset FirstChange(TickReading reading, DateTimeOffset? desired)
    {
        var available = reading.Schedule.NextAvailableChangeAt(reading.StoreTime);
        if (desired is not { } instant || instant <= available)
            return available;
        if (instant - reading.StoreTime > FarthestAhead)
            throw new ArgumentOutOfRangeException(nameof(desired), "A change can be scheduled at most 100 years ahead.");
        return reading.Schedule.BoundaryAtOrAfter(instant.ToUniversalTime());
    }

    private static DateTimeOffset CommonBoundary(
        IReadOnlyList<(string Variable, TickReading Reading, string Json)> changes,
        DateTimeOffset? desired
    )
    {
        var at = changes.Max(change => FirstChange(change.Reading, desired));
        for (var look = 0; look < MostLooks && at - changes[0].Reading.StoreTime <= FarthestAhead; look++)
        {
            var next = changes.Max(change => change.Reading.Schedule.BoundaryAtOrAfter(at));
            if (next == at)
                return at;
            at = next;
        }

        throw new TickNoCommonBoundaryException(changes.Select(change => change.Variable));
    }

    /// <summary>The requested time in whole milliseconds, rounded up.</summary>
    private static DateTimeOffset? WishOf(DateTimeOffset? desired) =>
        desired is { } instant
            ? DateTimeOffset.FromUnixTimeMilliseconds((instant + new TimeSpan(TimeSpan.TicksPerMillisecond - 1)).ToUnixTimeMilliseconds())
            : null;

    /// <exception cref="TickTooSmallException">The tick is not safe.</exception>
    public static void CheckTick(TickSettings settings, TimeSpan tick)
    {
        if (!settings.IsSafe(TickTuple.CheckTick(tick)))
            throw new TickTooSmallException(tick, settings.MinimumTick);
    }

    /// <summary>
    /// Completes an edit after which the schedule begins with <paramref name="settled"/>: where a tick changed before them, the tuples that
    /// follow move to the first boundary from their requested time on, in order and each to its own.
    /// </summary>
    /// <exception cref="TickGroupException">One of them would be separated from its group.</exception>
    public static TickEdit WithFollowers(
        string variable,
        TickReading reading,
        List<TickOperation> operations,
        List<TickTuple> settled,
        IReadOnlyList<TickTuple> followers
    )
    {
        var available = reading.Schedule.NextAvailableChangeAt(reading.StoreTime);
        foreach (var follower in followers)
        {
            var earliest = follower.WishedAt > available ? follower.WishedAt : available;
            if (settled.Count > 0 && earliest <= settled[^1].ActiveAt)
                earliest = settled[^1].ActiveAt + new TimeSpan(1);
            var at = new TickSchedule(reading.Schedule.DefaultTick, settled).BoundaryAtOrAfter(earliest);
            if (at == follower.ActiveAt)
            {
                settled.Add(follower);
                continue;
            }

            if (follower.Group is not null)
                throw new TickGroupException(variable, follower.ActiveAt);
            settled.Add(follower.MovedTo(at));
            operations.Add(new TickOperation(TickAction.Move, settled[^1], follower.ActiveAt));
        }

        return operations.Count == 0 ? TickEdit.Nothing : Timed(reading, operations);
    }

    /// <summary>Gives an edit its deadlines: it must be committed before the boundary preceding the first instant it affects.</summary>
    private static TickEdit Timed(TickReading reading, IReadOnlyList<TickOperation> operations)
    {
        var first = operations.Min(operation =>
            operation.MovedFrom is { } from && from < operation.Tuple.ActiveAt ? from : operation.Tuple.ActiveAt
        );
        var before = reading.Schedule.BoundaryBefore(first);
        return new TickEdit(operations, before, reading.Settings.VisibleBy(first, reading.Schedule.TickAt(before)));
    }
}
