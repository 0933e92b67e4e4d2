namespace Lockstep.Ticks;

/// <summary>
/// Where schedules are kept and shared. All members may be called from any thread and any number of processes at once. They throw
/// <see cref="TickStoreUnavailableException"/> if the store cannot be reached; once it is back, the same object works again.
/// </summary>
public interface ITickStore : IAsyncDisposable
{
    /// <summary>A description of the store for messages, without secrets (I9).</summary>
    string Description { get; }

    /// <summary>The store's settings, chosen by whoever created the store.</summary>
    Task<TickSettings> ReadSettingsAsync(CancellationToken cancellationToken);

    /// <summary>Reads a variable's schedule, empty for an unknown variable, and the store's clock.</summary>
    Task<TickReading> ReadAsync(string variable, CancellationToken cancellationToken);

    /// <summary>The names of all variables that have a tuple, in ordinal order.</summary>
    Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Changes variables in one transaction, serialised with every other change of any of them: takes its turn, reads the schedules and
    /// then the clock, lets <paramref name="decide"/> choose, applies the edits, writes the audit trail, and commits unless the deadline of
    /// an edit has passed.
    /// </summary>
    /// <param name="variables">The variables, each once and in ordinal order.</param>
    /// <param name="who">Who makes the change, for the audit trail.</param>
    /// <param name="decide">
    /// Receives what was read of each variable and returns what to do with each, in the same order; must be quick and have no side effects,
    /// because a store may call it again if another change came first. An exception rolls back and is rethrown.
    /// </param>
    /// <param name="cancellationToken">Cancels and rolls back, up to the commit.</param>
    /// <returns>What was committed for each, in the same order.</returns>
    /// <exception cref="TickDeadlineException">A deadline passed before the commit; rolled back.</exception>
    Task<IReadOnlyList<TickCommit>> ChangeAsync(
        IReadOnlyList<string> variables,
        string who,
        Func<IReadOnlyList<TickReading>, IReadOnlyList<TickEdit>> decide,
        CancellationToken cancellationToken
    );

    /// <summary>The newest lines of a variable's audit trail, oldest first.</summary>
    Task<IReadOnlyList<TickAuditEntry>> ReadAuditAsync(string variable, int newest, CancellationToken cancellationToken);
}

/// <summary>Operations built on the members of a store.</summary>
public static class TickStoreExtensions
{
    /// <summary>Changes one variable; see <see cref="ITickStore.ChangeAsync"/>.</summary>
    public static async Task<TickCommit> ChangeAsync(
        this ITickStore store,
        string variable,
        string who,
        Func<TickReading, TickEdit> decide,
        CancellationToken cancellationToken
    ) => (await store.ChangeAsync([variable], who, readings => [decide(readings[0])], cancellationToken).ConfigureAwait(false))[0];
}

/// <summary>A store that can announce changes as they are committed.</summary>
public interface ITickChangeHints
{
    /// <summary>
    /// A variable was changed, by name. This is only a hint: it may arrive late, twice or not at all, so do not rely on it. Raised on any
    /// thread; handlers must return quickly. Announcements start with the first operation after a handler was added.
    /// </summary>
    event Action<string>? Changed;
}

/// <summary>A schedule and the circumstances of its reading.</summary>
/// <param name="Schedule">The schedule.</param>
/// <param name="Settings">The store's settings.</param>
/// <param name="StoreTime">The store's clock at the reading.</param>
public sealed record TickReading(TickSchedule Schedule, TickSettings Settings, DateTimeOffset StoreTime)
{
    /// <summary>Which store was read; determined no later than the schedule.</summary>
    public TickStoreStamp Stamp { get; init; } = TickStoreStamp.Unknown;
}

/// <summary>A change that was committed.</summary>
/// <param name="Edit">What was done.</param>
/// <param name="Before">What it was decided from, and when.</param>
/// <param name="CommittedAt">The store's clock right after the commit.</param>
public sealed record TickCommit(TickEdit Edit, TickReading Before, DateTimeOffset CommittedAt)
{
    /// <summary>
    /// True if the commit itself took so long that a process may already have read the schedule for that boundary without it. The change
    /// stands, and such a process picks it up at its next refresh.
    /// </summary>
    public bool IsLate => CommittedAt > Edit.VisibleBy;

    internal static IReadOnlyList<TickCommit> Of(
        IReadOnlyList<TickEdit> edits,
        IReadOnlyList<TickReading> before,
        DateTimeOffset committedAt
    ) => [.. edits.Zip(before, (edit, reading) => new TickCommit(edit, reading, committedAt))];
}
