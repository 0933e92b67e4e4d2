namespace Lockstep.Ticks;

/// <summary>
/// Notified of what happens to the variables of a <see cref="TickLocker"/>. Calls are made on timer and store threads. Those for one
/// variable are made one at a time and in the order of events, so the last call describes the current state; for different variables two
/// may run at once. They delay the variable's next refresh and the calls that follow: return quickly and do not throw.
/// </summary>
public interface ITickObserver
{
    /// <summary>A value became active in this process.</summary>
    void OnActivated(TickActivation activation) { }

    /// <summary>The schedule was read from the store.</summary>
    void OnRefreshed(TickStatus status) { }

    /// <summary>A read failed; the last schedule remains in force, and the read is retried soon.</summary>
    void OnRefreshFailed(TickStatus status) { }

    /// <summary>A boundary passed without a read of the store for it: until the next refresh this process may miss a change.</summary>
    void OnStale(TickStatus status) { }

    /// <summary>
    /// This process's clock differs from the store's by more than the store's settings allow: it switches too early or too late.
    /// </summary>
    void OnSkewed(TickStatus status) { }

    /// <summary>The active value cannot be read as the program's type; the last one that could remains in force.</summary>
    void OnUnreadable(string variable, TickTuple tuple, Exception error) { }

    /// <summary>The bootstrap file could not be written or read.</summary>
    void OnBootstrapFailed(string path, Exception error) { }
}

/// <summary>A value became active.</summary>
/// <param name="Variable">The variable.</param>
/// <param name="Tuple">The tuple that is now active; null for none.</param>
/// <param name="SwitchedAt">When this process switched, on its own clock.</param>
/// <param name="Status">
/// The variable's status at the switch. If it is stale, the store may no longer contain this tuple, and other processes may show something
/// else.
/// </param>
public sealed record TickActivation(string Variable, TickTuple? Tuple, DateTimeOffset SwitchedAt, TickStatus Status);

/// <summary>The state of a variable in this process.</summary>
public sealed record TickStatus
{
    /// <summary>The variable.</summary>
    public required string Variable { get; init; }

    /// <summary>The schedule as last read.</summary>
    public required TickSchedule Schedule { get; init; }

    /// <summary>The tuple whose value is in force; null for none.</summary>
    public required TickTuple? Active { get; init; }

    /// <summary>When the store was last read, on this process's clock; null if the schedule comes from the bootstrap file.</summary>
    public required DateTimeOffset? LastRefresh { get; init; }

    /// <summary>How long ago the store was last read; null if the schedule comes from the bootstrap file.</summary>
    public required TimeSpan? Age { get; init; }

    /// <summary>
    /// The boundary, on this process's clock, that passed without a read of the store for it (the least possible instant if the store has
    /// not been read at all); null if there is none. From then until the next successful read, the promise that this process is never late
    /// does not hold, and it uses the last schedule that it knows.
    /// </summary>
    public required DateTimeOffset? StaleSince { get; init; }

    /// <summary>True if <see cref="StaleSince"/> is set: this process may miss a change now.</summary>
    public bool IsStale => StaleSince is not null;

    /// <summary>
    /// The store's clock minus this process's at the last refresh, known to within half the time that the read took; null before the first.
    /// </summary>
    public required TimeSpan? ClockOffset { get; init; }

    /// <summary>True if <see cref="ClockOffset"/> is certainly beyond the bound for the current tick.</summary>
    public required bool IsSkewed { get; init; }

    /// <summary>Why the last read failed; null after a successful one.</summary>
    public required Exception? LastError { get; init; }

    /// <summary>
    /// True if another store has replaced the one read before, or that one has gone back to an earlier state: the last schedule remains in
    /// force until <see cref="TickLocker.AdoptStoreAsync"/>.
    /// </summary>
    public bool IsStoreReplaced => LastError is TickStoreReplacedException;
}
