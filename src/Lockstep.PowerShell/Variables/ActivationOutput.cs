using Lockstep.Pipeline;
using Lockstep.Ticks;

namespace Lockstep.Variables;

/// <summary>Writes what a watch reports to the pipeline. On the pipeline thread.</summary>
internal sealed class ActivationOutput(LockstepCmdlet cmdlet, VariableStore store, VariableValues values)
{
    public void Take(TickNotice notice)
    {
        switch (notice)
        {
            case TickActivated { Activation: { Tuple: { } tuple } activation }:
                cmdlet.WriteObject(
                    new VariableActivation
                    {
                        Name = activation.Variable,
                        Value = values.ToObject(tuple.Json),
                        ActiveAt = tuple.ActiveAt.ToLocalTime(),
                        SwitchedAt = activation.SwitchedAt.ToLocalTime(),
                        Tick = tuple.Tick,
                        Json = tuple.Json,
                        Store = store,
                    }
                );
                break;
            case TickWarned warned:
                cmdlet.WriteWarning(warned.Message);
                break;
        }
    }
}
