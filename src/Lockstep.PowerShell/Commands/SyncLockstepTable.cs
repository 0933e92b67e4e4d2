using System.Collections;
using System.Diagnostics;
using System.Globalization;
using System.Management.Automation;
using System.Net;
using System.Security;
using Lockstep.Bases;
using Lockstep.Completers;
using Lockstep.Engine;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Errors;
using Lockstep.Jobs;
using Lockstep.Parameters;
using Lockstep.Sync;
using Lockstep.Tables;

namespace Lockstep.Commands;

/// <summary>Brings a table in step with a feed, and keeps it there with -Follow.</summary>
[Cmdlet(VerbsData.Sync, "LockstepTable", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(SyncResult), typeof(Change), typeof(SyncJob))]
public sealed class SyncLockstepTableCommand : FeedCmdlet
{
    private readonly List<SyncResult> _results = [];
    private static readonly TimeSpan MostForTable = TimeSpan.FromSeconds(2);

    private string? _feed;
    private ParallelSyncs? _parallel;

    /// <summary>
    /// The feed, or a test server of this session. User and password in it become Basic authentication, and are stored nowhere.
    /// </summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [FeedOfServer]
    [Alias("FeedUri")]
    [ArgumentCompleter(typeof(FeedUriCompleter))]
    public Uri Uri { get; set; } = null!;

    /// <summary>The table's name; by default that of an existing file, else the last element of the URI's path that is a name.</summary>
    [Parameter(Position = 1, ValueFromPipelineByPropertyName = true)]
    [Alias("Name")]
    [ArgumentCompleter(typeof(TableCompleter))]
    public string? Table { get; set; }

    /// <summary>
    /// Keeps the table in a file, by default <c>table.db</c> in the current location; without it the table lives as long as this process.
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public SwitchParameter Disk { get; set; }

    /// <summary>The table file; implies -Disk.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(TableFileCompleter))]
    public string? Path { get; set; }

    /// <summary>The table file, taken as it is, without wildcards; implies -Disk.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Alias("PSPath", "LP")]
    [ArgumentCompleter(typeof(TableFileCompleter))]
    public string? LiteralPath { get; set; }

    /// <summary>
    /// Keeps the table in this database of PostgreSQL instead of a file, for many machines to share. Of several syncs of it one leads, the
    /// others wait to take over.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ConnectionString { get; set; }

    /// <summary>
    /// Keeps the table's file from other users of the machine: only you may read and write it. For a file that is there already, too.
    /// Tables of the session are so in any case. Not on Windows, which gives files the rights of their folder.
    /// </summary>
    [Parameter]
    public SwitchParameter Private { get; set; }

    /// <summary>The field that orders the records; by default <c>updated_at</c>, or that of the table.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(FieldCompleter))]
    public string? OrderBy { get; set; }

