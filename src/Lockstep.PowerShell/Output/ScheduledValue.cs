namespace Lockstep;

/// <summary>One entry of a variable's schedule.</summary>
public sealed class ScheduledValue
{
    internal ScheduledValue() { }

    /// <summary>The variable's name.</summary>
    public required string Name { get; init; }

    /// <summary>Whether it has been, is, or will be active, on the store's clock.</summary>
    public required ScheduleState State { get; init; }

    /// <summary>When the value becomes or became active, to the millisecond.</summary>
    public required DateTimeOffset ActiveAt { get; init; }

    /// <summary>The value.</summary>
    public required object? Value { get; init; }

    /// <summary>How often processes look for changes from then on.</summary>
    public required TimeSpan Tick { get; init; }

    /// <summary>The value as JSON text.</summary>
    public required string Json { get; init; }

    /// <summary>Who set or moved it last; null if the newest part of the audit trail does not say.</summary>
    public required string? SetBy { get; init; }

    /// <summary>When that was, on the store's clock; null in the same case.</summary>
    public required DateTimeOffset? SetAt { get; init; }

    /// <summary>Where the variable is kept.</summary>
    public required VariableStore Store { get; init; }

    /// <summary>The name, the value and its time.</summary>
    public override string ToString() => $"{Name} = {Json} at {ActiveAt:O}";
}

/// <summary>The state of an entry of a schedule.</summary>
public enum ScheduleState
{
    /// <summary>Another value has replaced it.</summary>
    Past = 0,

    /// <summary>It is active.</summary>
    Current = 1,

    /// <summary>It will become active.</summary>
    Pending = 2,
}
