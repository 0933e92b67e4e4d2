using System.Management.Automation;

namespace Lockstep;

/// <summary>
/// A sync that runs in the background, as <c>Sync-LockstepTable -AsJob</c> returns it: a job like any other, for <c>Get-Job</c>,
/// <c>Receive-Job</c>,
/// <c>Wait-Job</c>, <c>Stop-Job</c> and <c>Remove-Job</c>. It ends with the session that started it, or when the module is removed there.
/// </summary>
/// <remarks>
/// Its output is the sync's result, or with -PassThru the changes; connection events are on its information stream. Of what nobody has
/// received it keeps the newest 10,000 output objects and the newest 1,000 messages of each other stream; it never waits for a receiver.
/// </remarks>
public sealed class SyncJob : Job
{
    private readonly ISyncWork _sync;
    private readonly Lock _gate = new();
    private bool _isOver;

    internal SyncJob(string? name, ISyncWork sync)
        : base($"Sync-LockstepTable {sync.Feed} -AsJob", name)
    {
        _sync = sync;
        PSJobTypeName = "LockstepSync";
    }

    /// <summary>What the sync has done so far: state, lag and counts.</summary>
    public SyncResult Sync => _sync.Result;

    /// <summary>
    /// The outcome of the sync; while it runs None, or SweepRefused while it waits for another whole set after a refused one.
    /// </summary>
    public SyncOutcome Outcome => Sync.Outcome;

    /// <summary>The last error between the feed and the sync; null if there was none. Kept after a recovery.</summary>
    public string? LastError => _sync.Health.LastError;

    /// <summary>When the feed was last heard, in local time; null if it never was.</summary>
    public DateTime? LastContact => _sync.Health.LastContact?.LocalDateTime;

    /// <summary>When the sync last changed the table, in local time; null if it has not.</summary>
    public DateTime? LastChange => _sync.Health.LastChange?.LocalDateTime;

    /// <summary>How many output objects were dropped because nobody received them in time.</summary>
    public long Dropped => _sync.Dropped;

    /// <summary>Whether there is something to receive.</summary>
    public override bool HasMoreData =>
        Output.Count > 0
        || Error.Count > 0
        || Information.Count > 0
        || Warning.Count > 0
        || Verbose.Count > 0
        || Progress.Count > 0
        || Debug.Count > 0;

    /// <summary>Where it runs: in this process.</summary>
    public override string Location => "localhost";

    /// <summary>State and counts, as text.</summary>
    public override string StatusMessage => _sync.Status;

    /// <summary>Stops the sync, and returns once it has released its connection and file. What was committed is kept.</summary>
    public override void StopJob()
    {
        lock (_gate)
        {
            if (_isOver)
                return;

            SetJobState(JobState.Stopping);
        }

        _sync.Stop();
    }

    /// <summary>What ended the sync, if it failed.</summary>
    internal Exception? Failure => _sync.Failure;

    internal void Start()
    {
        SetJobState(JobState.Running);
        _sync.Start(this, End);
    }

    /// <summary>Stops the sync and releases the job's streams.</summary>
    /// <param name="disposing">Whether this is called by Dispose.</param>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            StopJob();
            _sync.Dispose();
        }

        base.Dispose(disposing);
    }

    private void End(JobState state)
    {
        lock (_gate)
            _isOver = true;
        SetJobState(state);
    }
}

/// <summary>The sync that a <see cref="SyncJob"/> runs.</summary>
internal interface ISyncWork : IDisposable
{
    /// <summary>The feed's URI, safe to print.</summary>
    string Feed { get; }

    /// <summary>What it has done so far. Any thread.</summary>
    SyncResult Result { get; }

    /// <summary>The same as text. Any thread.</summary>
    string Status { get; }

    /// <summary>Its health.</summary>
    SyncHealth Health { get; }

    /// <summary>What ended it, if it failed; known before it is reported to have ended. Any thread.</summary>
    Exception? Failure { get; }

    /// <summary>How many output objects were dropped. Any thread.</summary>
    long Dropped { get; }

    /// <summary>Starts it.</summary>
    /// <param name="job">The job to whose streams it reports.</param>
    /// <param name="ended">Called once, when it has ended and released file and socket.</param>
    void Start(Job job, Action<JobState> ended);

    /// <summary>Ends it, and waits until it has released file and socket (I10). Any thread; may be called again.</summary>
    void Stop();
}
