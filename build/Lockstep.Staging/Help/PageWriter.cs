using System.Text;

namespace Lockstep.Staging.Help;

/// <summary>Writes into a page what follows from the code, so that the page is whole where no PowerShell is at hand.</summary>
internal static class PageWriter
{
    public static void Refresh(HelpPage page, CmdletDescription cmdlet)
    {
        page.Set("Syntax", $"```\n{string.Join("\n\n", cmdlet.ParameterSets.Select(set => Syntax(cmdlet, set)))}\n```");
        page.Set(
            "Parameters",
            string.Join("\n\n", cmdlet.Parameters.OrderBy(parameter => parameter.Name, StringComparer.Ordinal).Select(Section))
        );
        page.Set("Inputs", Types(cmdlet.Inputs));
        page.Set("Outputs", Types(cmdlet.Outputs));
    }

    /// <summary>A line of a syntax, broken and indented where it gets long.</summary>
    private static string Syntax(CmdletDescription cmdlet, string set)
    {
        var text = new StringBuilder(cmdlet.Name);
        var length = cmdlet.Name.Length;
        foreach (var part in cmdlet.In(set).Select(pair => pair.Parameter.Syntax(pair.Use)).Append("[<CommonParameters>]"))
        {
            if (length + part.Length > 110)
            {
                text.Append("\n   ");
                length = 3;
            }

            text.Append(' ').Append(part);
            length += part.Length + 1;
        }

        return text.ToString();
    }

    private static string Section(ParameterDescription parameter)
    {
        var uses = parameter.Uses;
        var facts = new List<string>();
        if (!uses.ContainsKey(ParameterDescription.AllSets))
            facts.Add("sets " + string.Join(", ", uses.Keys));
        if (parameter.Usual.IsMandatory)
            facts.Add("required");
        if (parameter.Usual.Position is { } position)
            facts.Add($"position {position}");
        if (parameter.Default is { } value && value != "False")
            facts.Add($"default `{value}`");
        if (parameter.Aliases.Count > 0)
            facts.Add("alias " + string.Join(", ", parameter.Aliases));
        if (parameter.Usual is { ByValue: true } or { ByPropertyName: true })
        {
            facts.Add(
                "from the pipeline "
                    + string.Join(
                        " and ",
                        new[] { parameter.Usual.ByValue ? "by value" : "", parameter.Usual.ByPropertyName ? "by property name" : "" }.Where(
                            text => text.Length > 0
                        )
                    )
            );
        }

        if (parameter.TakesWildcards)
            facts.Add("wildcards");

        var heading = parameter.IsSwitch ? $"### -{parameter.Name}" : $"### -{parameter.Name} \\<{parameter.Type}\\>";
        var text = heading + "\n\n" + parameter.Text;
        return facts.Count == 0 ? text : $"{text}\n\n*{char.ToUpperInvariant(facts[0][0])}{string.Join("; ", facts)[1..]}.*";
    }

    private static string Types(IReadOnlyList<TypeDescription> types) =>
        types.Count == 0
            ? "None."
            : string.Join('\n', types.Select(type => $"- `{type.Name}`{(type.Summary.Length > 0 ? ": " + type.Summary : "")}"));
}
