using System.Xml.Linq;

namespace Lockstep.Staging.Help;

/// <summary>Writes cmdlet help in the format that <c>Get-Help</c> reads (MAML).</summary>
internal sealed class MamlWriter(Uri pages)
{
    private static readonly XNamespace Msh = "http://msh";
    private static readonly XNamespace Maml = "http://schemas.microsoft.com/maml/2004/10";
    private static readonly XNamespace Command = "http://schemas.microsoft.com/maml/dev/command/2004/10";
    private static readonly XNamespace Dev = "http://schemas.microsoft.com/maml/dev/2004/10";

    private readonly XElement _items = new(Msh + "helpItems", new XAttribute("schema", "maml"));

    /// <summary>Adds a cmdlet: what the page says, completed with what the code says.</summary>
    public void Add(CmdletDescription cmdlet, HelpPage page) =>
        _items.Add(
            new XElement(
                Command + "command",
                new XAttribute(XNamespace.Xmlns + "maml", Maml),
                new XAttribute(XNamespace.Xmlns + "command", Command),
                new XAttribute(XNamespace.Xmlns + "dev", Dev),
                new XElement(
                    Command + "details",
                    new XElement(Command + "name", cmdlet.Name),
                    new XElement(Command + "verb", cmdlet.Verb),
                    new XElement(Command + "noun", cmdlet.Noun),
                    Description(page.Synopsis)
                ),
                Description(page["Description"]),
                new XElement(Command + "syntax", cmdlet.ParameterSets.Select(set => SyntaxItem(cmdlet, set))),
                new XElement(
                    Command + "parameters",
                    cmdlet
                        .Parameters.OrderBy(parameter => parameter.Name, StringComparer.Ordinal)
                        .Select(parameter => Parameter(parameter, parameter.Usual, parameter.Text))
                ),
                new XElement(
                    Command + "inputTypes",
                    cmdlet.Inputs.Select(type => new XElement(Command + "inputType", Type(type.Name), Description(type.Summary)))
                ),
                new XElement(
                    Command + "returnValues",
                    cmdlet.Outputs.Select(type => new XElement(Command + "returnValue", Type(type.Name), Description(type.Summary)))
                ),
                page["Notes"] is { Length: > 0 } notes
                    ? new XElement(Maml + "alertSet", new XElement(Maml + "alert", Paragraphs(notes)))
                    : null,
                new XElement(Command + "examples", page.Examples.Select(Example)),
                new XElement(
                    Command + "relatedLinks",
                    Link("Online version:", new Uri(pages, cmdlet.Name + ".md").ToString()),
                    Related(page).Select(name => Link(name, ""))
                )
            )
        );

    public void Save(string file)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        _items.Save(file);
    }

    private static XElement SyntaxItem(CmdletDescription cmdlet, string set) =>
        new(
            Command + "syntaxItem",
            new XElement(Maml + "name", cmdlet.Name),
            cmdlet.In(set).Select(pair => Parameter(pair.Parameter, pair.Use, ""))
        );

    private static XElement Parameter(ParameterDescription parameter, ParameterUse use, string text) =>
        new(
            Command + "parameter",
            new XAttribute("required", use.IsMandatory ? "true" : "false"),
            new XAttribute("variableLength", parameter.Type.EndsWith("[]", StringComparison.Ordinal) ? "true" : "false"),
            new XAttribute("globbing", parameter.TakesWildcards ? "true" : "false"),
            new XAttribute("pipelineInput", use.PipelineInput),
            new XAttribute("position", use.Position is { } position ? $"{position}" : "named"),
            new XAttribute("aliases", parameter.Aliases.Count > 0 ? string.Join(", ", parameter.Aliases) : "none"),
            new XElement(Maml + "name", parameter.Name),
            Description(text),
            parameter.IsSwitch
                ? null
                : new XElement(
                    Command + "parameterValue",
                    new XAttribute("required", "true"),
                    new XAttribute("variableLength", "false"),
                    parameter.Type
                ),
            Type(parameter.IsSwitch ? "SwitchParameter" : parameter.Type),
            new XElement(Dev + "defaultValue", parameter.Default ?? "None")
        );

    private static XElement Example(HelpPage.Example example, int index) =>
        new(
            Command + "example",
            new XElement(Maml + "title", $"Example {index + 1}: {MarkdownText.Inline(example.Title)}"),
            new XElement(Dev + "code", example.Code),
            new XElement(Dev + "remarks", Paragraphs(example.Remarks))
        );

    /// <summary>The cmdlets and topics that the section Related lists.</summary>
    private static IEnumerable<string> Related(HelpPage page) =>
        page["Related"].Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => MarkdownText.Inline(line.TrimStart('-', ' ')));

    private static XElement Link(string text, string uri) =>
        new(Maml + "navigationLink", new XElement(Maml + "linkText", text), new XElement(Maml + "uri", uri));

    private static XElement Type(string name) => new(Dev + "type", new XElement(Maml + "name", name), new XElement(Maml + "uri"));

    private static XElement Description(string markdown) => new(Maml + "description", Paragraphs(markdown));

    private static IEnumerable<XElement> Paragraphs(string markdown) =>
        MarkdownText.Paragraphs(markdown).Select(text => new XElement(Maml + "para", text));
}
