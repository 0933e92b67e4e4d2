using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Completers;

namespace Lockstep.Commands;

/// <summary>Lists the past, current and pending values of variables, and who set them.</summary>
[Cmdlet(VerbsCommon.Get, "LockstepVariableSchedule")]
[OutputType(typeof(ScheduledValue))]
public sealed class GetLockstepVariableScheduleCommand : VariableCmdlet
{
    /// <summary>The variables; all in the store if none is named.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(VariableCompleter))]
    public string[] Name { get; set; } = ["*"];

    /// <summary>Only values in this state.</summary>
    [Parameter]
    public ScheduleState[] State { get; set; } = [ScheduleState.Past, ScheduleState.Current, ScheduleState.Pending];

    private protected override void Process() =>
        ForEach(
            Name,
            (store, variable) =>
                WriteObject(store.GetSchedule(variable).Where(entry => State.Contains(entry.State)), enumerateCollection: true)
        );
}

/// <summary>Removes past values.</summary>
[Cmdlet(VerbsCommon.Clear, "LockstepVariableSchedule", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
public sealed class ClearLockstepVariableScheduleCommand : VariableCmdlet
{
    /// <summary>The variables; all in the store if none is named.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(VariableCompleter))]
    public string[] Name { get; set; } = ["*"];

    /// <summary>How many past values of each variable to keep. By default 5.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int Keep { get; set; } = 5;

    private protected override void Process() =>
        ForEach(
            Name,
            (store, variable) =>
            {
                if (ShouldProcess($"the variable '{variable}' in {store.Name}", $"Remove all past values but the newest {Keep}"))
                    store.Purge(variable, Keep);
            }
        );
}

/// <summary>Moves pending values that other programs wrote to the boundaries they belong to.</summary>
[Cmdlet(VerbsData.Update, "LockstepVariableSchedule", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(ScheduledValue))]
public sealed class UpdateLockstepVariableScheduleCommand : VariableCmdlet
{
    /// <summary>The variables; all in the store if none is named.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(VariableCompleter))]
    public string[] Name { get; set; } = ["*"];

    private protected override void Process() =>
        ForEach(
            Name,
            (store, variable) =>
            {
                if (ShouldProcess($"the variable '{variable}' in {store.Name}", "Move pending values to boundaries"))
                    WriteObject(store.Reschedule(variable), enumerateCollection: true);
            }
        );
}
