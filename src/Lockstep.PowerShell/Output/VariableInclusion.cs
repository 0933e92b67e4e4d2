namespace Lockstep;

/// <summary>Whether a variable that is a percentage includes a key.</summary>
public sealed class VariableInclusion
{
    internal VariableInclusion() { }

    /// <summary>The variable's name.</summary>
    public required string Name { get; init; }

    /// <summary>The key.</summary>
    public required string For { get; init; }

    /// <summary>Whether the key is included.</summary>
    public required bool IsIncluded { get; init; }

    /// <summary>The variable's value, from 0 (no key) to 100 (every key).</summary>
    public required decimal Percent { get; init; }

    /// <summary>The key's place among all keys of the variable: it is included if this is below the percentage.</summary>
    public required decimal Position { get; init; }

    /// <summary>Where the variable is kept.</summary>
    public required VariableStore Store { get; init; }

    /// <summary>The name, the key and the answer.</summary>
    public override string ToString() => $"{Name} for {For} = {(IsIncluded ? "true" : "false")}";
}
