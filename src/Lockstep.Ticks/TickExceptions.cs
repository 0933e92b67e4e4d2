using Lockstep.Engine;

namespace Lockstep.Ticks;

/// <summary>The base of all errors of tick variables.</summary>
public abstract class TickException : LockstepException
{
    /// <summary>Creates the error with what happened and what to do about it.</summary>
    protected TickException(ErrorKind kind, string message, Remedy remedy, Exception? inner = null)
        : base(kind, message, remedy, inner) { }
}

/// <summary>
/// The boundary is taken by another pending value. Nothing was written: choose another time, remove the pending one, or replace it.
/// </summary>
/// <param name="variable">The variable.</param>
/// <param name="occupant">The pending tuple that is in the way.</param>
/// <param name="isReplaceable">Whether the requested change could replace it: a single value can, a ramp cannot.</param>
public sealed class TickConflictException(string variable, TickTuple occupant, bool isReplaceable = true)
    : TickException(
        ErrorKind.Conflict,
        $"'{variable}' already has a pending change at {occupant.ActiveAt:O}.",
        isReplaceable
            ? (Remedy)(
                $"{Term.ReadSchedule.For(variable)} shows it and {RemovalOf(variable, occupant)} removes it; or "
                + $"replace it with {Term.Replace}, or choose another time."
            )
            : (Remedy)(
                $"{Term.ReadSchedule.For(variable)} shows it and {RemovalOf(variable, occupant)} removes it; or " + $"choose another time."
            )
    )
{
    /// <summary>The variable.</summary>
    public string Variable { get; } = variable;

    /// <summary>The pending tuple that is in the way.</summary>
    public TickTuple Occupant { get; } = occupant;

    private static Term RemovalOf(string variable, TickTuple occupant) => Term.RemoveScheduled.For($"{occupant.ActiveAt:O} {variable}");
}

/// <summary>The variables have no boundary in common within reach. Nothing was written.</summary>
/// <param name="variables">The variables.</param>
public sealed class TickNoCommonBoundaryException(IEnumerable<string> variables)
    : TickException(
        ErrorKind.Conflict,
        $"{string.Join(", ", variables.Select(variable => $"'{variable}'"))} have no boundary in common: their ticks differ.",
        "Give each the same tick, from an instant that is a boundary of it, and set them together after that."
    );

/// <summary>The change would separate a pending value from others that were set together with it. Nothing was written.</summary>
/// <param name="variable">The variable.</param>
/// <param name="activeAt">When the pending value becomes active.</param>
public sealed class TickGroupException(string variable, DateTimeOffset activeAt)
    : TickException(
        ErrorKind.Conflict,
        $"The value of '{variable}' at {activeAt:O} switches together with other variables; this change would move it to another time.",
        "Make the change after that time, or remove that value from each of its variables first."
    )
{
    /// <summary>When the pending value becomes active.</summary>
    public DateTimeOffset ActiveAt { get; } = activeAt;
}

/// <summary>The change would affect an instant so near that some process may not learn of it in time. Nothing was written.</summary>
public sealed class TickTooLateException(string variable, DateTimeOffset instant, DateTimeOffset nextAvailable)
    : TickException(
        ErrorKind.InvalidState,
        $"It is too late to change '{variable}' at {instant:O}: the first instant that can still reach every process "
            + $"is {nextAvailable:O}.",
        "Set a new value for that instant or a later one instead."
    )
{
    /// <summary>The first instant that can still be changed.</summary>
    public DateTimeOffset NextAvailable { get; } = nextAvailable;
}

/// <summary>
/// The tick is too small for the store's bounds on skew and latency, so processes would not switch together. Nothing was written.
/// </summary>
public sealed class TickTooSmallException(TimeSpan tick, TimeSpan minimum)
    : TickException(
        ErrorKind.LimitExceeded,
        $"A tick of {tick.TotalMilliseconds} ms is too small: with this store's bounds on clock skew and latency it must be "
            + $"at least {minimum.TotalMilliseconds} ms.",
        "Choose a longer tick; a store with tighter bounds allows shorter ones."
    )
{
    /// <summary>The smallest tick that the store's settings allow.</summary>
    public TimeSpan Minimum { get; } = minimum;
}

/// <summary>The store was so slow that the transaction missed its deadline. It was rolled back: try again.</summary>
public sealed class TickDeadlineException(string variable, DateTimeOffset deadline)
    : TickException(
        ErrorKind.Timeout,
        $"The change of '{variable}' had to be committed by {deadline:O}; the store was too slow and it was rolled back.",
        "Try again, and find out why the store is slow."
    )
{
    /// <summary>By when it had to be committed, on the store's clock.</summary>
    public DateTimeOffset Deadline { get; } = deadline;
}

/// <summary>
/// The store was replaced by another one, or restored to an earlier state. Followers use the last known schedule, because the current one
/// may lack every value.
/// </summary>
/// <param name="store">The store's description, without secrets (I9).</param>
/// <param name="reason">The evidence.</param>
public sealed class TickStoreReplacedException(string store, string reason)
    : TickException(
        ErrorKind.VariableStoreReplaced,
        $"The store {store} is not the one that was read before: {reason}. The last known values stay.",
        "Restore the store, or, if the new one is intended, have the program adopt it (TickLocker.AdoptStoreAsync, or start "
            + "it again without its bootstrap file)."
    );

/// <summary>The store was written by a newer Lockstep, in a format that this one does not know. Nothing was changed in it.</summary>
/// <param name="store">The store's description, without secrets (I9).</param>
/// <param name="format">The store's format.</param>
/// <param name="known">The newest format that this version knows.</param>
public sealed class TickStoreFormatException(string store, long format, long known)
    : TickException(
        ErrorKind.FileUnusable,
        $"The store {store} was written by a newer Lockstep (format {format}, this one reads up to {known}). Nothing was changed in it.",
        "Update Lockstep, or use another store."
    )
{
    /// <summary>Checks that a store is of a format that this version knows.</summary>
    /// <exception cref="TickStoreFormatException">It is of a later one.</exception>
    internal static void Require(string store, long format, long known)
    {
        if (format > known)
            throw new TickStoreFormatException(store, format, known);
    }
}

/// <summary>The store cannot be reached or used at the moment.</summary>
/// <param name="store">The store's description, without secrets (I9).</param>
/// <param name="reason">What went wrong.</param>
/// <param name="outcomeUnknown">The connection was lost while a change was being committed.</param>
/// <param name="inner">The error of the store's driver.</param>
public sealed class TickStoreUnavailableException(string store, string reason, bool outcomeUnknown, Exception? inner)
    : TickException(
        ErrorKind.VariableStoreUnavailable,
        $"The store {store} is not available: {reason}." + (outcomeUnknown ? " Whether the change was committed is not known." : ""),
        outcomeUnknown ? "Read the schedule before trying again." : "Check that the store exists and can be reached, then try again.",
        inner
    )
{
    /// <summary>True if it is unknown whether a change was committed; the schedule shows it.</summary>
    public bool OutcomeUnknown { get; } = outcomeUnknown;
}
