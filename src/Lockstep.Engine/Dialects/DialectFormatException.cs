namespace Lockstep.Engine.Dialects;

/// <summary>A dialect's description is wrong.</summary>
public sealed class DialectFormatException : LockstepException
{
    internal DialectFormatException(string name, string reason)
        : base(
            ErrorKind.InvalidArgument,
            $"The dialect '{name}' cannot be used: {reason}{(reason.EndsWith('?') ? "" : ".")}",
            "Correct it; docs/DIALECTS.md lists everything that a dialect may contain."
        ) { }
}
