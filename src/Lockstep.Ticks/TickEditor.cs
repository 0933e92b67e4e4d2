using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace Lockstep.Ticks;

/// <summary>
/// Writes schedules. Every change is decided and committed in one transaction on the store's clock and is known to every process before it
/// becomes active, or it is refused. May be used from any thread; it holds only the store, which it does not dispose.
/// </summary>
public sealed class TickEditor
{
    private const int Attempts = 3;
    private readonly ITickStore _store;
    private readonly string _who;

    /// <param name="store">The store.</param>
    /// <param name="who">Who makes the changes, for the audit trail; null for this machine's user.</param>
    public TickEditor(ITickStore store, string? who = null)
    {
        _store = store;
        _who = who ?? $"{Environment.UserName}@{Environment.MachineName}";
    }

    /// <summary>
    /// How many expired tuples each <see cref="SetAsync"/> and <see cref="RampAsync"/> leaves; null to leave all. 5 by default.
    /// </summary>
    public int? KeepExpired { get; init; } = 5;

    /// <summary>
    /// Sets a value for the first boundary that is neither before <paramref name="desired"/> nor before the next available change, which is
    /// the second boundary from now. Pending values that follow move to the next boundary if the tick changes under them.
    /// </summary>
    /// <param name="variable">The variable; the first value creates it.</param>
    /// <param name="json">The value, one JSON text.</param>
    /// <param name="desired">When the value should become active; null for as soon as is safe.</param>
    /// <param name="tick">The tick from then on, in whole milliseconds; null to leave it as it is.</param>
    /// <param name="replace">Whether to replace a value that is already pending for that boundary.</param>
    /// <param name="cancellationToken">Cancels, up to the commit.</param>
    /// <returns>What was done, and when the value becomes active.</returns>
    /// <exception cref="TickConflictException">Another value is pending for that boundary.</exception>
    /// <exception cref="TickTooSmallException">The tick is below the store's minimum.</exception>
    /// <exception cref="TickDeadlineException">The store was too slow, several times.</exception>
    /// <exception cref="TickStoreUnavailableException">The store cannot be reached.</exception>
    public async Task<TickChange> SetAsync(
        string variable,
        string json,
        DateTimeOffset? desired = null,
        TimeSpan? tick = null,
        bool replace = false,
        CancellationToken cancellationToken = default
    )
    {
        TickTuple.CheckJson(json);
        var commit = await ChangeAsync(
                variable,
                reading => Purged(reading, TickRules.Set(variable, reading, json, desired, tick, replace)),
                cancellationToken
            )
            .ConfigureAwait(false);
        return new TickChange(variable, commit);
    }

    /// <summary>Sets a value that is serialised as JSON; see the other overload.</summary>
    /// <exception cref="NotSupportedException">There is no JSON for such a value.</exception>
    /// <inheritdoc cref="SetAsync" path="/exception"/>
    [RequiresUnreferencedCode("A trimmed program sets JSON: SetAsync.")]
    [RequiresDynamicCode("A native program sets JSON: SetAsync.")]
    public Task<TickChange> SetValueAsync<T>(
        string variable,
        T value,
        DateTimeOffset? desired = null,
        TimeSpan? tick = null,
        bool replace = false,
        CancellationToken cancellationToken = default
    ) => SetAsync(variable, JsonSerializer.Serialize(value), desired, tick, replace, cancellationToken);

