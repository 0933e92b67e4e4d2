using System.Management.Automation;
using System.Text;
using Lockstep.Bases;
using Lockstep.Completers;
using Lockstep.Engine.Conformance;
using Lockstep.Engine.Tables;
using Lockstep.Parameters;
using Lockstep.Sync;
using Lockstep.TestServers;

namespace Lockstep.Commands;

/// <summary>Checks a feed against the contract, rule by rule. It only reads the feed.</summary>
[Cmdlet(VerbsDiagnostic.Test, "LockstepFeed")]
[OutputType(typeof(FeedRuleInfo), typeof(bool))]
public sealed class TestLockstepFeedCommand : FeedCmdlet
{
    private string? _feed;

    /// <summary>The feed, or a test server of this session: with a trailing slash in path style, without one in query style.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [FeedOfServer]
    [Alias("FeedUri")]
    [ArgumentCompleter(typeof(FeedUriCompleter))]
    public Uri Uri { get; set; } = null!;

    /// <summary>The order field; by default updated_at, or since in the transaction dialect.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(FieldCompleter))]
    public string? OrderBy { get; set; }

    /// <summary>The fields that form the key; by default <c>id</c>, else the first field.</summary>
    [Parameter]
    [AllowEmptyCollection]
    [ArgumentCompleter(typeof(FieldCompleter))]
    public string[] KeyProperty { get; set; } = [];

    /// <summary>After how many seconds without a record an endless feed counts as caught up.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan SettleSec { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Within how many seconds a silent endless feed must show that it is alive; not checked if not given.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan? HeartbeatSec { get; set; }

    /// <summary>How many records of a response to check.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int MaximumRecordCount { get; set; } = 100_000;

    /// <summary>A file for the results as NUnit XML.</summary>
    [Parameter]
    public string? NUnitXmlPath { get; set; }

    /// <summary>Only says whether the feed breaks no rule.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    private protected override object? ErrorTarget => _feed;

    private protected override void Process()
    {
        var feed = FeedSettings.Of(this, Uri, TokenScript.Of(TokenProvider) is { } provider ? TokenScript.Call(provider) : null);
        _feed = feed.ToString();
        var options = new ConformanceOptions
        {
            OrderBy = OrderBy,
            Key = KeyProperty,
            Settle = SettleSec,
            Heartbeat = HeartbeatSec,
            MaximumRecords = MaximumRecordCount,
        };
        var report = FeedConformance.CheckAsync(feed, options, cancellationToken: StopToken).GetAwaiter().GetResult();
        if (NUnitXmlPath is not null)
            WriteReport(FileSystemPath.ResolveLiteral(SessionState.Path, NUnitXmlPath), report.ToNUnitXml());
        if (
            report.Results.Any(result =>
                result.Id == "required-fields" && result.Outcome == Lockstep.Engine.Conformance.RuleOutcome.Skipped
            )
        )
        {
            WriteWarning(
                $"No record of Lockstep's own dialects was seen. If {_feed} is the feed of another server, "
                    + $"Test-LockstepDialect -Uri '{_feed}' shows how it is read."
            );
        }

        if (Quiet)
            WriteObject(report.Passed);
        else
            WriteObject(report.Results.Select(result => result.ToModel()), enumerateCollection: true);
    }

    private static void WriteReport(string path, string text)
    {
        using var file = new UnfinishedFile(path);
        file.Stream.Write(Encoding.UTF8.GetBytes(text));
        file.Complete();
    }
}
