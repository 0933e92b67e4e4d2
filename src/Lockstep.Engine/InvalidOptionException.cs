namespace Lockstep.Engine;

/// <summary>An option has a value that it cannot have, or options do not go together.</summary>
/// <param name="message">What is wrong, with the option as the user knows it.</param>
/// <param name="remedy">What to give instead.</param>
public sealed class InvalidOptionException(string message, Remedy remedy) : LockstepException(ErrorKind.InvalidArgument, message, remedy);