    /// <summary>
    /// Sets values of several variables as one change, all or none, for the first boundary that they share and that is neither before
    /// <paramref name="desired"/> nor before the next available change of any. They stay together: a later change that would move only one
    /// of them is refused.
    /// </summary>
    /// <param name="values">The variables, each with its value as one JSON text; at least one.</param>
    /// <param name="desired">When they should become active; null for as soon as is safe.</param>
    /// <param name="tick">The tick of all of them from then on, in whole milliseconds; null to leave each as it is.</param>
    /// <param name="replace">Whether to replace values that are already pending for that boundary.</param>
    /// <param name="cancellationToken">Cancels, up to the commit.</param>
    /// <returns>What was done to each, in order of name.</returns>
    /// <exception cref="TickNoCommonBoundaryException">Their ticks have no boundary in common.</exception>
    /// <exception cref="TickGroupException">The tick would separate a pending value from those that were set together with it.</exception>
    /// <inheritdoc cref="SetAsync" path="/exception"/>
    public async Task<IReadOnlyList<TickChange>> SetTogetherAsync(
        IReadOnlyDictionary<string, string> values,
        DateTimeOffset? desired = null,
        TimeSpan? tick = null,
        bool replace = false,
        CancellationToken cancellationToken = default
    )
    {
        if (values.Count == 0)
            throw new ArgumentException("Values of at least one variable are set together.", nameof(values));
        foreach (var json in values.Values)
            TickTuple.CheckJson(json);

        // All stores take turns in the same order, so that no two changes wait for each other.
        string[] variables = [.. values.Keys.Order(StringComparer.Ordinal)];
        var group = Guid.NewGuid().ToString("N");
        var commits = await ChangeAsync(
                variables,
                readings =>
                    [
                        .. TickRules
                            .SetTogether(
                                [.. variables.Zip(readings, (variable, reading) => (variable, reading, values[variable]))],
                                desired,
                                tick,
                                replace,
                                group
                            )
                            .Zip(readings, (edit, reading) => Purged(reading, edit)),
                    ],
                cancellationToken
            )
            .ConfigureAwait(false);
        return [.. variables.Zip(commits, (variable, commit) => new TickChange(variable, commit))];
    }

    /// <summary>Writes a ramp's values as one change: all of them, or none if another value is pending along it.</summary>
    /// <inheritdoc cref="SetAsync" path="/exception"/>
    public async Task<TickChange> RampAsync(
        string variable,
        TickRamp ramp,
        DateTimeOffset? desired = null,
        TimeSpan? tick = null,
        CancellationToken cancellationToken = default
    )
    {
        var commit = await ChangeAsync(
                variable,
                reading => Purged(reading, ramp.Decide(variable, reading, desired, tick)),
                cancellationToken
            )
            .ConfigureAwait(false);
        return new TickChange(variable, commit);
    }

    /// <summary>Removes the pending value at an instant. Values that follow move if the tick changes under them.</summary>
    /// <returns>What was done; null if the schedule has nothing at that instant.</returns>
    /// <exception cref="TickTooLateException">It is active, past, or too near for every process to learn of it.</exception>
    /// <inheritdoc cref="SetAsync" path="/exception"/>
    public Task<TickChange?> RemoveAsync(string variable, DateTimeOffset activeAt, CancellationToken cancellationToken = default) =>
        ChangeIfAnyAsync(variable, reading => TickRules.Remove(variable, reading, activeAt.ToUniversalTime()), cancellationToken);

    /// <summary>
    /// Removes a variable with all its values, past, active and pending. This is not a switch: processes that still use the variable find
    /// it gone when they next read the store, each at a different time. To switch it off everywhere at once, set it to null first.
    /// </summary>
    /// <returns>What was removed; null if there is no such variable.</returns>
    /// <inheritdoc cref="RescheduleAsync" path="/exception"/>
    public Task<TickChange?> RemoveAllAsync(string variable, CancellationToken cancellationToken = default) =>
        ChangeIfAnyAsync(variable, TickRules.RemoveAll, cancellationToken);

    /// <summary>
    /// Moves pending values that are not at the first boundary from their requested time on to that boundary. <see cref="SetAsync"/> and
    /// <see cref="RemoveAsync"/> do this themselves; this is for schedules written by something else.
    /// </summary>
    /// <returns>What was moved; null if nothing had to be.</returns>
    /// <exception cref="TickDeadlineException">The store was too slow, several times.</exception>
    /// <exception cref="TickStoreUnavailableException">The store cannot be reached.</exception>
    public Task<TickChange?> RescheduleAsync(string variable, CancellationToken cancellationToken = default) =>
        ChangeIfAnyAsync(variable, reading => TickRules.Reschedule(variable, reading), cancellationToken);

