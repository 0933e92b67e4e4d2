using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Gossip;
using Lockstep.Gossip.Models;

namespace Lockstep.Commands;

/// <summary>
/// Waits until a model and its peers each have what the other had: over all connections that this session opened or, if there are none,
/// with one peer that connected.
/// </summary>
[Cmdlet(VerbsLifecycle.Wait, "LockstepModel")]
[OutputType(typeof(ModelInfo), ParameterSetName = [nameof(PassThru)])]
public sealed class WaitLockstepModelCommand : ModelsCmdlet
{
    /// <summary>What to wait for; so far this is the only choice, so it may be omitted.</summary>
    [Parameter]
    public SwitchParameter Synced { get; set; }

    /// <summary>After how many seconds to fail; by default never.</summary>
    [Parameter]
    [ValidateRange(0.0, 2000000.0)]
    public double? TimeoutSec { get; set; }

    /// <summary>Passes the models on.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process() => ForEachModel(Wait);

    private void Wait(SessionModel model)
    {
        model
            .WaitForSyncAsync(TimeoutSec is { } seconds ? TimeSpan.FromSeconds(seconds) : Timeout.InfiniteTimeSpan, StopToken)
            .GetAwaiter()
            .GetResult();
        foreach (var hold in model.Held)
            WriteWarning($"{model.Name}: {hold}");
        foreach (var missing in model.Missing)
            WriteWarning($"{model.Name}: {missing}");
        if (model.RefusedCount > 0)
        {
            WriteWarning(
                $"{model.Name}: {model.RefusedCount} changes of new sources were refused: the model knows as many as it may "
                    + "(New-LockstepModel -MaximumSourceCount)."
            );
        }

        if (PassThru)
            WriteObject(new ModelInfo(model));
    }
}
