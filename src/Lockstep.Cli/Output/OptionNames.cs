using System.Text.RegularExpressions;

namespace Lockstep.Cli.Output;

/// <summary>
/// The engine's advice names options as the PowerShell module does: <c>-MaximumRetryCount</c>. Here they are called
/// <c>--maximum-retry-count</c>.
/// </summary>
internal static partial class OptionNames
{
    /// <summary>What is called otherwise here; anything else has the same name in another spelling.</summary>
    private static readonly Dictionary<string, string> Others = new(StringComparer.Ordinal)
    {
        ["Credential"] = "--user",
        ["Token"] = "the environment variable LOCKSTEP_TOKEN",
        ["ConnectionString"] = "--postgres",
        ["Force"] = "--replace",
        // A number.
        ["Infinity"] = "-Infinity",
    };

    /// <summary>The commands that stand for cmdlets. The others have none.</summary>
    private static readonly Dictionary<string, string> Commands = new(StringComparer.Ordinal) { ["Sync-LockstepTable"] = "lockstep sync" };

    /// <summary>A text of the engine in the words of the command line.</summary>
    public static string InShell(string text) =>
        PowerShellWord()
            .Replace(
                text,
                match =>
                    match.Groups["option"] is { Success: true } option ? Option(option.Value)
                    : match.Groups["entry"] is { Success: true } entry ? $"{entry.Value}=..."
                    : Commands.TryGetValue(match.Groups["cmdlet"].Value, out var command) ? command + InShell(match.Groups["rest"].Value)
                    // Its parameters are its own.
                    : $"{match.Groups["cmdlet"].Value} of the PowerShell module{match.Groups["rest"].Value}"
            );

    private static string Option(string name) =>
        Others.TryGetValue(name, out var other)
            ? other
            : "--" + WordStart().Replace(name, match => (match.Index > 0 ? "-" : "") + char.ToLowerInvariant(match.Value[0]));

    /// <summary>A cmdlet with the rest of its clause, a parameter, or the hashtable of one entry that a parameter gets.</summary>
    [GeneratedRegex(
        @"(?<=^|[\s(])(?:(?<cmdlet>[A-Z][a-z]+-Lockstep[A-Za-z]+)(?<rest>[^.;]*)|-(?<option>[A-Z][A-Za-z]+)\b|@\{ (?<entry>\w+) = \.\.\. \})"
    )]
    private static partial Regex PowerShellWord();

    [GeneratedRegex("[A-Z]")]
    private static partial Regex WordStart();
}
