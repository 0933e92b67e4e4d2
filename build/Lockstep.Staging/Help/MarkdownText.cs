using System.Text;
using System.Text.RegularExpressions;

namespace Lockstep.Staging.Help;

/// <summary>Markdown as it reads in a terminal.</summary>
internal static partial class MarkdownText
{
    private const int Width = 79;

    /// <summary>Paragraphs of running text, without marks of emphasis and links; a list or a block of code keeps its lines.</summary>
    public static IEnumerable<string> Paragraphs(string markdown) =>
        Blocks(markdown)
            .Select(block =>
                block.IsText
                    ? Inline(string.Join(' ', block.Lines.Select(line => line.Trim())))
                    : string.Join('\n', block.Lines.Select(Inline))
            );

    /// <summary>A whole page, indented and broken into lines as PowerShell's own <c>about_</c> topics are.</summary>
    public static string Topic(string markdown)
    {
        var text = new StringBuilder();
        foreach (var block in Blocks(markdown))
        {
            if (text.Length > 0)
                text.Append('\n');
            if (block.IsHeading)
                text.Append(Inline(block.Lines[0].TrimStart('#').Trim()).ToUpperInvariant()).Append('\n');
            else if (block.IsText)
                Wrap(text, Inline(string.Join(' ', block.Lines.Select(line => line.Trim()))));
            else if (block.IsCode)
                block.Lines.ForEach(line => text.Append(("    " + line).TrimEnd()).Append('\n'));
            else
                block.Lines.ForEach(line => Wrap(text, Inline(line), hanging: "      "));
        }

        return text.ToString();
    }

    /// <summary>Without the marks that a terminal does not show: <c>`code`</c>, <c>**bold**</c>, <c>[text](link)</c>.</summary>
    public static string Inline(string text) => Marks().Replace(Link().Replace(text, match => match.Groups[1].Value), "");

    private static void Wrap(StringBuilder text, string paragraph, string hanging = "    ")
    {
        var line = "   ";
        foreach (var word in paragraph.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length + 1 + word.Length > Width && line.Trim().Length > 0)
            {
                text.Append(line).Append('\n');
                line = hanging[1..];
            }

            line += " " + word;
        }

        text.Append(line).Append('\n');
    }

    private sealed record Block(bool IsHeading, bool IsText, bool IsCode, List<string> Lines);

    private static IEnumerable<Block> Blocks(string markdown)
    {
        Block? block = null;
        foreach (var line in markdown.ReplaceLineEndings("\n").Split('\n'))
        {
            if (line.StartsWith("```", StringComparison.Ordinal))
            {
                if (block is not null)
                    yield return block;
                block = block is { IsCode: true } ? null : new Block(false, false, true, []);
            }
            else if (block is { IsCode: true })
            {
                block.Lines.Add(line);
            }
            else if (line.StartsWith('#'))
            {
                if (block is not null)
                    yield return block;
                yield return new Block(true, false, false, [line]);
                block = null;
            }
            else if (string.IsNullOrWhiteSpace(line))
            {
                if (block is not null)
                    yield return block;
                block = null;
            }
            else
            {
                var isItem = line.StartsWith("- ", StringComparison.Ordinal) || line.StartsWith('|') || char.IsDigit(line[0]);
                block ??= new Block(false, !isItem, false, []);
                if (block.IsText || isItem)
                    block.Lines.Add(line);
                else
                    block.Lines[^1] += " " + line.Trim();
            }
        }

        if (block is not null)
            yield return block;
    }

    [GeneratedRegex(@"\[([^\]]+)\]\([^)]+\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"`|\*\*")]
    private static partial Regex Marks();
}
