using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Net;
using System.Security;
using System.Text;
using Lockstep.TestServer.Conformance;
using Lockstep.TestServers;

namespace Lockstep.Commands;

/// <summary>Checks a feed against the contract, rule by rule. The feed is only read.</summary>
[Cmdlet(VerbsDiagnostic.Test, "LockstepFeed")]
[OutputType(typeof(FeedRuleInfo), typeof(bool))]
public sealed class TestLockstepFeedCommand : LockstepCmdlet
{
    /// <summary>The feed, or a test server of this session: with a slash at its end in path style, without one in query style.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [FeedOfServer]
    [Alias("FeedUri")]
    [ArgumentCompleter(typeof(FeedUriCompleter))]
    public Uri Uri { get; set; } = null!;

    /// <summary>The order field; by default updated_at, or since in the transaction dialect.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(FieldCompleter))]
    public string? OrderBy { get; set; }

    /// <summary>The fields that are the key; by default <c>id</c>, else the first field.</summary>
    [Parameter]
    [AllowEmptyCollection]
    [ArgumentCompleter(typeof(FieldCompleter))]
    public string[] KeyProperty { get; set; } = [];

    /// <summary>User and password for Basic authentication.</summary>
    [Parameter]
    [Credential]
    public PSCredential? Credential { get; set; }

    /// <summary>A token for Bearer authentication.</summary>
    [Parameter]
    public SecureString? Token { get; set; }

    /// <summary>Headers for each request.</summary>
    [Parameter]
    public IDictionary? Headers { get; set; }

    /// <summary>Takes any certificate.</summary>
    [Parameter]
    public SwitchParameter SkipCertificateCheck { get; set; }

    /// <summary>After how many seconds without a record an endless feed counts as caught up.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan SettleSec { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Within how many seconds a silent endless feed is to show that it is alive; not checked if not given.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan? HeartbeatSec { get; set; }

    /// <summary>How many records of a response are looked at.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int MaximumRecordCount { get; set; } = 100_000;

    /// <summary>A file for the results as NUnit XML.</summary>
    [Parameter]
    public string? NUnitXmlPath { get; set; }

    /// <summary>Only says whether no rule is broken.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    private protected override object? ErrorTarget => new UriBuilder(Uri) { UserName = "", Password = "" }.Uri;

    private protected override void Process()
    {
        var options = new ConformanceOptions
        {
            OrderBy = OrderBy,
            Key = KeyProperty,
            Settle = SettleSec,
            Heartbeat = HeartbeatSec,
            MaximumRecords = MaximumRecordCount,
            Headers = AllHeaders(),
            SkipCertificateCheck = SkipCertificateCheck,
        };
        var report = FeedConformance.CheckAsync(Uri, options, cancellationToken: StopToken).GetAwaiter().GetResult();
        if (NUnitXmlPath is not null)
            File.WriteAllText(FileSystemPath.ResolveLiteral(SessionState.Path, NUnitXmlPath), report.ToNUnitXml());
        if (Quiet)
            WriteObject(report.Passed);
        else
            WriteObject(report.Results.Select(result => result.ToModel()), enumerateCollection: true);
    }

    private Dictionary<string, string> AllHeaders()
    {
        Dictionary<string, string> headers = new(StringComparer.OrdinalIgnoreCase);
        foreach (DictionaryEntry header in Headers ?? new Hashtable())
            headers[Convert.ToString(header.Key, CultureInfo.InvariantCulture)!] = Convert.ToString(header.Value, CultureInfo.InvariantCulture) ?? "";
        if (Credential is not null)
            headers["Authorization"] = "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Credential.UserName}:{Credential.GetNetworkCredential().Password}"));
        else if (Token is not null)
            headers["Authorization"] = "Bearer " + new NetworkCredential("", Token).Password;
        return headers;
    }
}
