namespace Lockstep.Ticks.Worker;

/// <summary>A command to a worker, a line of JSON on its standard input; the end of input stops it.</summary>
/// <param name="Id">Returned in the reply.</param>
/// <param name="Kind"><c>set</c>, <c>replace</c> (a set that may replace a pending value) or <c>remove</c>.</param>
/// <param name="Variable">The variable.</param>
/// <param name="Value">The value to set.</param>
/// <param name="At">The requested time of a set, or the instant to remove.</param>
/// <param name="TickMs">The tick to set.</param>
public sealed record Command(int Id, string Kind, string Variable, string? Value = null, DateTimeOffset? At = null, int? TickMs = null);

/// <summary>A line of JSON on its standard output. The first one, with id 0, says that it is ready.</summary>
/// <param name="Id">The command's.</param>
/// <param name="ActiveAt">When the change takes effect; null if nothing was changed.</param>
/// <param name="IsLate">Whether the commit was reported as late.</param>
/// <param name="Error">The type of the exception; null if there was none.</param>
/// <param name="Report">Only in the last one.</param>
/// <param name="TookMs">How long the change took.</param>
public sealed record Reply(
    int Id,
    DateTimeOffset? ActiveAt = null,
    bool IsLate = false,
    string? Error = null,
    Report? Report = null,
    double TookMs = 0
);

/// <summary>What a worker saw. "True" times are the machine's, "own" times are on the worker's skewed clock.</summary>
public sealed record Report(
    IReadOnlyList<Sighting> Sightings,
    IReadOnlyList<Switch> Switches,
    IReadOnlyList<StoreRead> Reads,
    IReadOnlyList<StaleSpan> Stale,
    IReadOnlyList<Stall> Stalls,
    DateTimeOffset Stopped,
    int SkewWarnings
);

/// <summary>A change of a value that was seen.</summary>
/// <param name="Variable">The variable.</param>
/// <param name="Value">The new value.</param>
/// <param name="OldAt">True time right before the last look that found the old value.</param>
/// <param name="NewAt">True time right after the first look that found the new one.</param>
public sealed record Sighting(string Variable, string? Value, DateTimeOffset OldAt, DateTimeOffset NewAt);

/// <summary>What the process itself said when it switched; own times.</summary>
/// <param name="Variable">The variable.</param>
/// <param name="Value">The new value.</param>
/// <param name="ActiveAt">The instant in the schedule that it knew.</param>
/// <param name="TickBefore">The tick right before that instant.</param>
/// <param name="At">When it switched.</param>
/// <param name="IsStale">Whether it said that it may miss a change.</param>
/// <param name="LastRefresh">When the read started that the schedule comes from.</param>
public sealed record Switch(
    string Variable,
    string Value,
    DateTimeOffset ActiveAt,
    TimeSpan TickBefore,
    DateTimeOffset At,
    bool IsStale,
    DateTimeOffset LastRefresh
);

/// <summary>A read of the store that succeeded.</summary>
/// <param name="Variable">The variable.</param>
/// <param name="Begun">When it started, own time.</param>
/// <param name="Ended">When it had the schedule, own time.</param>
public sealed record StoreRead(string Variable, DateTimeOffset Begun, DateTimeOffset Ended);

/// <summary>From the boundary that the worker missed, as it said itself, until the refresh that ended this; own times.</summary>
public sealed record StaleSpan(string Variable, DateTimeOffset From, DateTimeOffset To);

/// <summary>
/// A plain timer of the worker, due every few milliseconds, did not run for this long: the machine was busy elsewhere. True time.
/// </summary>
public sealed record Stall(DateTimeOffset From, DateTimeOffset To);
