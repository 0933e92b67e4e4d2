namespace Lockstep.TestServer.Scenarios;

/// <summary>A scenario cannot be understood; the message names the step.</summary>
public sealed class InvalidScenarioException : FormatException
{
    internal InvalidScenarioException(string message, Exception? inner = null)
        : base(message, inner) { }
}
