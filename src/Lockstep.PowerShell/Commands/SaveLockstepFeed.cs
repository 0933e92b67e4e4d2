using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Completers;
using Lockstep.Engine;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Recording;
using Lockstep.Engine.Records;
using Lockstep.Parameters;
using Lockstep.Sync;
using Lockstep.TestServers;

namespace Lockstep.Commands;

/// <summary>
/// Records a feed's answer with its timing, for <c>Start-LockstepTestServer -Replay</c> to replay at any speed.
/// </summary>
/// <remarks>It ends with the feed's answer, at a limit, or with Ctrl+C; in each case the file is complete. It contains no secret.</remarks>
[Cmdlet(VerbsData.Save, "LockstepFeed", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(FeedRecordingInfo))]
public sealed class SaveLockstepFeedCommand : FeedCmdlet
{
    private string? _feed;

    /// <summary>The feed, or a test server of this session.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [FeedOfServer]
    [Alias("FeedUri")]
    public Uri Uri { get; set; } = null!;

    /// <summary>The file for the recording; an existing one is overwritten.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNullOrEmpty]
    public string RecordTo { get; set; } = "";

    /// <summary>
    /// How to read another server's feed: a dialect's name, a hashtable that describes one, or a file that ends in <c>.json</c>; by default
    /// what the feed's address suggests. It then records all requests of a sync, with <c>-For</c> including those of following it.
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(DialectCompleter))]
    public object? Dialect { get; set; }

    /// <summary>The cursor to start from; by default it asks for the whole set.</summary>
    [Parameter]
    public string? Since { get; set; }

    /// <summary>How long to record: seconds, or a TimeSpan; by default until the answer ends.</summary>
    [Parameter]
    [Alias("FollowFor")]
    [Seconds]
    public TimeSpan? For { get; set; }

    /// <summary>How many bytes to record at most.</summary>
    [Parameter]
    [ValidateRange(1L, long.MaxValue)]
    public long? MaximumBytes { get; set; }

    private protected override object? ErrorTarget => _feed;

    private protected override void Process()
    {
        var feed = FeedSettings.Of(this, Uri, TokenScript.Of(TokenProvider) is { } provider ? TokenScript.Call(provider) : null);
        _feed = feed.ToString();
        var file = FileSystemPath.ResolveLiteral(SessionState.Path, RecordTo);
        if (!ShouldProcess(file, $"Record {_feed}"))
            return;

        var limits = new RecordingOptions { Duration = For, MaximumBytes = MaximumBytes };
        var foreign = DialectSetting.Of(Dialect, SessionState.Path);
        if (foreign.Foreign is not null && Since is not null)
            throw new InvalidOptionException("The conversation with another server begins with the whole set.", "Leave out -Since.");

        var isForeign =
            foreign.Foreign is not null
            || (Since is null && foreign.Own == Engine.Records.Dialect.Auto && DialectDetection.ByUri(Uri) is not null);
        var recording = (
            isForeign
                ? DialectRecorder.RecordAsync(feed, foreign.Foreign, file, limits, cancellationToken: StopToken)
                : FeedRecorder.RecordAsync(feed, Cursor.Parse(Since), file, limits, cancellationToken: StopToken)
        )
            .GetAwaiter()
            .GetResult();
        if (recording.Status >= 400)
            WriteWarning($"The feed answered {recording.Status}; that answer is what was recorded.");
        WriteObject(recording.ToModel());
    }
}
