namespace Lockstep.Cli.Output;

/// <summary>A command could not do what was asked, for a reason that its message says in full.</summary>
internal sealed class CommandException(string message) : Exception(message);
