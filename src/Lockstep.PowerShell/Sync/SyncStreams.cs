using System.Management.Automation;
using Lockstep.Engine;
using Lockstep.Pipeline;

namespace Lockstep.Sync;

/// <summary>The destination of a sync's reports: a cmdlet's streams, or a job's. One thread at a time.</summary>
internal interface ISyncStreams
{
    /// <summary>How many unreceived objects the output can hold.</summary>
    int Capacity { get; }

    /// <summary>Writes an object.</summary>
    void Output(object value);

    /// <summary>Notes that this many objects were not output, because newer ones would replace them at once.</summary>
    void Drop(int count);

    /// <summary>Writes an event to the information stream, tagged <c>Lockstep</c>.</summary>
    void Event(FeedEvent happened);

    /// <summary>Writes a warning.</summary>
    void Warn(string message);

    /// <summary>Writes a verbose message.</summary>
    void Verbose(string message);

    /// <summary>Writes a debug message.</summary>
    void Debug(string message);

    /// <summary>Shows the progress.</summary>
    void Progress(ProgressRecord progress);
}

/// <summary>
/// A cmdlet's streams. Output waits until the pipeline has taken it, so that a slow consumer slows the feed. Pipeline thread only.
/// </summary>
internal sealed class CmdletStreams(LockstepCmdlet cmdlet) : ISyncStreams
{
    public int Capacity => int.MaxValue;

    public void Output(object value) => cmdlet.WriteObject(value);

    public void Drop(int count)
    {
        // Nothing is ever dropped.
    }

    public void Event(FeedEvent happened) => cmdlet.WriteEvent(happened);

    public void Warn(string message) => cmdlet.WriteWarning(PlainText.Of(message));

    public void Verbose(string message) => cmdlet.WriteVerbose(PlainText.Of(message));

    public void Debug(string message) => cmdlet.WriteDebug(PlainText.Of(message));

    public void Progress(ProgressRecord progress) => cmdlet.WriteProgress(progress);
}
