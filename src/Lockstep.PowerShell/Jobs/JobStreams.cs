using System.Globalization;
using System.Management.Automation;
using Lockstep.Engine;
using Lockstep.Sync;

namespace Lockstep.Jobs;

/// <summary>
/// A job's streams, which <c>Receive-Job</c> empties. Each keeps its newest records: a table must stay in sync whether or not somebody
/// reads, so a full stream neither stops the sync nor grows. What it drops is counted and reported (I7).
/// </summary>
internal sealed class JobStreams : ISyncStreams
{
    /// <summary>How many output objects are kept.</summary>
    public const int MostOutput = 10_000;

    private const int MostMessages = 1000;

    private readonly BoundedStream<PSObject> _output;
    private readonly BoundedStream<InformationRecord> _events;
    private readonly BoundedStream<WarningRecord> _warnings;
    private readonly BoundedStream<VerboseRecord> _verbose;
    private readonly BoundedStream<DebugRecord> _debug;
    private readonly BoundedStream<ProgressRecord> _progress;
    private readonly BoundedStream<ErrorRecord> _errors;
    private bool _warnedOfOutput;

    public JobStreams(Job job)
    {
        _output = new(job.Output, MostOutput);
        _events = new(job.Information, MostMessages);
        _warnings = new(job.Warning, MostMessages);
        _verbose = new(job.Verbose, MostMessages);
        _debug = new(job.Debug, MostMessages);
        _progress = new(job.Progress, 1);
        _errors = new(job.Error, MostMessages);
    }

    /// <inheritdoc/>
    public int Capacity => MostOutput;

    /// <summary>How many output objects were dropped.</summary>
    public long Dropped => _output.Dropped;

    /// <inheritdoc/>
    public void Output(object value)
    {
        _output.Add(PSObject.AsPSObject(value));
        TellOfDropped();
    }

    /// <inheritdoc/>
    public void Drop(int count)
    {
        _output.Drop(count);
        TellOfDropped();
    }

    /// <inheritdoc/>
    public void Event(FeedEvent happened)
    {
        var record = new InformationRecord(happened, "Sync-LockstepTable");
        record.Tags.Add("Lockstep");
        _events.Add(record);
    }

    /// <inheritdoc/>
    public void Warn(string message) => _warnings.Add(new WarningRecord(PlainText.Of(message)));

    /// <inheritdoc/>
    public void Verbose(string message) => _verbose.Add(new VerboseRecord(PlainText.Of(message)));

    /// <inheritdoc/>
    public void Debug(string message) => _debug.Add(new DebugRecord(PlainText.Of(message)));

    /// <inheritdoc/>
    public void Progress(ProgressRecord progress) => _progress.Add(progress);

    /// <summary>Reports what ended the sync.</summary>
    public void Fail(ErrorRecord error) => _errors.Add(error);

    private void TellOfDropped()
    {
        if (_warnedOfOutput || Dropped == 0)
            return;

        _warnedOfOutput = true;
        Warn(
            string.Create(
                CultureInfo.InvariantCulture,
                $"The job keeps its newest {MostOutput} objects of output for Receive-Job, and older ones have been "
                    + $"dropped. The table has all: read it with Get-LockstepRecord -Since."
            )
        );
    }
}
