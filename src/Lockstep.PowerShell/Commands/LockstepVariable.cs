using System.Collections;
using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Completers;
using Lockstep.Engine;
using Lockstep.Parameters;
using Lockstep.Variables;

namespace Lockstep.Commands;

/// <summary>Lists variables and their values; or says whether a percentage includes a key.</summary>
[Cmdlet(VerbsCommon.Get, "LockstepVariable")]
[OutputType(typeof(VariableInfo))]
[OutputType(typeof(VariableInclusion))]
public sealed class GetLockstepVariableCommand : VariableCmdlet
{
    /// <summary>The variables; all in the store if none is named.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(VariableCompleter))]
    public string[] Name { get; set; } = ["*"];

    /// <summary>
    /// For variables that are percentages: says for each of these keys (users, machines, requests) whether it is included. The answer is
    /// the same in every process, and an included key stays included while the percentage rises.
    /// </summary>
    [Parameter]
    [ValidateNotNull]
    public string[]? For { get; set; }

    /// <summary>The values at this time, as planned now, instead of the active ones.</summary>
    [Parameter]
    [Instant]
    public DateTimeOffset? At { get; set; }

    private protected override void Process() =>
        ForEach(
            Name,
            (store, variable) =>
            {
                if (For is null)
                    WriteObject(store.Get(variable, At));
                else
                    WriteObject(store.GetInclusions(variable, For, At), enumerateCollection: true);
            }
        );
}

/// <summary>
/// Sets a variable, or schedules values, for all processes to switch together. Returns at once, with the time of each switch.
/// </summary>
[Cmdlet(
    VerbsCommon.Set,
    "LockstepVariable",
    DefaultParameterSetName = ByValue,
    SupportsShouldProcess = true,
    ConfirmImpact = ConfirmImpact.Low
)]
[OutputType(typeof(ScheduledValue))]
public sealed class SetLockstepVariableCommand : VariableCmdlet
{
    private const string ByValue = "Value";
    private const string ByRamp = "Ramp";
    private const string ByGroup = "Group";

    /// <summary>The variable; its first value creates it.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ByValue, ValueFromPipelineByPropertyName = true)]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ByRamp, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(VariableCompleter))]
    public string Name { get; set; } = "";

    /// <summary>The value: anything with a JSON form.</summary>
    [Parameter(Mandatory = true, Position = 1, ParameterSetName = ByValue, ValueFromPipelineByPropertyName = true)]
    [AllowNull]
    [AllowEmptyString]
    [AllowEmptyCollection]
    public object? Value { get; set; }

    /// <summary>
    /// Values of several variables, by name: either all are set or none, and they switch together at the first boundary that they share. A
    /// later change of one variable's tick does not separate them.
    /// </summary>
    [Parameter(Mandatory = true, ParameterSetName = ByGroup)]
    [ValidateNotNullOrEmpty]
    public IDictionary Group { get; set; } = new Hashtable();

    /// <summary>The number at which a ramp starts.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ByRamp)]
    public decimal From { get; set; }

    /// <summary>The number at which a ramp ends.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ByRamp)]
    public decimal To { get; set; }

    /// <summary>How long a ramp takes: seconds, <c>2h</c>, or a TimeSpan.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ByRamp)]
    [Seconds]
    public TimeSpan Over { get; set; }

    /// <summary>How many steps a ramp has; by default steps of 1, or as many as there are ticks.</summary>
    [Parameter(ParameterSetName = ByRamp)]
    [ValidateRange(1, 1000)]
    public int? Steps { get; set; }

    /// <summary>When it becomes active: the first boundary from this time on. By default as soon as every process can know of it.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Instant]
    public DateTimeOffset? ActiveAt { get; set; }

