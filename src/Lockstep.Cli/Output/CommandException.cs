namespace Lockstep.Cli.Output;

/// <summary>A command could not do what it was told, for a reason that its message says all of.</summary>
internal sealed class CommandException(string message) : Exception(message);
