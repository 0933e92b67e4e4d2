namespace Lockstep.Staging.Help;

/// <summary>The parameters that PowerShell adds to a cmdlet that asks for them, which it describes nowhere itself.</summary>
internal static class CommonParameters
{
    public static IEnumerable<ParameterDescription> Paging =>
        [
            Of("IncludeTotalCount", "", "Returns first how many there are in all, without -Skip and -First.", "False"),
            Of("Skip", "UInt64", "Leaves out the first so many.", "0"),
            Of("First", "UInt64", "Takes no more than so many.", null),
        ];

    public static IEnumerable<ParameterDescription> ShouldProcess =>
        [
            Of("WhatIf", "", "Says what would be done, and does not do it.", "False", "wi"),
            Of("Confirm", "", "Asks before it does anything.", "False", "cf"),
        ];

    private static ParameterDescription Of(string name, string type, string text, string? usual, params string[] aliases) =>
        new()
        {
            Name = name,
            Type = type,
            Text = text,
            Default = usual,
            Aliases = aliases,
            Uses = new Dictionary<string, ParameterUse> { [ParameterDescription.AllSets] = new(false, null, false, false) },
        };
}
