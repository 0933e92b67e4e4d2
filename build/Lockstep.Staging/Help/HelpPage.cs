using System.Text.RegularExpressions;

namespace Lockstep.Staging.Help;

/// <summary>A page of markdown on one cmdlet: a heading, the synopsis, and sections.</summary>
internal sealed partial class HelpPage
{
    private readonly List<(string Heading, string Body)> _sections = [];

    private HelpPage(string title, string synopsis)
    {
        Title = title;
        Synopsis = synopsis;
    }

    public string Title { get; }

    public string Synopsis { get; }

    /// <summary>What is wanted of a page, in this order.</summary>
    public static IReadOnlyList<string> Headings { get; } =
    ["Syntax", "Description", "Examples", "Parameters", "Inputs", "Outputs", "Notes", "Related"];

    /// <summary>An example: what it shows, what is typed, and what is said of it.</summary>
    public sealed record Example(string Title, string Code, string Remarks);

    public static HelpPage New(string title, string synopsis) => new(title, synopsis);

    public static HelpPage Parse(string text)
    {
        var parts = SectionHeading().Split(text.ReplaceLineEndings("\n"));
        var head = parts[0].Trim().Split('\n', 2);
        var page = new HelpPage(head[0].TrimStart('#').Trim(), head.ElementAtOrDefault(1)?.Trim() ?? "");
        for (var i = 1; i + 1 < parts.Length; i += 2)
            page._sections.Add((parts[i].Trim(), parts[i + 1].Trim()));

        return page;
    }

    /// <summary>The body of a section; empty where there is none.</summary>
    public string this[string heading] => _sections.FirstOrDefault(section => section.Heading == heading).Body ?? "";

    public IEnumerable<Example> Examples =>
        ExampleHeading().Split("\n" + this["Examples"]).Skip(1).Chunk(2).Select(pair => ToExample(pair[0], Comment().Replace(pair[1], "")));

    /// <summary>Sets a section's body, in its place among <see cref="Headings"/>.</summary>
    public void Set(string heading, string body)
    {
        var at = _sections.FindIndex(section => section.Heading == heading);
        if (at >= 0)
            _sections[at] = (heading, body);
        else
            _sections.Insert(_sections.Count(section => Order(section.Heading) < Order(heading)), (heading, body));
    }

    public override string ToString()
    {
        var sections = _sections.Where(section => section.Body.Length > 0).Select(section => $"## {section.Heading}\n\n{section.Body}\n");
        return string.Join('\n', sections.Prepend($"# {Title}\n\n{Synopsis}\n"));
    }

    private static int Order(string heading) => Headings.ToList().IndexOf(heading) is >= 0 and var at ? at : Headings.Count;

    private static Example ToExample(string title, string body)
    {
        var blocks = CodeBlock().Matches(body);
        var code = string.Join("\n\n", blocks.Select(block => block.Groups["code"].Value.TrimEnd()));
        return new Example(title.Trim(), code, CodeBlock().Replace(body, "").Trim());
    }

    [GeneratedRegex(@"^## (.+)$", RegexOptions.Multiline)]
    private static partial Regex SectionHeading();

    [GeneratedRegex(@"^### (.+)$", RegexOptions.Multiline)]
    private static partial Regex ExampleHeading();

    [GeneratedRegex(@"^```[a-z]*\n(?<code>.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex CodeBlock();

    [GeneratedRegex(@"<!--.*?-->\n?", RegexOptions.Singleline)]
    private static partial Regex Comment();
}
