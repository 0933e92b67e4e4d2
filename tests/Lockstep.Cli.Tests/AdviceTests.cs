extern alias module;

using System.CommandLine;
using System.Management.Automation;
using System.Reflection;
using System.Text.RegularExpressions;
using Lockstep.Cli.Output;
using Lockstep.Engine;
using CmdletWords = module::Lockstep.Errors.CmdletWords;
using ErrorRecords = module::Lockstep.Errors.ErrorRecords;

namespace Lockstep.Cli.Tests;

/// <summary>The engine's advice in the words of both front ends.</summary>
public sealed partial class AdviceTests
{
    private const string Value = "least";

    private static readonly Dictionary<string, HashSet<string>> Cmdlets = typeof(ErrorRecords)
        .Assembly.GetExportedTypes()
        .Where(type => type.GetCustomAttributesData().Any(attribute => attribute.AttributeType == typeof(CmdletAttribute)))
        .ToDictionary(NameOf, ParametersOf);

    private static readonly HashSet<string> Options =
    [
        .. Program
            .Commands.SelectMany(command => WithSubcommands(command.Create()))
            .SelectMany(command => command.Options)
            .Select(o => o.Name),
    ];

    private static readonly HashSet<string> Arguments =
    [
        .. Program.Commands.SelectMany(command => WithSubcommands(command.Create())).SelectMany(c => c.Arguments).Select(a => a.Name),
    ];

    public static TheoryData<string> Terms =>
        [.. typeof(Term).GetProperties(BindingFlags.Public | BindingFlags.Static).Select(property => property.Name)];

    [Theory]
    [MemberData(nameof(Terms))]
    public void Both_front_ends_have_what_they_call_a_term(string term)
    {
        var typed = CmdletWords.Say(term, Value);
        var shell = ShellWords.Say(term, Value);

        var cmdlet = CmdletName().Match(typed) is { Success: true } named ? Cmdlets[named.Value] : [.. Cmdlets.Values.SelectMany(p => p)];
        Assert.All(Parameter().Matches(typed), parameter => Assert.Contains(parameter.Value, cmdlet));
        Assert.Matches("^(-|[A-Z][a-z]+-Lockstep)", typed);

        Assert.All(Option().Matches(shell), option => Assert.Contains(option.Value, Options));
        if (ShellCommand().Match(shell) is { Success: true } command)
        {
            Assert.Contains(command.Value, Program.Commands.Select(known => known.Name));
        }
        else if (shell[0] == '<')
        {
            Assert.Contains(shell.Trim('<', '>'), Arguments);
        }
        else if (!Option().IsMatch(shell) && term != nameof(Term.Token))
        {
            Assert.Contains(typed + " of the PowerShell module", shell, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_remedy_is_said_in_the_words_of_whoever_says_it()
    {
        Remedy remedy = $"Use {Term.MalformedRecord} Quarantine, {Term.FilterParameter.For("least")} or {Term.SyncToFile} from {1.5}.";

        Assert.Equal(
            (
                "Use -MalformedRecord Quarantine, -FilterParameter @{ least = ... } or Sync-LockstepTable -Path from 1.5.",
                "Use --malformed-record Quarantine, --filter-parameter least=... or lockstep sync --path from 1.5.",
                "Use MalformedRecord Quarantine, FilterParameters or TableSync from 1.5."
            ),
            (remedy.Render(CmdletWords.Say), remedy.Render(ShellWords.Say), remedy.ToString())
        );
    }

    [Theory]
    [InlineData("servers", "servers")]
    [InlineData("it's", "'it''s'")]
    public void The_quarantine_of_a_table_is_named_with_it(string table, string typed)
    {
        Remedy remedy = $"{Term.ReadQuarantined.For(table)} shows it.";

        Assert.Equal($"Get-LockstepRecord {typed} -Quarantined shows it.", remedy.Render(CmdletWords.Say));
        Assert.Equal("lockstep records --quarantined shows it.", remedy.Render(ShellWords.Say));
    }

    [Fact]
    public void Keys_of_a_dialect_are_a_hashtable_to_the_module_and_json_to_the_command_line()
    {
        const string Json = """{ "From": "Rest", "Next": { "a'b": "$(x)" }, "Whole": true, "Key": ["id", "/n\"/x"] }""";
        Remedy remedy = $"Use {Term.DialectWith(Json)}";

        Assert.Equal(
            (
                "Use -Dialect @{ From = 'Rest'; Next = @{ 'a''b' = '$(x)' }; Whole = $true; Key = @('id', '/n\"/x') }",
                $"Use --dialect FILE.json, where the file is {Json}",
                $"Use Foreign {Json}"
            ),
            (remedy.Render(CmdletWords.Say), remedy.Render(ShellWords.Say), remedy.ToString())
        );
    }

    private static string NameOf(Type cmdlet) =>
        string.Join(
            '-',
            cmdlet
                .GetCustomAttributesData()
                .First(attribute => attribute.AttributeType == typeof(CmdletAttribute))
                .ConstructorArguments.Select(argument => argument.Value)
        );

    private static HashSet<string> ParametersOf(Type cmdlet) =>
        [
            .. cmdlet
                .GetProperties()
                .Where(property => property.GetCustomAttributesData().Any(a => a.AttributeType == typeof(ParameterAttribute)))
                .Select(property => "-" + property.Name),
            // PowerShell's own.
            "-WhatIf",
        ];

    private static IEnumerable<Command> WithSubcommands(Command command) =>
        command.Subcommands.SelectMany(WithSubcommands).Prepend(command);

    [GeneratedRegex("^[A-Z][a-z]+-Lockstep[A-Za-z]+")]
    private static partial Regex CmdletName();

    [GeneratedRegex(@"(?<=^|\s)-[A-Z][A-Za-z]+")]
    private static partial Regex Parameter();

    [GeneratedRegex("(?<=^lockstep )[a-z]+")]
    private static partial Regex ShellCommand();

    [GeneratedRegex("--[a-z][a-z-]+")]
    private static partial Regex Option();
}
