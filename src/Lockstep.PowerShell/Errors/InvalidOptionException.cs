using Lockstep.Engine;

namespace Lockstep.Errors;

/// <summary>Parameters that do not go together, or not with what they are used on.</summary>
internal sealed class InvalidOptionException(string message, Remedy remedy) : LockstepException(ErrorKind.InvalidArgument, message, remedy);
