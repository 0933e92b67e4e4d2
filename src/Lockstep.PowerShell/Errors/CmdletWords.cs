using Lockstep.Engine;

namespace Lockstep.Errors;

/// <summary>The module's names for the options and commands in remedies.</summary>
internal static class CmdletWords
{
    /// <summary>Terms with another name here; any other term is the parameter of that name.</summary>
    private static readonly Dictionary<string, string> Others = new(StringComparer.Ordinal)
    {
        [nameof(Term.BackupTable)] = "Backup-LockstepTable",
        [nameof(Term.ClearQuarantined)] = "Clear-LockstepTable -Quarantined",
        [nameof(Term.ClearTable)] = "Clear-LockstepTable",
        [nameof(Term.ConnectionTimeout)] = "-ConnectionTimeoutSeconds",
        [nameof(Term.Key)] = "-KeyProperty",
        [nameof(Term.OperationTimeout)] = "-OperationTimeoutSeconds",
        [nameof(Term.Overwrite)] = "-Force",
        [nameof(Term.PlanTracking)] = "-WhatIf",
        [nameof(Term.PollInterval)] = "-IntervalSec",
        [nameof(Term.ReadQuarantined)] = "Get-LockstepRecord -Quarantined",
        [nameof(Term.Replace)] = "-Force",
        [nameof(Term.RetryInterval)] = "-RetryIntervalSec",
        [nameof(Term.Settle)] = "-SettleSec",
        [nameof(Term.SyncToDatabase)] = "Sync-LockstepTable -ConnectionString",
        [nameof(Term.SyncToFile)] = "Sync-LockstepTable -Path",
    };

    /// <summary>A term as typed at PowerShell's prompt.</summary>
    public static string Say(string term, string? value) =>
        (term, value) switch
        {
            (nameof(Term.EnableTracking), _) => $"Enable-LockstepPostgresTracking -Table {value}",
            (nameof(Term.ReadQuarantined), not null) => $"Get-LockstepRecord {Argument(value)} -Quarantined",
            (nameof(Term.ReadSchedule), not null) => $"Get-LockstepVariableSchedule {Argument(value)}",
            (nameof(Term.RemoveScheduled), _) => value?.Split(' ', 2) is [var at, var name]
                ? $"Remove-LockstepVariable {Argument(name)} -ActiveAt '{at}'"
                : "Remove-LockstepVariable -ActiveAt",
            (nameof(Term.Dialect), not null) => $"-Dialect {value}",
            (nameof(Term.Table), not null) => $"-Table {Argument(value)}",
            (nameof(Term.DialectWith), not null) => $"-Dialect {HashtableText.Of(value)}",
            (nameof(Term.FilterParameter), not null) => $"-FilterParameter @{{ {value} = ... }}",
            _ => Others.GetValueOrDefault(term) ?? "-" + term,
        };

    private static string Argument(string text) =>
        text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_') ? text : $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
