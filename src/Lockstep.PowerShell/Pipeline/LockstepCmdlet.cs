using System.Management.Automation;
using Lockstep.Errors;

namespace Lockstep.Pipeline;

/// <summary>
/// The base of every cmdlet: owns the cancellation that Ctrl+C triggers, turns the engine's errors into error records, and advances the
/// engine's sequences on the pipeline thread. A cmdlet overrides <c>Begin</c>, <c>Process</c> and <c>End</c>.
/// </summary>
public abstract class LockstepCmdlet : PSCmdlet, IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private string[] _named = [];

    private protected LockstepCmdlet() { }

    /// <summary>Cancelled by Ctrl+C, by <c>Stop-Job</c> and by anything else that ends the pipeline from outside (I10).</summary>
    private protected CancellationToken StopToken => _stopping.Token;

    /// <summary>The target that an error record names: none by default, for most cmdlets the feed or file on which they work.</summary>
    private protected virtual object? ErrorTarget => null;

    /// <inheritdoc/>
    protected sealed override void BeginProcessing()
    {
        // Before the first object from the pipeline, these are the parameters of the command line.
        _named = [.. MyInvocation.BoundParameters.Keys];
        Guard(Begin, ThrowTerminatingError);
    }

    /// <summary>An error with one object from the pipeline does not stop the others.</summary>
    protected sealed override void ProcessRecord() => Guard(Process, WriteError);

    /// <inheritdoc/>
    protected sealed override void EndProcessing() => Guard(End, ThrowTerminatingError);

    /// <inheritdoc/>
    protected sealed override void StopProcessing()
    {
        try
        {
            _stopping.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // PowerShell calls this from another thread, possibly just after the pipeline has ended on its own.
        }
    }

    /// <summary>Whether a parameter is on the command line, and not bound from an object in the pipeline.</summary>
    private protected bool IsNamed(string parameter) => _named.Contains(parameter, StringComparer.OrdinalIgnoreCase);

    /// <summary>Called once, before the first object from the pipeline. Its errors end the pipeline.</summary>
    private protected virtual void Begin() { }

    /// <summary>Called for each object from the pipeline, or once if there is none.</summary>
    private protected virtual void Process() { }

    /// <summary>Called once, after the last object; not if the pipeline was ended earlier. Its errors end the pipeline.</summary>
    private protected virtual void End() { }

    /// <summary>
    /// Pulls a sequence from the engine and passes on each element, all on the pipeline thread, so that script blocks, output and progress
    /// may be used in between. Ends the sequence in any case: <c>Select-Object -First 1</c> closes the socket behind it.
    /// </summary>
    private protected void Pump<T>(IAsyncEnumerable<T> sequence, Action<T> handOn)
    {
        var elements = sequence.GetAsyncEnumerator(StopToken);
        try
        {
            while (Await(elements.MoveNextAsync()))
                handOn(elements.Current);
        }
        finally
        {
            Await(elements.DisposeAsync());
        }
    }

    /// <summary>Waits for the engine on the pipeline thread, which has nothing else to do meanwhile.</summary>
    internal static T Await<T>(ValueTask<T> work) => work.IsCompletedSuccessfully ? work.Result : work.AsTask().GetAwaiter().GetResult();

    /// <inheritdoc cref="Await{T}"/>
    internal static void Await(ValueTask work)
    {
        if (!work.IsCompletedSuccessfully)
            work.AsTask().GetAwaiter().GetResult();
    }

    /// <summary>Writes an event to the information stream, tagged <c>Lockstep</c>, for <c>-InformationVariable</c> to collect.</summary>
    internal void WriteEvent(object happened) => WriteInformation(happened, ["Lockstep"]);

    /// <summary>Called by PowerShell when the pipeline has ended, for any reason.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases the cmdlet's resources.</summary>
    /// <param name="disposing">Always true: there is no finalizer.</param>
    protected virtual void Dispose(bool disposing) => _stopping.Dispose();

    /// <summary>Does one of several things; an error does not keep the others from being done.</summary>
    private protected void Attempt(Action step) => Guard(step, WriteError);

    private void Guard(Action step, Action<ErrorRecord> report)
    {
        try
        {
            step();
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            throw new PipelineStoppedException();
        }
        catch (Exception error) when (ErrorRecords.TryDescribe(error, ErrorTarget) is { } record)
        {
            report(record);
        }
    }
}
