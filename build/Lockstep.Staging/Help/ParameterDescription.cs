namespace Lockstep.Staging.Help;

/// <summary>What the code says of a parameter.</summary>
internal sealed record ParameterDescription
{
    /// <summary>The name of the set that stands for all of them.</summary>
    public const string AllSets = "__AllParameterSets";

    public required string Name { get; init; }

    /// <summary>The type's short name; empty for a switch, which takes no value.</summary>
    public required string Type { get; init; }

    /// <summary>The summary and the remarks of the property, and the names to choose from.</summary>
    public required string Text { get; init; }

    /// <summary>The value it has when it is not given, as PowerShell writes it; null where the text tells.</summary>
    public string? Default { get; init; }

    public IReadOnlyList<string> Aliases { get; init; } = [];

    public bool TakesWildcards { get; init; }

    /// <summary>How it is used, by parameter set.</summary>
    public required IReadOnlyDictionary<string, ParameterUse> Uses { get; init; }

    public bool IsSwitch => Type.Length == 0;

    /// <summary>How it is used in a set; null where it is no part of it.</summary>
    public ParameterUse? In(string set) => Uses.GetValueOrDefault(set) ?? Uses.GetValueOrDefault(AllSets);

    /// <summary>How it is used where sets differ: as in the first.</summary>
    public ParameterUse Usual => Uses.Values.First();

    /// <summary>The parameter in a syntax line.</summary>
    public string Syntax(ParameterUse use)
    {
        var name = use.Position is null ? $"-{Name}" : $"[-{Name}]";
        var whole = IsSwitch ? name : $"{name} <{Type}>";
        return use.IsMandatory ? whole : $"[{whole}]";
    }
}

/// <summary>The part of a parameter in one parameter set.</summary>
internal sealed record ParameterUse(bool IsMandatory, int? Position, bool ByValue, bool ByPropertyName)
{
    /// <summary>As help says it.</summary>
    public string PipelineInput =>
        (ByValue, ByPropertyName) switch
        {
            (true, true) => "True (ByValue, ByPropertyName)",
            (true, false) => "True (ByValue)",
            (false, true) => "True (ByPropertyName)",
            _ => "False",
        };
}
