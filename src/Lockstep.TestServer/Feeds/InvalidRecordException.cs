namespace Lockstep.TestServer.Feeds;

/// <summary>A record that was given to a scripted feed is not one JSON object.</summary>
public sealed class InvalidRecordException : FormatException
{
    internal InvalidRecordException(string message, Exception? inner = null)
        : base(message, inner) { }
}
