using System.Text.RegularExpressions;
using Lockstep.Engine;

namespace Lockstep.Cli.Output;

/// <summary>The command line's names for the options and commands in remedies.</summary>
internal static partial class ShellWords
{
    /// <summary>
    /// Terms that have another name here; any other term is the option of the same name. What exists only in the module keeps its name
    /// there.
    /// </summary>
    private static readonly Dictionary<string, string> Others = new(StringComparer.Ordinal)
    {
        [nameof(Term.BackupTable)] = "lockstep backup",
        [nameof(Term.ClearQuarantined)] = "lockstep clear --quarantined",
        [nameof(Term.ClearTable)] = "lockstep clear",
        [nameof(Term.ConnectionTimeout)] = "--connection-timeout-seconds",
        [nameof(Term.Credential)] = "--user",
        [nameof(Term.Destination)] = "<destination>",
        [nameof(Term.Key)] = "--key-property",
        [nameof(Term.OperationTimeout)] = "--operation-timeout-seconds",
        [nameof(Term.Overwrite)] = "--force",
        [nameof(Term.PlanTracking)] = "--plan",
        [nameof(Term.PollInterval)] = "--interval-sec",
        [nameof(Term.ReadQuarantined)] = "lockstep records --quarantined",
        [nameof(Term.RetryInterval)] = "--retry-interval-sec",
        [nameof(Term.Settle)] = "--settle-sec",
        [nameof(Term.SyncToDatabase)] = "lockstep sync --postgres",
        [nameof(Term.SyncToFile)] = "lockstep sync --path",
        [nameof(Term.Token)] = "the environment variable LOCKSTEP_TOKEN",
        [nameof(Term.TokenProvider)] = "-TokenProvider of the PowerShell module",
    };

    /// <summary>A term as typed in a shell.</summary>
    public static string Say(string term, string? value) =>
        (term, value) switch
        {
            (nameof(Term.EnableTracking), _) => $"lockstep track {value} --postgres",
            (nameof(Term.ReadSchedule), not null) => $"lockstep var list {Argument(value)}",
            (nameof(Term.RemoveScheduled), _) => value?.Split(' ', 2) is [var at, var name]
                ? $"lockstep var remove {Argument(name)} --active-at {at}"
                : "lockstep var remove --active-at",
            (nameof(Term.Dialect), not null) => $"--dialect {value}",
            (nameof(Term.Table), not null) => $"--table {Argument(value)}",
            (nameof(Term.DialectWith), not null) => $"--dialect FILE.json, where the file is {value}",
            (nameof(Term.FilterParameter), not null) => $"--filter-parameter {value}=...",
            _ => Others.GetValueOrDefault(term) ?? "--" + WordStart().Replace(term, "-").ToLowerInvariant(),
        };

    private static string Argument(string text) =>
        text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.')
            ? text
            : $"'{text.Replace("'", @"'\''", StringComparison.Ordinal)}'";

    /// <summary>The start of each word after the first.</summary>
    [GeneratedRegex("(?<!^)(?=[A-Z])")]
    private static partial Regex WordStart();
}