    /// <summary>
    /// The fields that are the key; by default those of the table, else <c>id</c>, else the first field of the first record. One within an
    /// object is named by its JSON Pointer: /metadata/uid.
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(FieldCompleter))]
    [AllowEmptyCollection]
    public string[] KeyProperty { get; set; } = [];

    /// <summary>The cursor to begin at, instead of the one that the table has.</summary>
    [Parameter]
    public string? Since { get; set; }

    /// <summary>
    /// How the feed is read: Auto, Record, Transaction, the name of another server's dialect, a hashtable that describes one, or a file
    /// that ends in <c>.json</c>. It is stored in the table, so that the next sync needs none.
    /// </summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(DialectCompleter))]
    public object? Dialect { get; set; }

    /// <summary>
    /// With -Follow, how many seconds to wait between polls of another server's feed; by default as long as its dialect says.
    /// </summary>
    [Parameter]
    [Seconds]
    public TimeSpan? IntervalSec { get; set; }

    /// <summary>Called for each record received, in <c>$_</c>, when it is committed; its output is discarded.</summary>
    [Parameter]
    public ScriptBlock? Callback { get; set; }

    /// <summary>
    /// Called for each record before it is applied, in <c>$_</c>: returns one object with the same key to store instead, or nothing to
    /// skip the record.
    /// </summary>
    [Parameter]
    public ScriptBlock? Transform { get; set; }

    /// <summary>Goes on until Ctrl+C: waits for more, and reconnects.</summary>
    [Parameter]
    public SwitchParameter Follow { get; set; }

    /// <summary>Goes on for so long: seconds, or a TimeSpan.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan? FollowFor { get; set; }

    /// <summary>An endless feed counts as caught up when nothing has changed the table for so many seconds.</summary>
    [Parameter]
    [ValidateRange(0.0, 86400.0)]
    public double SettleSec { get; set; } = 1;

    /// <summary>
    /// Returns each change as it is committed, the newest state per key in each commit; the result then goes to -ResultVariable only.
    /// </summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>Returns each version of a record, not only the newest in each commit; implies -PassThru.</summary>
    [Parameter]
    public SwitchParameter EveryChange { get; set; }

    /// <summary>The name of a variable for the result, also when the sync fails or is stopped; several results come as an array.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ResultVariable { get; set; }

    /// <summary>Fetches the whole set again, and removes what it does not hold.</summary>
    [Parameter]
    public SwitchParameter Resync { get; set; }

    /// <summary>Believes a whole set this once, however much it removes.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>
    /// How many percent of a table of more than 20 records a whole set may remove whose end is not certain; the table keeps it. By default
    /// 50. An empty one is believed at 100 only.
    /// </summary>
    [Parameter]
    [ValidateRange(0, 100)]
    public int? SweepLimit { get; set; }

    /// <summary>
    /// Binds a table that belongs to another feed to this one. One that only moved to another host or port, and names the same identity, is
    /// bound without it.
    /// </summary>
    [Parameter]
    public SwitchParameter Rebind { get; set; }

    /// <summary>
    /// How far before the cursor each connection begins, in the order field's own units, for feeds whose writers may be late.
    /// </summary>
    [Parameter]
    [ValidateRange(0.0, 1e18)]
    public decimal Lookback { get; set; }

    /// <summary>The largest record in bytes; a larger one is malformed.</summary>
    [Parameter]
    [ValidateRange(2, 1024 * 1024 * 1024)]
    public int MaximumRecordSize { get; set; } = 16 * 1024 * 1024;

    /// <summary>What to do with a malformed record.</summary>
    [Parameter]
    public MalformedRecordAction MalformedRecord { get; set; }

    /// <summary>How many malformed records the table sets aside at most; the oldest make room for new ones.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int QuarantineLimit { get; set; } = 10_000;

    /// <summary>How many attempts may fail in a row; by default none, and with -Follow any number.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int? MaximumRetryCount { get; set; }

    /// <summary>The shortest wait before another attempt, in seconds; it doubles with each failure, up to a minute.</summary>
    [Parameter]
    [ValidateRange(0.0, 86400.0)]
    public double RetryIntervalSec { get; set; } = 5;

    /// <summary>Waits for another sync of the same file to end, instead of an error.</summary>
    [Parameter]
    public SwitchParameter Wait { get; set; }

    /// <summary>
    /// Syncs in the background and returns the job. Its output is the result, or with -PassThru the changes; it keeps the newest 10,000
    /// that nobody has received.
    /// </summary>
    [Parameter]
    public SwitchParameter AsJob { get; set; }

    /// <summary>The job's name. (-Name is the table's.)</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? JobName { get; set; }

    /// <summary>
    /// How many feeds of the pipeline are synced at the same time. With more than one, all begin when the last one has come.
    /// </summary>
    [Parameter]
    [ValidateRange(1, 1000)]
    public int ThrottleLimit { get; set; } = 1;

    private protected override object? ErrorTarget => _feed;

    private protected override void Begin()
    {
        // Bound already, so it is not from the pipeline: the first thing that was named is the feed.
        if (MyInvocation.ExpectingInput && Uri is { IsAbsoluteUri: false })
        {
            throw new InvalidOptionException(
                $"The feed comes from the pipeline, and '{Uri.OriginalString}' is another one.",
                $"To name the table, give -Table {Uri.OriginalString}."
            );
        }

        if (!AsJob && JobName is not null)
            throw new InvalidOptionException("Only a job has a name.", "Give -AsJob as well. (-Table names the table.)");
        if (AsJob && (Callback is not null || Transform is not null))
        {
            throw new InvalidOptionException(
                "A job has no pipeline on which -Callback or -Transform could be called.",
                "Leave them out, or sync without -AsJob; with -PassThru, Receive-Job gives the changes."
            );
        }

        if (AsJob && ThrottleLimit > 1)
        {
            throw new InvalidOptionException(
                "Each feed gets a job of its own, and they all run at once.",
                "Leave out -AsJob or -ThrottleLimit."
            );
        }

        if (AsJob && ResultVariable is not null)
        {
            throw new InvalidOptionException(
                "A job's result comes later.",
                "Leave out -ResultVariable: the result is the job's output, and its property Sync."
            );
        }
    }

    private protected override void Process()
    {
        var options = FeedSettings.Of(this, Uri);

        // From here on only the form without user and password is shown (I9).
        _feed = options.Address.Display;
        var destination = TableDestination.Resolve(
            SessionState.Path,
            options.Address.DefaultTableName,
            Table,
            Disk,
            IsMeant(nameof(Path)) ? Path : null,
            IsMeant(nameof(LiteralPath)) ? LiteralPath : null,
            ConnectionString,
            Private
        );
        var plan = new SyncPlan(options, destination);
        var effect = "";
        if (Resync && IsWhatIf)
        {
            var preview = new ResyncPreview(Complete(plan).Options!);
            try
            {
                Pump(preview.RunAsync(StopToken), preview.Take);
                effect = preview.ToString();
            }
            catch (LockstepException e) when (e.Kind == ErrorKind.NotFound)
            {
                // There is no table yet: nothing to compare with.
            }
        }

        if (!ShouldProcess(destination.Description, $"Sync with {_feed}{effect}"))
            return;

        var log = new EngineLog();
        var sync = new TableSync(Complete(plan, log.Add).Options!);
        if (AsJob)
        {
            var tokens = TokenProvider is null ? null : new TokenRunspace(TokenProvider, SessionState);
            var job = new SyncJob(JobName, new BackgroundSync(sync, log, PassThru || EveryChange, tokens));
            JobRepository.Add(job);
            RunspaceJobs.Current.Start(job);
            AwaitTable(job, plan);
            WriteObject(job);
            return;
        }

        var steps = new SyncStepHandler(this, $"Syncing {_feed}")
        {
            Table = () => sync.Result.Table,
            Health = new SyncHealth(() => sync.Result),
            Log = log,
            Callback = Callback is null ? null : new RecordScript(Callback),
            Transform = Transform is null ? null : new RecordTransform(Transform),
            PassesChanges = PassThru || EveryChange,
            TokenProvider = TokenScript.Of(TokenProvider),
        };
        if (ThrottleLimit > 1)
        {
            (_parallel ??= new ParallelSyncs(ThrottleLimit)).Add(_feed, sync, steps);
            return;
        }

        try
        {
            Pump(sync.RunAsync(StopToken), steps.Take);
            if (!PassThru && !EveryChange)
                WriteObject(sync.Result.ToModel());
        }
        catch (LockstepException error)
        {
            steps.Health?.Fail(error.Message);
            throw;
        }
        finally
        {
            steps.End();
            Keep(sync.Result.ToModel());
        }
    }

    /// <summary>
    /// Until the job has made its table's file, which takes a moment: whoever asks for the table next is to find it. A job that ends, or
    /// has to wait for another writer, is not waited for.
    /// </summary>
    private void AwaitTable(SyncJob job, SyncPlan plan)
    {
        if (plan.Destination.GetStore() is not FileTableStore store)
            return;
        for (
            var begun = Stopwatch.GetTimestamp();
            !store.Find().Any() && job.JobStateInfo.State == JobState.Running && Stopwatch.GetElapsedTime(begun) < MostForTable;

        )
        {
            if (StopToken.WaitHandle.WaitOne(millisecondsTimeout: 5))
                return;
        }
    }

    private protected override void End() =>
        _parallel?.Run(
            (feed, step) =>
            {
                _feed = feed;
                Attempt(step);
            },
            (result, failed) =>
            {
                Keep(result);
                if (!failed && !PassThru && !EveryChange)
                    WriteObject(result);
            },
            StopToken
        );

    /// <summary>
    /// With a database, the path that comes along with an object of the pipeline only says where that object's own table is.
    /// </summary>
    private bool IsMeant(string path) => ConnectionString is null || IsNamed(path);

    private void Keep(SyncResult result)
    {
        _results.Add(result);
        if (ResultVariable is not null)
            SessionState.PSVariable.Set(ResultVariable, _results is [var only] ? only : _results.ToArray());
    }

    /// <summary>Whether the cmdlet is only to say what it would do.</summary>
    private bool IsWhatIf =>
        MyInvocation.BoundParameters.TryGetValue("WhatIf", out var given)
            ? given is SwitchParameter { IsPresent: true }
            : LanguagePrimitives.IsTrue(GetVariableValue("WhatIfPreference"));

    /// <summary>The plan with all that this cmdlet was told.</summary>
    /// <param name="plan">From where into what.</param>
    /// <param name="log">As for <see cref="SyncOptions.LoggedTo"/>; null for nobody.</param>
    /// <exception cref="InvalidOptionException">A parameter cannot be as it is.</exception>
    private SyncPlan Complete(SyncPlan plan, Action<bool, string>? log = null)
    {
        var dialect = DialectSetting.Of(Dialect, SessionState.Path);
        var options = new SyncOptions
        {
            Feed = plan.Feed,
            Store = plan.Destination.GetStore(),
            TableName = plan.Destination.Name,
            Dialect = dialect.Own,
            Foreign = dialect.Foreign,
            PollInterval = IntervalSec,
            OrderBy = NullIfEmpty(OrderBy),
            KeyFields = FeedSettings.Named(KeyProperty) is { Length: > 0 } keys ? keys : null,
            Since = NullIfEmpty(Since),
            Follow = Follow,
            FollowFor = FollowFor,
            Settle = TimeSpan.FromSeconds(SettleSec),
            MaximumRetryCount = MaximumRetryCount,
            RetryInterval = TimeSpan.FromSeconds(RetryIntervalSec),
            Resync = Resync,
            Rebind = Rebind,
            Force = Force,
            SweepLimit = SweepLimit,
            Lookback = Lookback,
            MaximumRecordSize = MaximumRecordSize,
            AsksForToken = TokenProvider is not null,
            MalformedRecord = (MalformedRecordPolicy)MalformedRecord,
            QuarantineLimit = QuarantineLimit,
            WaitForWriter = Wait,
            WantsChanges = PassThru || EveryChange,
            EveryVersion = EveryChange,
            WantsRecords = Callback is not null,
            Transforms = Transform is not null,
            LoggedTo = log ?? ((_, _) => { }),
        };
        options.Validate(CmdletWords.Say);
        return plan with { Options = options };
    }

    /// <summary>A feed that comes from a CSV file has empty texts where nothing is said.</summary>
    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
