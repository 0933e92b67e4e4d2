namespace Lockstep.Ticks;

/// <summary>
/// Where schedules are kept and shared. All members may be called from any thread and any number of processes at once. They throw
/// <see cref="TickStoreUnavailableException"/> when the store cannot be reached; the store works again as soon as it can be, without being
/// created again.
/// </summary>
public interface ITickStore : IAsyncDisposable
{
    /// <summary>What the store is, for messages; without secrets (I9).</summary>
    string Description { get; }

    /// <summary>The store's settings, which whoever made the store chose.</summary>
    Task<TickSettings> ReadSettingsAsync(CancellationToken cancellationToken);

    /// <summary>Reads a variable's schedule, empty for an unknown variable, and the store's clock.</summary>
    Task<TickReading> ReadAsync(string variable, CancellationToken cancellationToken);

    /// <summary>The names of all variables that have a tuple, in ordinal order.</summary>
    Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Changes a variable in one transaction, one after the other with every other change of that variable: takes its turn, reads the
    /// schedule and then the clock, lets <paramref name="decide"/> choose, applies the edit, writes the audit trail, and commits unless the
    /// edit's deadline has passed.
    /// </summary>
    /// <param name="variable">The variable.</param>
    /// <param name="who">Who makes the change, for the audit trail.</param>
    /// <param name="decide">Gets what was read and returns what to do; runs inside the transaction and must be quick. What it throws rolls
    /// back and is thrown on.</param>
    /// <param name="cancellationToken">Cancels and rolls back, up to the commit.</param>
    /// <exception cref="TickDeadlineException">The deadline passed before the commit; rolled back.</exception>
    Task<TickCommit> ChangeAsync(string variable, string who, Func<TickReading, TickEdit> decide, CancellationToken cancellationToken);

    /// <summary>The newest lines of a variable's audit trail, oldest first.</summary>
    Task<IReadOnlyList<TickAuditEntry>> ReadAuditAsync(string variable, int newest, CancellationToken cancellationToken);
}

/// <summary>A schedule with the circumstances of its reading.</summary>
/// <param name="Schedule">The schedule.</param>
/// <param name="Settings">The store's settings.</param>
/// <param name="StoreTime">The store's clock at the reading.</param>
public sealed record TickReading(TickSchedule Schedule, TickSettings Settings, DateTimeOffset StoreTime)
{
    /// <summary>Which store was read, no later than the schedule.</summary>
    public TickStoreStamp Stamp { get; init; } = TickStoreStamp.Unknown;
}

/// <summary>A change that was committed.</summary>
/// <param name="Edit">What was done.</param>
/// <param name="Before">What it was decided from; its time is when.</param>
/// <param name="CommittedAt">The store's clock right after the commit.</param>
public sealed record TickCommit(TickEdit Edit, TickReading Before, DateTimeOffset CommittedAt)
{
    /// <summary>
    /// True when the commit itself took so long that a process may already have read the schedule for that boundary without it.
    /// The change stands, and such a process takes it up at its next refresh.
    /// </summary>
    public bool IsLate => CommittedAt > Edit.VisibleBy;
}
