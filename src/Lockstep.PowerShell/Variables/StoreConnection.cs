using System.Management.Automation;
using System.Text.Json;
using Lockstep.Engine;
using Lockstep.Errors;
using Lockstep.Parameters;
using Lockstep.Pipeline;
using Lockstep.Ticks;

namespace Lockstep.Variables;

/// <summary>A store as a cmdlet uses it: calls the engine, waits on the pipeline thread, and returns what users see.</summary>
internal sealed class StoreConnection(VariableStore name, VariableValues values, LockstepCmdlet cmdlet, CancellationToken stop)
    : IDisposable
{
    /// <summary>How many lines of the audit trail to search for who set a value: twice those of the longest ramp.</summary>
    private const int AuditLines = 2 * TickRamp.MaximumSteps;

    private static readonly string Who = $"{Environment.UserName}@{Environment.MachineName}";

    private ITickStore? _store;

    public VariableStore Name { get; } = name;

    /// <summary>Opens the store for writing, and creates it if it does not exist yet.</summary>
    /// <param name="defaultTick">The default tick of a new store; an existing one keeps its own, with a warning if it differs.</param>
    public void OpenOrCreate(TimeSpan? defaultTick)
    {
        Open(TickSettings.Default with { DefaultTick = defaultTick ?? TickSettings.Default.DefaultTick });
        if (defaultTick is { } wanted && Ask(store => store.ReadSettingsAsync(stop)).DefaultTick is var kept && kept != wanted)
            cmdlet.WriteWarning($"The store {Name} was created with a default tick of {kept} and keeps it.");
    }

    /// <summary>
    /// The names that a name or pattern matches. A variable with exactly that name takes precedence, even if the name looks like a pattern.
    /// </summary>
    public IReadOnlyList<string> Find(string pattern)
    {
        if (!WildcardPattern.ContainsWildcardCharacters(pattern) && !pattern.Contains('`', StringComparison.Ordinal))
            return [pattern];

        var all = Names();
        if (all.Contains(pattern))
            return [pattern];
        // The name may arrive escaped as PowerShell would escape it: web`[1`].
        if (!WildcardPattern.ContainsWildcardCharacters(pattern))
            return [WildcardPattern.Unescape(pattern)];
        var wildcard = WildcardPattern.Get(pattern, PatternOptions.AnyCase);
        return [.. all.Where(wildcard.IsMatch)];
    }

    public IReadOnlyList<string> Names() => Ask(store => store.ListAsync(stop));

    /// <summary>A variable in its current state, or as planned for a time.</summary>
    /// <exception cref="VariableNotFoundException">The variable has no value at any time.</exception>
    public VariableInfo Get(string variable, DateTimeOffset? at)
    {
        var reading = Read(variable);
        var time = at ?? reading.StoreTime;
        var active = reading.Schedule.ActiveAt(time);
        var next = reading.Schedule.NextAfter(time);
        return new VariableInfo
        {
            Name = variable,
            Value = values.ToObject(active?.Json),
            ActiveAt = active?.ActiveAt.ToLocalTime(),
            Tick = reading.Schedule.TickAt(time),
            NextValue = values.ToObject(next?.Json),
            NextActiveAt = next?.ActiveAt.ToLocalTime(),
            Json = active?.Json,
            NextJson = next?.Json,
            Store = Name,
        };
    }

    /// <summary>Whether a percentage includes keys, now or as planned for a time.</summary>
    /// <exception cref="VariableNotFoundException">The variable has no value at any time.</exception>
    /// <exception cref="InvalidOptionException">At that time it is not a percentage.</exception>
    public IEnumerable<VariableInclusion> GetInclusions(string variable, IEnumerable<string> keys, DateTimeOffset? at)
    {
        var reading = Read(variable);
        try
        {
            var percentage = TickPercentage.Parse(variable, reading.Schedule.ActiveAt(at ?? reading.StoreTime)?.Json);
            return keys.Select(key => new VariableInclusion
            {
                Name = variable,
                For = key,
                IsIncluded = percentage.Includes(key),
                Percent = percentage.Percent,
                Position = percentage.PositionOf(key),
                Store = Name,
            });
        }
        catch (JsonException error)
        {
            throw new InvalidOptionException(error.Message, "Read it without -For, or set it to a number from 0 to 100.");
        }
    }

    /// <exception cref="VariableNotFoundException">The variable has no value at any time.</exception>
    public IEnumerable<ScheduledValue> GetSchedule(string variable)
    {
        var reading = Read(variable);
        var active = reading.Schedule.ActiveAt(reading.StoreTime);
        var written = Ask(store => store.ReadAuditAsync(variable, AuditLines, stop))
            .Where(entry => entry.Operation.Action is TickAction.Set or TickAction.Move)
            .ToLookup(entry => entry.Operation.Tuple.ActiveAt);
        return reading.Schedule.Tuples.Select(tuple =>
        {
            var state =
                tuple == active ? ScheduleState.Current
                : tuple.ActiveAt <= reading.StoreTime ? ScheduleState.Past
                : ScheduleState.Pending;
            var last = written[tuple.ActiveAt].LastOrDefault();
            return ToModel(variable, tuple, state, last?.Who, last?.At);
        });
    }

    /// <summary>Sets a value.</summary>
    /// <returns>The entries of the schedule that were written.</returns>
    public IEnumerable<ScheduledValue> Set(string variable, string json, DateTimeOffset? activeAt, TimeSpan? tick, bool replace) =>
        Written(Ask(store => new TickEditor(store, Who).SetAsync(variable, json, activeAt, tick, replace, stop)), activeAt);

    /// <summary>Sets values that switch together.</summary>
    /// <returns>The entries of the schedules that were written.</returns>
    public IEnumerable<ScheduledValue> SetTogether(
        IReadOnlyDictionary<string, string> values,
        DateTimeOffset? activeAt,
        TimeSpan? tick,
        bool replace
    ) =>
        Ask(store => new TickEditor(store, Who).SetTogetherAsync(values, activeAt, tick, replace, stop))
            .SelectMany(change => Written(change, activeAt));

    /// <summary>Removes all past values but the newest.</summary>
    public void Purge(string variable, int keep) => Ask(store => new TickEditor(store, Who).PurgeAsync(variable, keep, stop));

    /// <summary>Moves pending values to the boundaries they belong to.</summary>
    /// <returns>The entries of the schedule that were moved, in their new state.</returns>
    public IEnumerable<ScheduledValue> Reschedule(string variable)
    {
        var change = Ask(store => new TickEditor(store, Who).RescheduleAsync(variable, stop));
        return change is null
            ? []
            : change.Operations.Select(moved => ToModel(variable, moved.Tuple, ScheduleState.Pending, Who, change.Before.StoreTime));
    }

    /// <summary>Sets a ramp.</summary>
    /// <returns>The entries of the schedule that were written.</returns>
    public IEnumerable<ScheduledValue> Ramp(
        string variable,
        decimal from,
        decimal to,
        TimeSpan over,
        int? steps,
        DateTimeOffset? activeAt,
        TimeSpan? tick
    ) =>
        Written(
            Ask(store => new TickEditor(store, Who).RampAsync(variable, new TickRamp(from, to, over, steps), activeAt, tick, stop)),
            activeAt
        );

    /// <exception cref="VariableNotFoundException">The schedule has nothing at that instant.</exception>
    public void Remove(string variable, DateTimeOffset activeAt)
    {
        var change =
            Ask(store => new TickEditor(store, Who).RemoveAsync(variable, activeAt, stop))
            ?? throw new VariableNotFoundException(variable, activeAt, $"{Name}");
        Tell(change);
    }

    /// <summary>Removes a variable with all its values.</summary>
    /// <exception cref="VariableNotFoundException">There is no such variable.</exception>
    public void RemoveAll(string variable)
    {
        if (Ask(store => new TickEditor(store, Who).RemoveAllAsync(variable, stop)) is null)
            throw new VariableNotFoundException(variable, $"{Name}");
    }

    /// <summary>What becomes active, and what goes wrong meanwhile; written by an <see cref="ActivationOutput"/>.</summary>
    public IAsyncEnumerable<TickNotice> Watch(IReadOnlyCollection<string> variables, bool includeCurrent) =>
        TickWatch.RunAsync(_store ?? Open(null), variables, includeCurrent, cancellationToken: stop);

    public void Dispose() => _store?.DisposeAsync().AsTask().GetAwaiter().GetResult();

    private ITickStore Open(TickSettings? create) =>
        _store ??= Checked(() =>
            Name.IsMemory
                ? RunspaceMemory.Open(create)
                : StoreNames.All.OpenAsync(Name.Text, create, stop).WaitAsync(stop).GetAwaiter().GetResult()
        );

    private TickReading Read(string variable)
    {
        var reading = Ask(store => store.ReadAsync(variable, stop));
        return reading.Schedule.Tuples.Count > 0 ? reading : throw new VariableNotFoundException(variable, $"{Name}");
    }

    private IEnumerable<ScheduledValue> Written(TickChange change, DateTimeOffset? wanted)
    {
        Tell(change);
        if (wanted < change.Before.StoreTime)
        {
            cmdlet.WriteWarning(
                $"{wanted:O} is past on the store's clock: '{change.Variable}' changes as soon as every process can know of "
                    + $"it, at {change.ActiveAt:O}."
            );
        }

        return change
            .Operations.Where(operation => operation.Action == TickAction.Set)
            .Select(operation => ToModel(change.Variable, operation.Tuple, ScheduleState.Pending, Who, change.Before.StoreTime));
    }

    private void Tell(TickChange change)
    {
        if (change.IsLate)
        {
            cmdlet.WriteWarning(
                $"The store was slow: some process may take up the change of '{change.Variable}' at {change.ActiveAt:O} one tick late."
            );
        }

        if (change.WaitsForDefaultTick)
        {
            cmdlet.WriteWarning(
                $"'{change.Variable}' is new. Processes look for a variable that has no value every {change.Before.Settings.DefaultTick}, "
                    + $"so its first value waits for that; the tick of {change.Tuple!.Tick} counts from then on."
            );
        }

        if (change.Replaced)
            cmdlet.WriteVerbose($"The value of '{change.Variable}' that was pending for {change.ActiveAt:O} was replaced.");

        foreach (var moved in change.Operations.Where(operation => operation.Action == TickAction.Move))
        {
            cmdlet.WriteWarning(
                $"The tick changes, and with it the value of '{change.Variable}' that was pending for {moved.MovedFrom:O} "
                    + $"moves to {moved.Tuple.ActiveAt:O}."
            );
        }
    }

    private ScheduledValue ToModel(string variable, TickTuple tuple, ScheduleState state, string? who, DateTimeOffset? at) =>
        new()
        {
            Name = variable,
            State = state,
            ActiveAt = tuple.ActiveAt.ToLocalTime(),
            Value = values.ToObject(tuple.Json),
            Tick = tuple.Tick,
            Json = tuple.Json,
            SetBy = who,
            SetAt = at?.ToLocalTime(),
            Store = Name,
        };

    // Does not wait after the pipeline has been stopped, even if the store is slow to notice (I10).
    private T Ask<T>(Func<ITickStore, Task<T>> question)
    {
        var store = Open(null);
        return Checked(() => question(store).WaitAsync(stop).GetAwaiter().GetResult());
    }

    /// <summary>The engine reports a user's invalid values with an <see cref="ArgumentException"/>.</summary>
    private static T Checked<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (ArgumentException wrong)
        {
            throw new InvalidOptionException(PlainText.MessageOf(wrong), "Give a value within these bounds.");
        }
    }
}
