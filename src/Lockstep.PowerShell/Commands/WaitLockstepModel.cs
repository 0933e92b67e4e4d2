using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Gossip;
using Lockstep.Gossip.Models;

namespace Lockstep.Commands;

/// <summary>
/// Waits until a model and its peers each have what the other had: over all connections that were made from here or, where there are none,
/// with one peer that came in.
/// </summary>
[Cmdlet(VerbsLifecycle.Wait, "LockstepModel")]
[OutputType(typeof(ModelInfo), ParameterSetName = [nameof(PassThru)])]
public sealed class WaitLockstepModelCommand : ModelsCmdlet
{
    /// <summary>What is waited for; there is nothing else yet, so it may be left out.</summary>
    [Parameter]
    public SwitchParameter Synced { get; set; }

    /// <summary>After how many seconds it is an error; by default never.</summary>
    [Parameter]
    [ValidateRange(0.0, 2000000.0)]
    public double? TimeoutSec { get; set; }

    /// <summary>Hands the models on.</summary>
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

        if (PassThru)
            WriteObject(new ModelInfo(model));
    }
}
