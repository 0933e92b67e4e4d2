using Lockstep.Engine;

namespace Lockstep.Errors;

/// <summary>A variable has no past, current or pending value; or none at the given instant.</summary>
internal sealed class VariableNotFoundException : LockstepException
{
    public VariableNotFoundException(string variable, string store)
        : base(
            ErrorKind.NotFound,
            $"There is no variable '{variable}' in the store {store}.",
            "List the variables with Get-LockstepVariable -Store; their names tell upper and lower case apart."
        ) { }

    public VariableNotFoundException(string variable, DateTimeOffset activeAt, string store)
        : base(
            ErrorKind.NotFound,
            $"The variable '{variable}' in the store {store} has no value that becomes active at {activeAt:O}.",
            "Pipe what to remove from Get-LockstepVariableSchedule -State Pending, which gives instants to the millisecond."
        ) { }
}
