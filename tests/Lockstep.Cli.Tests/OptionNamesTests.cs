using System.Text.RegularExpressions;
using Lockstep.Cli.Output;

namespace Lockstep.Cli.Tests;

/// <summary>The engine's advice, in the words of the command line.</summary>
public sealed partial class OptionNamesTests
{
    private static readonly string Sources = Path.Combine(FindRoot(), "src");

    [Theory]
    [InlineData("Sync again with -Resync.", "Sync again with --resync.")]
    [InlineData(
        "Give -Credential or -Token, or check the one that was given.",
        "Give --user or the environment variable LOCKSTEP_TOKEN, or check the one that was given."
    )]
    [InlineData("Check it; with -Follow or -MaximumRetryCount it goes on.", "Check it; with --follow or --maximum-retry-count it goes on.")]
    [InlineData("With -MalformedRecord Quarantine they are set aside.", "With --malformed-record Quarantine they are set aside.")]
    [InlineData("Give it one with -FilterParameter @{ least = ... }.", "Give it one with --filter-parameter least=....")]
    [InlineData("Create it with Sync-LockstepTable -Path, or name another.", "Create it with lockstep sync --path, or name another.")]
    [InlineData(
        "Choose another with -Path, or empty it with Clear-LockstepTable.",
        "Choose another with --path, or empty it with Clear-LockstepTable of the PowerShell module."
    )]
    [InlineData(
        "Track it: Enable-LockstepPostgresTracking -Table t does, and -WhatIf shows how.",
        "Track it: Enable-LockstepPostgresTracking of the PowerShell module -Table t does, and -WhatIf shows how."
    )]
    [InlineData("Leave out NaN, Infinity and -Infinity.", "Leave out NaN, Infinity and -Infinity.")]
    [InlineData("The field '-Id' of x-Path/-Force is 5 -3 - 2.", "The field '-Id' of x-Path/-Force is 5 -3 - 2.")]
    public void Options_have_the_names_of_the_command_line(string engine, string shell)
    {
        Assert.Equal(shell, OptionNames.InShell(engine));
    }

    /// <summary>Each option that any text of the engine names is one of the command line's, or the text says whose it is.</summary>
    [Fact]
    public void Every_option_that_the_engine_names_is_there()
    {
        var options = Texts("Lockstep.Cli").SelectMany(text => ShellOption().Matches(text)).Select(match => match.Value).ToHashSet();
        string[] named =
        [
            .. Texts("Lockstep.Engine")
                .Concat(Texts("Lockstep.Postgres"))
                .Select(text => text.Replace("-Infinity", "", StringComparison.Ordinal))
                .Where(text => PowerShellOption().IsMatch(text)),
        ];

        Assert.True(named.Length > 20, "The texts are not found any more.");
        Assert.All(
            named,
            text =>
            {
                var shown = OptionNames.InShell(text);
                Assert.All(ShellOption().Matches(shown), match => Assert.Contains(match.Value, options));
                if (PowerShellOption().IsMatch(shown))
                    Assert.Contains("of the PowerShell module", shown, StringComparison.Ordinal);
            }
        );
    }

    /// <summary>What stands between quotation marks in the code of a project, but for the names under test.</summary>
    private static IEnumerable<string> Texts(string project) =>
        Directory
            .EnumerateFiles(Path.Combine(Sources, project), "*.cs", SearchOption.AllDirectories)
            .Where(file =>
                !Path.GetRelativePath(Sources, file).Split(Path.DirectorySeparatorChar).Intersect(["bin", "obj", "OptionNames.cs"]).Any()
            )
            .SelectMany(File.ReadLines)
            .Where(line => !line.TrimStart().StartsWith("//", StringComparison.Ordinal))
            .SelectMany(line => Literal().Matches(line).Select(match => match.Groups[1].Value));

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Lockstep.psd1")) || !Directory.Exists(Path.Combine(folder, "src")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("These tests run from within the repository.");

        return folder;
    }

    [GeneratedRegex(@"""((?:[^""\\]|\\.)*)""")]
    private static partial Regex Literal();

    [GeneratedRegex(@"(?<=^|[\s(])-[A-Z][A-Za-z]+\b")]
    private static partial Regex PowerShellOption();

    [GeneratedRegex(@"(?<![\w-])--[a-z][a-z-]+")]
    private static partial Regex ShellOption();
}