    /// <summary>
    /// How often processes look for changes from then on: seconds, <c>500ms</c>, or a TimeSpan. By default unchanged. The first value of a
    /// variable waits for the store's default tick, the interval at which processes look for a variable that has none.
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Seconds]
    public TimeSpan? Tick { get; set; }

    /// <summary>The tick of variables before their first value, if this creates the store. By default 10 seconds.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan? DefaultTick { get; set; }

    /// <summary>Replaces a value that is already pending for that boundary.</summary>
    [Parameter(ParameterSetName = ByValue)]
    [Parameter(ParameterSetName = ByGroup)]
    public SwitchParameter Force { get; set; }

    private protected override void Process()
    {
        if (ParameterSetName == ByGroup)
        {
            SetGroup();
            return;
        }

        Current = Name;
        var store = Stores[Store];
        var json = ParameterSetName == ByValue ? Stores.Values.ToJson(Value) : null;
        if (
            !ShouldProcess(
                $"the variable '{Name}' in {store.Name}",
                json is null ? $"Ramp from {From} to {To} over {Over}" : $"Set to {json}"
            )
        )
        {
            return;
        }

        store.OpenOrCreate(DefaultTick);
        WriteObject(
            json is null ? store.Ramp(Name, From, To, Over, Steps, ActiveAt, Tick) : store.Set(Name, json, ActiveAt, Tick, Force),
            enumerateCollection: true
        );
    }

    private void SetGroup()
    {
        var values = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry entry in Group)
        {
            Current = $"{entry.Key}";
            if (!values.TryAdd(Current, Stores.Values.ToJson(entry.Value)))
                throw new InvalidOptionException($"The group has '{Current}' twice.", "Give each variable one value.");
        }

        Current = string.Join(", ", values.Keys);
        var store = Stores[Store];
        if (!ShouldProcess($"the variables {Current} in {store.Name}", $"Set together to {string.Join(", ", values.Values)}"))
        {
            return;
        }

        store.OpenOrCreate(DefaultTick);
        WriteObject(store.SetTogether(values, ActiveAt, Tick, Force), enumerateCollection: true);
    }
}

/// <summary>Removes a pending value, or a whole variable.</summary>
[Cmdlet(
    VerbsCommon.Remove,
    "LockstepVariable",
    DefaultParameterSetName = ByInstant,
    SupportsShouldProcess = true,
    ConfirmImpact = ConfirmImpact.Medium
)]
public sealed class RemoveLockstepVariableCommand : VariableCmdlet
{
    private const string ByInstant = "ActiveAt";
    private const string Whole = "All";

    /// <summary>The variable.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(VariableCompleter))]
    public string Name { get; set; } = "";

    /// <summary>When the value would become active, to the millisecond, as Get-LockstepVariableSchedule returns it.</summary>
    [Parameter(Mandatory = true, Position = 1, ParameterSetName = ByInstant, ValueFromPipelineByPropertyName = true)]
    [Instant]
    public DateTimeOffset ActiveAt { get; set; }

    /// <summary>
    /// Removes the variable with all its values, including the active one. Processes that still use it find it gone when they next look at
    /// the store, not at the same instant: set it to $null first to switch it off everywhere at once.
    /// </summary>
    [Parameter(Mandatory = true, ParameterSetName = Whole)]
    public SwitchParameter All { get; set; }

    private protected override void Process()
    {
        Current = Name;
        var store = Stores[Store];
        if (ParameterSetName == Whole)
        {
            if (All && ShouldProcess($"the variable '{Name}' in {store.Name}", "Remove with all its values"))
                store.RemoveAll(Name);
            return;
        }

        if (ShouldProcess($"the variable '{Name}' in {store.Name}", $"Remove the value that becomes active at {ActiveAt:O}"))
        {
            store.Remove(Name, ActiveAt);
        }
    }
}

/// <summary>Returns each value at the instant at which it becomes active, until Ctrl+C.</summary>
[Cmdlet(VerbsCommon.Watch, "LockstepVariable")]
[OutputType(typeof(VariableActivation))]
public sealed class WatchLockstepVariableCommand : VariableCmdlet
{
    private readonly List<string> _names = [];
    private StoreConnection? _store;

    /// <summary>The variables. It waits for one that has no value yet.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(VariableCompleter))]
    public string[] Name { get; set; } = [];

    /// <summary>Also returns the values that are active at the start.</summary>
    [Parameter]
    public SwitchParameter IncludeCurrent { get; set; }

    private protected override void Process()
    {
        var store = Stores[Store];
        if (_store is not null && _store != store)
            throw new InvalidOptionException("The variables come from several stores.", "Watch those of one store at a time.");

        _store = store;
        _names.AddRange(Name.Except(_names, StringComparer.Ordinal));
    }

    private protected override void End()
    {
        if (_store is null)
            return;

        Current = string.Join(", ", _names);
        Pump(_store.Watch(_names, IncludeCurrent), new ActivationOutput(this, _store.Name, Stores.Values).Take);
    }
}
