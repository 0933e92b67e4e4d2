using Lockstep.Sessions;

namespace Lockstep.Jobs;

/// <summary>The background syncs of one runspace; they end with it. Thread-safe.</summary>
internal sealed class RunspaceJobs : IRunspaceState
{
    private readonly List<SyncJob> _jobs = [];
    private bool _closed;

    /// <summary>Those of this thread's runspace.</summary>
    public static RunspaceJobs Current => PerRunspace<RunspaceJobs>.Current;

    /// <summary>Starts a job and adds it to this runspace.</summary>
    public void Start(SyncJob job)
    {
        lock (_jobs)
        {
            if (_closed)
                return;

            _jobs.RemoveAll(static other => other.Finished.WaitOne(0));
            _jobs.Add(job);
            job.Start();
        }
    }

    /// <inheritdoc/>
    public void Close()
    {
        SyncJob[] jobs;
        lock (_jobs)
        {
            _closed = true;
            jobs = [.. _jobs];
            _jobs.Clear();
        }

        Parallel.ForEach(jobs, static job => job.StopJob());
    }
}
