using System.Management.Automation;
using Lockstep.Commands;

namespace Lockstep.Sync;

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

    public void Warn(string message) => cmdlet.WriteWarning(message);

    public void Verbose(string message) => cmdlet.WriteVerbose(message);

    public void Progress(ProgressRecord progress) => cmdlet.WriteProgress(progress);
}
