using System.Management.Automation;
using Lockstep.Engine;
using Lockstep.Pipeline;

namespace Lockstep.Sync;

/// <summary>Where what a sync tells goes to: the streams of a cmdlet, or those of a job. One thread at a time.</summary>
internal interface ISyncStreams
{
    /// <summary>How many objects the output can hold that nobody has taken yet.</summary>
    int Capacity { get; }

    /// <summary>Writes an object.</summary>
    void Output(object value);

    /// <summary>Says that so many objects were not returned, because newer ones would take their places at once.</summary>
    void Drop(int count);

    /// <summary>Tells of an event on the information stream, tagged <c>Lockstep</c>.</summary>
    void Event(FeedEvent happened);

    /// <summary>Warns.</summary>
    void Warn(string message);

    /// <summary>Tells what only those want to know who ask for it.</summary>
    void Verbose(string message);

    /// <summary>Tells what helps to find a fault.</summary>
    void Debug(string message);

    /// <summary>Shows how far it is.</summary>
    void Progress(ProgressRecord progress);
}

/// <summary>
/// The streams of a cmdlet. Output waits until the pipeline has taken it, so that a slow consumer slows the feed. Pipeline thread only.
/// </summary>
internal sealed class CmdletStreams(LockstepCmdlet cmdlet) : ISyncStreams
{
    public int Capacity => int.MaxValue;

    public void Output(object value) => cmdlet.WriteObject(value);

    public void Drop(int count)
    {
        // Nothing ever is.
    }

    public void Event(FeedEvent happened) => cmdlet.WriteEvent(happened);

    public void Warn(string message) => cmdlet.WriteWarning(PlainText.Of(message));

    public void Verbose(string message) => cmdlet.WriteVerbose(PlainText.Of(message));

    public void Debug(string message) => cmdlet.WriteDebug(PlainText.Of(message));

    public void Progress(ProgressRecord progress) => cmdlet.WriteProgress(progress);
}
