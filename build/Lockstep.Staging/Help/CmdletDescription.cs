namespace Lockstep.Staging.Help;

/// <summary>What the code says of a cmdlet.</summary>
internal sealed record CmdletDescription
{
    public required string Verb { get; init; }

    public required string Noun { get; init; }

    public string Name => $"{Verb}-{Noun}";

    /// <summary>The summary of the class.</summary>
    public required string Synopsis { get; init; }

    /// <summary>All parameters but the common ones, in the order of the code.</summary>
    public required IReadOnlyList<ParameterDescription> Parameters { get; init; }

    /// <summary>The parameter sets, the default one first.</summary>
    public required IReadOnlyList<string> ParameterSets { get; init; }

    /// <summary>What comes by the pipeline as it is.</summary>
    public required IReadOnlyList<TypeDescription> Inputs { get; init; }

    /// <summary>What it says to return.</summary>
    public required IReadOnlyList<TypeDescription> Outputs { get; init; }

    /// <summary>The parameters of a set, in the order of a syntax line: by position, then the mandatory ones, then the others.</summary>
    public IEnumerable<(ParameterDescription Parameter, ParameterUse Use)> In(string set) =>
        Parameters
            .Select(parameter => (Parameter: parameter, Use: parameter.In(set)))
            .Where(pair => pair.Use is not null)
            .Select(pair => (pair.Parameter, Use: pair.Use!))
            .OrderBy(pair => pair.Use.Position ?? int.MaxValue)
            .ThenByDescending(pair => pair.Use.IsMandatory);
}

/// <summary>A type that goes in or comes out.</summary>
/// <param name="Name">As PowerShell shows it.</param>
/// <param name="Summary">What the code says of it; empty for a type that is not ours.</param>
internal sealed record TypeDescription(string Name, string Summary);
