namespace Lockstep;

/// <summary>A value became active.</summary>
public sealed class VariableActivation
{
    internal VariableActivation() { }

    /// <summary>The variable's name.</summary>
    public required string Name { get; init; }

    /// <summary>The value.</summary>
    public required object? Value { get; init; }

    /// <summary>When the schedule says that it becomes active.</summary>
    public required DateTimeOffset ActiveAt { get; init; }

    /// <summary>When this process switched, on its own clock.</summary>
    public required DateTimeOffset SwitchedAt { get; init; }

    /// <summary>How often processes look for changes from now on.</summary>
    public required TimeSpan Tick { get; init; }

    /// <summary>The value as JSON text.</summary>
    public required string Json { get; init; }

    /// <summary>Where the variable is kept.</summary>
    public required VariableStore Store { get; init; }

    /// <summary>The name and the value.</summary>
    public override string ToString() => $"{Name} = {Json}";
}
