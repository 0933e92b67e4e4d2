using System.Management.Automation;
using Lockstep.Engine.Sync;
using Lockstep.Errors;
using Lockstep.Sync;

namespace Lockstep.Jobs;

/// <summary>A sync that is pulled by no pipeline but by a task of its own, and tells what it does to the streams of a job.</summary>
/// <param name="sync">The sync.</param>
/// <param name="passesChanges">Whether the changes are the output; otherwise its result is.</param>
/// <param name="tokens">Gets tokens; null for none. Disposed at the end.</param>
internal sealed class BackgroundSync(TableSync sync, bool passesChanges, TokenRunspace? tokens) : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private Task _work = Task.CompletedTask;

    /// <summary>The feed's URI as it may be shown.</summary>
    public string Feed => sync.Result.Feed;

    /// <summary>What it has done so far. Any thread.</summary>
    public Lockstep.SyncResult Result => sync.Result.ToModel();

    /// <summary>The same in words.</summary>
    public string Status => SyncProgressDisplay.Describe(sync.Result);

    /// <summary>Starts it.</summary>
    /// <param name="streams">Where it tells what it does.</param>
    /// <param name="ended">Called once, when it has ended and let go of file and socket.</param>
    public void Start(JobStreams streams, Action<JobState> ended) =>
        _work = Task.Run(async () => ended(await RunAsync(streams).ConfigureAwait(false)));

    /// <summary>Ends it, and waits until it has let go of file and socket (I10). Any thread; may be called again.</summary>
    public void Stop()
    {
        _stop.Cancel();
        tokens?.Stop();
        _work.GetAwaiter().GetResult();
    }

    /// <summary>To be called when it has ended.</summary>
    public void Dispose() => _stop.Dispose();

    private async Task<JobState> RunAsync(JobStreams streams)
    {
        var steps = new SyncStepHandler(streams, $"Syncing {Feed}")
        {
            Table = () => sync.Result.Table,
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
            return JobState.Stopped;
        }
        catch (Exception error)
        {
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
