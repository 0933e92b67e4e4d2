namespace Lockstep.Cli.Output;

/// <summary>A command could not do what was requested; the message gives the full reason.</summary>
internal sealed class CommandException(string message) : Exception(message);
