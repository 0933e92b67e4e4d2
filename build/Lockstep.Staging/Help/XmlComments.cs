using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Lockstep.Staging.Help;

/// <summary>The comments of an assembly's code, as plain text.</summary>
internal sealed partial class XmlComments
{
    private readonly Dictionary<string, XElement> _members;

    /// <param name="file">What the compiler wrote beside the assembly.</param>
    public XmlComments(string file)
    {
        if (!File.Exists(file))
        {
            throw new StagingException(
                $"There is no '{file}', which holds the help of the parameters. Build with GenerateDocumentationFile."
            );
        }

        _members = XDocument.Load(file).Descendants("member").ToDictionary(member => (string)member.Attribute("name")!);
    }

    /// <summary>Summary and remarks of a type or a property; empty where there are none.</summary>
    /// <param name="id">As the compiler names it: <c>T:Some.Type</c>, <c>P:Some.Type.Property</c>.</param>
    public string Of(string id) => string.Join(' ', new[] { Summary(id), Part(id, "remarks") }.Where(text => text.Length > 0));

    /// <summary>The summary alone.</summary>
    public string Summary(string id) => Part(id, "summary");

    private string Part(string id, string name) =>
        _members.TryGetValue(id, out var member) && member.Element(name) is { } part ? Text(part) : "";

    private static string Text(XElement element)
    {
        var text = new StringBuilder();
        foreach (var node in element.Nodes())
        {
            text.Append(
                node switch
                {
                    XText plain => plain.Value,
                    XElement { Name.LocalName: "see" or "seealso" or "paramref" } link => Name(link),
                    XElement { Name.LocalName: "para" or "br" } paragraph => " " + Text(paragraph) + " ",
                    XElement other => Text(other),
                    _ => "",
                }
            );
        }

        return Space().Replace(text.ToString(), " ").Trim();
    }

    private static string Name(XElement link) =>
        ((string?)link.Attribute("langword") ?? (string?)link.Attribute("name") ?? (string?)link.Attribute("cref") ?? "").Split('.', ':')[
            ^1
        ];

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
