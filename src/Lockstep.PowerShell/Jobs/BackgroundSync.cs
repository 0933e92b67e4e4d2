using System.Management.Automation;
using Lockstep.Engine.Sync;
using Lockstep.Errors;
using Lockstep.Sync;

namespace Lockstep.Jobs;

/// <summary>A sync pulled by its own task rather than by a pipeline, which reports to a job's streams.</summary>
/// <param name="sync">The sync.</param>
/// <param name="log">What the engine logs about it.</param>
/// <param name="passesChanges">Whether the output is the changes; otherwise it is the result.</param>
/// <param name="tokens">Provides tokens; null for none. Disposed at the end.</param>
internal sealed class BackgroundSync(TableSync sync, EngineLog log, bool passesChanges, TokenRunspace? tokens) : ISyncWork
{
    private readonly CancellationTokenSource _stop = new();
    private Exception? _failure;
    private JobStreams? _streams;
    private Task _work = Task.CompletedTask;

    /// <inheritdoc/>
    public string Feed => sync.Result.Feed;

    /// <inheritdoc/>
    public Lockstep.SyncResult Result => sync.Result.ToModel();

    /// <inheritdoc/>
    public SyncHealth Health { get; } = new(() => sync.Result);

    /// <inheritdoc/>
    public Exception? Failure => Volatile.Read(ref _failure);

    /// <inheritdoc/>
    public long Dropped => _streams?.Dropped ?? 0;

    /// <inheritdoc/>
    public string Status => SyncProgressDisplay.Describe(sync.Result);

    /// <inheritdoc/>
    public void Start(Job job, Action<JobState> ended)
    {
        var streams = _streams = new JobStreams(job);
        _work = Task.Run(async () => ended(await RunAsync(streams).ConfigureAwait(false)));
    }

    /// <inheritdoc/>
    public void Stop()
    {
        _stop.Cancel();
        tokens?.Stop();
        _work.GetAwaiter().GetResult();
    }

    /// <summary>To be called after it has ended.</summary>
    public void Dispose() => _stop.Dispose();

    private async Task<JobState> RunAsync(JobStreams streams)
    {
        var steps = new SyncStepHandler(streams, $"Syncing {Feed}")
        {
            Table = () => sync.Result.Table,
            Health = Health,
            Log = log,
            PassesChanges = passesChanges,
            TokenProvider = tokens is null ? null : tokens.Invoke,
        };
        try
        {
            await foreach (var step in sync.RunAsync(_stop.Token).ConfigureAwait(false))
                steps.Take(step);
            if (!passesChanges)
                streams.Output(Result);
            return JobState.Completed;
        }
        catch (Exception error) when (_stop.IsCancellationRequested && error is OperationCanceledException or PipelineStoppedException)
        {
            // Whoever stopped it will ask for what was committed until then.
            if (!passesChanges)
                streams.Output(Result);
            return JobState.Stopped;
        }
        catch (Exception error)
        {
            Health.Fail(error.Message);
            Volatile.Write(ref _failure, error);
            streams.Fail(ErrorRecords.TryDescribe(error, Feed) ?? new ErrorRecord(error, "SyncJob", ErrorCategory.NotSpecified, Feed));
            return JobState.Failed;
        }
        finally
        {
            steps.End();
            tokens?.Dispose();
        }
    }
}
