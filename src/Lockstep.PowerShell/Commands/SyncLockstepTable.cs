using System.Diagnostics;
using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Engine;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Jobs;
using Lockstep.Sync;

namespace Lockstep.Commands;

/// <summary>Brings a table in sync with a feed, and keeps it there with -Follow.</summary>
[Cmdlet(VerbsData.Sync, "LockstepTable", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(SyncResult), typeof(Change), typeof(SyncJob))]
public sealed class SyncLockstepTableCommand : SyncCmdlet
{
    private readonly List<SyncResult> _results = [];
    private static readonly TimeSpan MostForTable = TimeSpan.FromSeconds(2);

    private string? _feed;
    private ParallelSyncs? _parallel;

    /// <summary>Called for each record received, in <c>$_</c>, once it is committed; its output is discarded.</summary>
    [Parameter]
    public ScriptBlock? Callback { get; set; }

    /// <summary>
    /// Called for each record before it is applied, in <c>$_</c>: returns one object with the same key to store instead, or nothing to skip
    /// the record.
    /// </summary>
    [Parameter]
    public ScriptBlock? Transform { get; set; }

    /// <summary>
    /// Returns each change as it is committed, with the newest state of each key in each commit; the result then goes to -ResultVariable
    /// only.
    /// </summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>Returns each version of a record, not only the newest in each commit; implies -PassThru.</summary>
    [Parameter]
    public SwitchParameter EveryChange { get; set; }

    /// <summary>The name of a variable for the result, even if the sync fails or is stopped; several results form an array.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ResultVariable { get; set; }

    /// <summary>
    /// Syncs in the background and returns the job. Its output is the result, or with -PassThru the changes; of those that nobody has
    /// received it keeps the newest 10,000.
    /// </summary>
    [Parameter]
    public SwitchParameter AsJob { get; set; }

    /// <summary>The job's name. (-Name is the table's.)</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? JobName { get; set; }

    /// <summary>
    /// How many feeds from the pipeline to sync at the same time. If more than one, all start once the last one has arrived.
    /// </summary>
    [Parameter]
    [ValidateRange(1, 1000)]
    public int ThrottleLimit { get; set; } = 1;

    private protected override object? ErrorTarget => _feed;

    private protected override void Begin()
    {
        EngineWarmup.Begin();
        // Already bound, so it is not from the pipeline: the first positional argument is the feed.
        if (MyInvocation.ExpectingInput && Uri is { IsAbsoluteUri: false })
        {
            throw new InvalidOptionException(
                $"The feed comes from the pipeline, but '{Uri.OriginalString}' is a different one.",
                $"To name the table, give -Table {Uri.OriginalString}."
            );
        }

        if (!AsJob && JobName is not null)
            throw new InvalidOptionException("Only a job has a name.", "Add -AsJob. (-Table names the table.)");
        if (AsJob && (Callback is not null || Transform is not null))
        {
            throw new InvalidOptionException(
                "A job has no pipeline to call -Callback or -Transform on.",
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
        var plan = Locate() with
        {
            Wishes = new SyncWishes
            {
                Changes = PassThru || EveryChange,
                EveryVersion = EveryChange,
                Records = Callback is not null,
                Transforms = Transform is not null,
            },
        };

        // From here on, only the form without user and password is shown (I9).
        _feed = plan.Feed.Address.Display;
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
                // There is no table yet, so there is nothing to compare with.
            }
        }

        if (!ShouldProcess(plan.Destination.Description, $"Sync with {_feed}{effect}"))
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
            WarnOfLog(sync.Result.Location);
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
    /// Waits until the job has created its table's file, which takes a moment: whoever asks for the table next must find it. Does not wait
    /// for a job that has ended, or that has to wait for another writer.
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
                WarnOfLog(result.Path);
                if (!failed && !PassThru && !EveryChange)
                    WriteObject(result);
            },
            StopToken
        );

    /// <summary>Warns if a table's file alone is not the whole table.</summary>
    /// <param name="location">Where the table is kept; only a file can have a log.</param>
    private void WarnOfLog(string location)
    {
        if (!File.Exists(location) || !new FileTableStore(location).HasLog)
            return;
        var name = System.IO.Path.GetFileName(location);
        WriteWarning(
            $"A part of the table is in {name}-wal, because another program reads it or it could not be merged: keep it beside {name}."
        );
    }

    private void Keep(SyncResult result)
    {
        _results.Add(result);
        if (ResultVariable is not null)
            SessionState.PSVariable.Set(ResultVariable, _results is [var only] ? only : _results.ToArray());
    }

    /// <summary>Whether the cmdlet should only say what it would do.</summary>
    private bool IsWhatIf =>
        MyInvocation.BoundParameters.TryGetValue("WhatIf", out var given)
            ? given is SwitchParameter { IsPresent: true }
            : LanguagePrimitives.IsTrue(GetVariableValue("WhatIfPreference"));
}
