namespace Lockstep.Ticks;

/// <summary>What a change does to one tuple; the names are those of the audit trail.</summary>
public enum TickAction
{
    /// <summary>A tuple was added, or its value and tick replaced.</summary>
    Set,

    /// <summary>A pending tuple was removed.</summary>
    Remove,

    /// <summary>A pending tuple was moved to a boundary that is valid now.</summary>
    Move,

    /// <summary>An expired tuple was purged.</summary>
    Purge,
}

/// <summary>One step of a change: <see cref="Tuple"/> is what is set, removed, moved or purged.</summary>
/// <param name="Action">What is done.</param>
/// <param name="Tuple">The tuple as it is afterwards, or as it was if it is removed.</param>
/// <param name="MovedFrom">Where a moved tuple was; otherwise null.</param>
public sealed record TickOperation(TickAction Action, TickTuple Tuple, DateTimeOffset? MovedFrom = null);

/// <summary>
/// A change that the rules decided from a schedule and the store's time. The store applies all operations in the transaction in which they
/// were decided, or none.
/// </summary>
/// <param name="Operations">
/// The operations; empty if there is nothing to do. A store first deletes everything removed, purged or moved, and then writes.
/// </param>
/// <param name="Deadline">
/// On the store's clock: at or after it the store rolls back and throws <see cref="TickDeadlineException"/>; null for a change that no
/// reader is waiting for.
/// </param>
/// <param name="VisibleBy">On the store's clock: a commit that ends after it is reported as late; null in the same case.</param>
public sealed record TickEdit(IReadOnlyList<TickOperation> Operations, DateTimeOffset? Deadline, DateTimeOffset? VisibleBy)
{
    /// <summary>A change that does nothing.</summary>
    public static TickEdit Nothing { get; } = new([], null, null);

    /// <summary>The instants whose tuples the store deletes first.</summary>
    public IEnumerable<DateTimeOffset> Removals =>
        Operations
            .Where(operation => operation.Action != TickAction.Set)
            .Select(operation => operation.MovedFrom ?? operation.Tuple.ActiveAt);

    /// <summary>The tuples that the store then writes, replacing any of the same instant.</summary>
    public IEnumerable<TickTuple> Writes =>
        Operations.Where(operation => operation.Action is TickAction.Set or TickAction.Move).Select(operation => operation.Tuple);

    /// <exception cref="TickDeadlineException">It is too late to commit one of the edits.</exception>
    internal static void CheckDeadline(IReadOnlyList<string> variables, IReadOnlyList<TickEdit> edits, DateTimeOffset now)
    {
        foreach (var (variable, edit) in variables.Zip(edits))
        {
            if (edit.Deadline is { } deadline && now >= deadline)
                throw new TickDeadlineException(variable, deadline);
        }
    }

    /// <summary>The schedule after the change.</summary>
    public TickSchedule ApplyTo(TickSchedule schedule)
    {
        var tuples = schedule.Tuples.ToDictionary(tuple => tuple.ActiveAt);
        foreach (var instant in Removals)
            tuples.Remove(instant);
        foreach (var tuple in Writes)
            tuples[tuple.ActiveAt] = tuple;
        return new TickSchedule(schedule.DefaultTick, tuples.Values);
    }
}

/// <summary>A line of the audit trail.</summary>
/// <param name="ChangeId">The same for all lines of one change.</param>
/// <param name="At">When it was decided, on the store's clock.</param>
/// <param name="Who">Who made the change.</param>
/// <param name="Variable">The variable.</param>
/// <param name="Operation">What was done.</param>
public sealed record TickAuditEntry(Guid ChangeId, DateTimeOffset At, string Who, string Variable, TickOperation Operation);
