using System.Management.Automation;

namespace Lockstep;

/// <summary>
/// A sync that runs in the background, as <c>Sync-LockstepTable -AsJob</c> returns it: a job like any other, for <c>Get-Job</c>,
/// <c>Receive-Job</c>,
/// <c>Wait-Job</c>, <c>Stop-Job</c> and <c>Remove-Job</c>. It ends with the session that started it, or when the module is removed there.
/// </summary>
/// <remarks>
/// Its output is the sync's result, or with -PassThru the changes; the events of the connection are on its information stream. It keeps
/// the newest 10,000 objects of output and the newest 1,000 messages of each other stream that nobody has received; it never waits for a
/// receiver.
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

    /// <summary>What the sync has done so far: state, lag and counts, as of the moment of asking.</summary>
    public SyncResult Sync => _sync.Result;

    /// <summary>What came of the sync; while it runs None, or SweepRefused while a whole set that was refused is awaited.</summary>
    public SyncOutcome Outcome => Sync.Outcome;

    /// <summary>What last went wrong between the feed and the sync; null where nothing has. It stays when all is well again.</summary>
    public string? LastError => _sync.Health.LastError;

    /// <summary>When the feed was last heard, in local time; null when it was not.</summary>
    public DateTime? LastContact => _sync.Health.LastContact?.LocalDateTime;

    /// <summary>When the sync last changed the table, in local time; null when it has not.</summary>
    public DateTime? LastChange => _sync.Health.LastChange?.LocalDateTime;

    /// <summary>How many objects of output nobody received in time, so that they were dropped.</summary>
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

    /// <summary>State and counts, in words.</summary>
    public override string StatusMessage => _sync.Status;

    /// <summary>Stops the sync, and returns when it has released connection and file. What was committed stays.</summary>
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

    /// <summary>What ended the sync, where it failed.</summary>
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
    /// <summary>The feed's URI as it may be shown.</summary>
    string Feed { get; }

    /// <summary>What it has done so far. Any thread.</summary>
    SyncResult Result { get; }

    /// <summary>The same in words. Any thread.</summary>
    string Status { get; }

    /// <summary>How it gets on with its feed.</summary>
    SyncHealth Health { get; }

    /// <summary>What ended it, where it failed; known before it is said to have ended. Any thread.</summary>
    Exception? Failure { get; }

    /// <summary>How many objects of output were dropped. Any thread.</summary>
    long Dropped { get; }

    /// <summary>Starts it.</summary>
    /// <param name="job">To whose streams it tells what it does.</param>
    /// <param name="ended">Called once, when it has ended and released file and socket.</param>
    void Start(Job job, Action<JobState> ended);

    /// <summary>Ends it, and waits until it has released file and socket (I10). Any thread; may be called again.</summary>
    void Stop();
}
