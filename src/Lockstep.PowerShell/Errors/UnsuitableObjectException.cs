using Lockstep.Engine;

namespace Lockstep.Errors;

/// <summary>An object without a form as a JSON record.</summary>
internal sealed class UnsuitableObjectException(string where, string what)
    : LockstepException(
        ErrorKind.MalformedRecord,
        $"{where} {what}.",
        "Give objects or hashtables with strings, numbers, booleans, dates, nested ones of these, or arrays of them; "
            + "Select-Object picks the properties that matter."
    );
