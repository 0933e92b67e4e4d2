namespace Lockstep;

/// <summary>A variable in its current state, on its store's clock.</summary>
public sealed class VariableInfo
{
    internal VariableInfo() { }

    /// <summary>The variable's name.</summary>
    public required string Name { get; init; }

    /// <summary>The value; null while none is active.</summary>
    public required object? Value { get; init; }

    /// <summary>When the value became active; null while none is.</summary>
    public required DateTimeOffset? ActiveAt { get; init; }

    /// <summary>How often processes look for changes.</summary>
    public required TimeSpan Tick { get; init; }

    /// <summary>The next value; null if nothing is pending.</summary>
    public required object? NextValue { get; init; }

    /// <summary>When it becomes active; null if nothing is pending.</summary>
    public required DateTimeOffset? NextActiveAt { get; init; }

    /// <summary>The value as JSON text; null while none is active.</summary>
    public required string? Json { get; init; }

    /// <summary>The next value as JSON text; null if nothing is pending.</summary>
    public required string? NextJson { get; init; }

    /// <summary>Where the variable is kept.</summary>
    public required VariableStore Store { get; init; }

    /// <summary>The name and the value.</summary>
    public override string ToString() => $"{Name} = {Json ?? "null"}";
}