    /// <summary>
    /// Purges all expired values except the newest <paramref name="keep"/>; never the active one, nor one that expired less than a tick
    /// ago.
    /// </summary>
    /// <param name="variable">The variable.</param>
    /// <param name="keep">How many expired values stay; 0 or more.</param>
    /// <param name="cancellationToken">Cancels, up to the commit.</param>
    /// <returns>What was purged; null if nothing was.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="keep"/> is negative.</exception>
    /// <inheritdoc cref="RescheduleAsync" path="/exception"/>
    public Task<TickChange?> PurgeAsync(string variable, int keep = 5, CancellationToken cancellationToken = default) =>
        ChangeIfAnyAsync(variable, reading => TickRules.Purge(reading, keep), cancellationToken);

    private TickEdit Purged(TickReading reading, TickEdit edit) =>
        KeepExpired is { } keep ? edit with { Operations = [.. TickRules.Purge(reading, keep).Operations, .. edit.Operations] } : edit;

    private async Task<TickChange?> ChangeIfAnyAsync(
        string variable,
        Func<TickReading, TickEdit> decide,
        CancellationToken cancellationToken
    )
    {
        var commit = await ChangeAsync(variable, decide, cancellationToken).ConfigureAwait(false);
        return commit.Edit.Operations.Count == 0 ? null : new TickChange(variable, commit);
    }

    private async Task<TickCommit> ChangeAsync(string variable, Func<TickReading, TickEdit> decide, CancellationToken cancellationToken) =>
        (await ChangeAsync([variable], readings => [decide(readings[0])], cancellationToken).ConfigureAwait(false))[0];

    private async Task<IReadOnlyList<TickCommit>> ChangeAsync(
        string[] variables,
        Func<IReadOnlyList<TickReading>, IReadOnlyList<TickEdit>> decide,
        CancellationToken cancellationToken
    )
    {
        foreach (var variable in variables)
            TickTuple.CheckName(variable);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await _store.ChangeAsync(variables, _who, decide, cancellationToken).ConfigureAwait(false);
            }
            catch (TickDeadlineException) when (attempt < Attempts)
            {
                // Rolled back, so that deciding again is safe: it finds a later boundary.
            }
        }
    }
}

/// <summary>A change that was committed.</summary>
public sealed class TickChange
{
    internal TickChange(string variable, TickCommit commit)
    {
        Variable = variable;
        Operations = commit.Edit.Operations;
        Before = commit.Before;
        IsLate = commit.IsLate;
        Replaced =
            Tuple is { } tuple
            && Operations.Any(operation => operation.Action == TickAction.Set)
            && commit.Before.Schedule.ActiveAt(tuple.ActiveAt)?.ActiveAt == tuple.ActiveAt;
    }

    /// <summary>The variable.</summary>
    public string Variable { get; }

    /// <summary>Everything that was done, in order.</summary>
    public IReadOnlyList<TickOperation> Operations { get; }

    /// <summary>The schedule and the store's time from which it was decided.</summary>
    public TickReading Before { get; }

    /// <summary>The first tuple that was set, or the one that was removed or moved.</summary>
    public TickTuple? Tuple => Operations.FirstOrDefault(operation => operation.Action != TickAction.Purge)?.Tuple;

    /// <summary>When the change takes effect; null if it only purged.</summary>
    public DateTimeOffset? ActiveAt => Tuple?.ActiveAt;

    /// <summary>
    /// Whether the variable is new and its tick shorter than that at which processes look for variables without a value: its first value
    /// waits for the longer one.
    /// </summary>
    public bool WaitsForDefaultTick => Before.Schedule.Tuples.Count == 0 && Tuple?.Tick < Before.Settings.DefaultTick;

    /// <summary>True when a pending value was replaced (the contract's "updated"), false when one was added.</summary>
    public bool Replaced { get; }

    /// <summary>
    /// True if the commit took so long that some process may pick it up only at its next refresh; see <see cref="TickCommit.IsLate"/>.
    /// </summary>
    public bool IsLate { get; }
}
