using System.Text.RegularExpressions;

namespace Lockstep.Pester.Tests;

/// <summary>
/// Each rule of docs/PROTOCOL.md names the tests that verify it. Those tests exist, and those of the rules I carry the number.
/// </summary>
public sealed partial class ProtocolDocumentTests
{
    private static readonly string Document = File.ReadAllText(Path.Combine(Repository.Root, "docs", "PROTOCOL.md"));

    /// <summary>The sources of all tests except this project's own.</summary>
    private static readonly string[] Sources =
    [
        .. Directory
            .EnumerateFiles(Path.Combine(Repository.Root, "tests"), "*.cs", SearchOption.AllDirectories)
            .Where(file =>
                !Path.GetRelativePath(Repository.Root, file)
                    .Split(Path.DirectorySeparatorChar)
                    .Intersect(["bin", "obj", "Lockstep.Pester.Tests"])
                    .Any()
            )
            .Select(File.ReadAllText),
    ];

    public static TheoryData<string> Rules => [.. RuleText().Matches(Document).Select(match => match.Groups["id"].Value)];

    [Fact]
    public void There_are_rules_of_every_kind()
    {
        string[] ids = [.. Rules.Select(row => row.Data)];
        Assert.Equal(ids.Distinct(), ids);
        Assert.Equal(["D", "G", "I", "P", "R", "T"], ids.Select(id => id[..1]).Distinct().Order(StringComparer.Ordinal));
        Assert.Equal(Enumerable.Range(1, 12).Select(number => $"I{number}"), ids.Where(id => id[0] == 'I'));
        Assert.Equal(Enumerable.Range(1, 18).Select(number => $"D{number}"), ids.Where(id => id[0] == 'D'));
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public void The_tests_that_a_rule_names_are_there(string id)
    {
        var rule = RuleText().Matches(Document).Single(match => match.Groups["id"].Value == id).Value;
        var heldBy = rule[rule.IndexOf("Held by", StringComparison.Ordinal)..];
        var names = Name().Matches(heldBy).Select(match => match.Groups[1].Value).ToArray();
        Assert.NotEmpty(names);
        Assert.All(
            names,
            name =>
            {
                var parts = name.Split('.');
                var source = Assert.Single(Sources, text => Regex.IsMatch(text, $@"\bclass {parts[0]}\b"));
                if (parts.Length > 1)
                    Assert.Matches($@"(?s)\[(Fact|Theory)(?:(?!\n    \}}).)*?\b(?:Task|void) {parts[1]}\(", source);
                if (id[0] == 'I')
                    Assert.Contains($"[Trait(\"Invariant\", \"{id}\")]", source, StringComparison.Ordinal);
            }
        );
    }

    [Fact]
    public void Every_number_that_a_test_carries_is_a_rule()
    {
        var carried = Sources.SelectMany(text => Trait().Matches(text)).Select(match => match.Groups[1].Value).Distinct();
        Assert.Empty(carried.Except(Rules.Select(row => row.Data)));
    }

    [GeneratedRegex(@"^\d+\. \*\*(?<id>[A-Z]\d+)\*\*.*?Held by.*?(?=^\d+\. |^#|\z)", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex RuleText();

    [GeneratedRegex(@"`(\w+(?:\.\w+)?)`")]
    private static partial Regex Name();

    [GeneratedRegex(@"\[Trait\(""Invariant"", ""(\w+)""\)\]")]
    private static partial Regex Trait();
}
