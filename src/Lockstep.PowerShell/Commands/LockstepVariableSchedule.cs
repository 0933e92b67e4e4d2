using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Completers;

namespace Lockstep.Commands;

/// <summary>Lists the past, current and pending values of variables, and who set them.</summary>
[Cmdlet(VerbsCommon.Get, "LockstepVariableSchedule")]
[OutputType(typeof(ScheduledValue))]
public sealed class GetLockstepVariableScheduleCommand : VariableCmdlet
{
    /// <summary>The variables; all of the store if none is named.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(VariableCompleter))]
    public string[] Name { get; set; } = ["*"];

    /// <summary>Only values that stand so.</summary>
    [Parameter]
    public ScheduleState[] State { get; set; } = [ScheduleState.Past, ScheduleState.Current, ScheduleState.Pending];

    private protected override void Process() =>
        ForEach(
            Name,
            (store, variable) =>
                WriteObject(store.GetSchedule(variable).Where(entry => State.Contains(entry.State)), enumerateCollection: true)
        );
}
