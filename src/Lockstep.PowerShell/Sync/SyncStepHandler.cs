using System.Collections.ObjectModel;
using System.Management.Automation;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Errors;
using Lockstep.Pipeline;
using Lockstep.Records;

namespace Lockstep.Sync;

/// <summary>
/// Passes the steps of a sync or an import to their destinations: changes, callbacks, events, progress. One thread at a time; for a cmdlet
/// the pipeline thread.
/// </summary>
/// <param name="streams">The streams to write to.</param>
/// <param name="activity">The progress bar's title.</param>
internal sealed class SyncStepHandler(ISyncStreams streams, string activity)
{
    private readonly SyncProgressDisplay _progress = new(streams, activity);
    private readonly SyncStory _story = new(streams.Verbose);
    private readonly HashSet<FeedEventKind> _warnedOf = [];
    private FeedEvent? _failure;
    private RecordObjects? _objects;

    /// <summary>For a cmdlet's own streams.</summary>
    public SyncStepHandler(LockstepCmdlet cmdlet, string activity)
        : this(new CmdletStreams(cmdlet), activity) { }

    /// <summary>
    /// The table's name, for the type name of its records; evaluated once there is a record, because the name is known only after the file
    /// is open.
    /// </summary>
    public Func<string> Table { get; init; } = static () => "";

    /// <summary>Records the sync's health; null if nobody asks.</summary>
    public SyncHealth? Health { get; init; }

    /// <summary>Called for each record received, its output discarded; null for none.</summary>
    public RecordScript? Callback { get; init; }

    /// <summary>Rewrites records; null for none.</summary>
    public RecordTransform? Transform { get; init; }

    /// <summary>Calls the script that provides a token, at the start and when the feed refuses the current one; null for none.</summary>
    public Func<RefusedResponse?, Collection<PSObject>>? TokenProvider { get; init; }

    /// <summary>What else the engine logs; null if nobody asks.</summary>
    public EngineLog? Log { get; init; }

    /// <summary>Whether changes go to the output.</summary>
    public bool PassesChanges { get; init; }

    /// <summary>What has been done so far, as of the last step with a result.</summary>
    public Engine.Sync.SyncResult? Result { get; private set; }

    public void Take(SyncStep step)
    {
        Log?.DrainTo(streams);
        switch (step)
        {
            case SyncProgress progress:
                _progress.Show(Result = progress.Result);
                TellOf(Result);
                break;
            case ChangesCommitted commit:
                TellOf(Result = commit.Result);
                foreach (var record in commit.Records)
                    Observe(record);
                if (PassesChanges)
                    Pass(commit.Changes);
                break;
            case RecordsToTransform records:
                foreach (var record in records.Records)
                    Transform!.Apply(record, Objects);
                break;
            case FeedEventOccurred { Event: var happened }:
                Tell(happened);
                break;
            case CredentialsNeeded question:
                if (TokenProvider is not null)
                    TokenScript.Answer(question, TokenProvider);
                break;
            case SyncEnded ended:
                Result = ended.Result;
                Health?.Note(Result);
                _story.TellEnd(Result);
                break;
        }
    }

    /// <summary>Removes the progress bar; call it however the sync ended.</summary>
    public void End() => _progress.End();

    private RecordObjects Objects => _objects ??= new RecordObjects(Table(), streams.Warn);

    private void Observe(ReceivedRecord record) =>
        Callback?.Invoke(Objects.Read(record.Record), thrown => new CallbackException(record.Key, thrown));

    private void Pass(IReadOnlyList<TableChange> changes)
    {
        // Do not create objects that would be dropped again at once.
        var first = Math.Max(0, changes.Count - streams.Capacity);
        streams.Drop(first);
        for (var i = first; i < changes.Count; i++)
        {
            var change = changes[i];
            streams.Output(new Change((ChangeKind)change.Kind, change.Key.ToModel(), change.Sequence, Objects.Read(change.Record)));
        }
    }

    private void TellOf(Engine.Sync.SyncResult reached)
    {
        Health?.Note(reached);
        _story.Tell(reached);
    }

    private void Tell(Engine.Sync.FeedEvent happened)
    {
        var told = happened.ToModel();
        streams.Event(told);
        // A list that is refused is asked for again with each poll, and refused again until its server is well.
        if (happened.IsSweepRefused && !_warnedOf.Add(told.Kind))
            streams.Verbose(told.Message);
        else if (happened.IsSweepRefused)
            streams.Warn($"{told.Message} -Verbose reports each further refusal.");
        else if (told.Kind == FeedEventKind.Warning)
            streams.Warn(told.Message);
        else
            streams.Verbose(told.Message);
        if (happened.IsSweepRefused)
            Health?.Fail(happened.Message);
        WarnOfFailures(told, happened.At);
    }

    /// <summary>
    /// A sync that keeps retrying reports the reason, once for each kind of failure. The failure that ends it is an error, and needs no
    /// warning as well.
    /// </summary>
    private void WarnOfFailures(FeedEvent happened, DateTimeOffset at)
    {
        if (Health?.Note(happened, at) ?? false)
        {
            _failure = happened;
        }
        else if (happened.Kind == FeedEventKind.Connect)
        {
            _failure = null;
        }
        else if (happened.Kind == FeedEventKind.Retry && _failure is { } failure)
        {
            _failure = null;
            if (_warnedOf.Add(failure.Kind))
                streams.Warn($"{failure.Message} {happened.Message} -Verbose reports each further failure of this kind.");
        }
    }
}
