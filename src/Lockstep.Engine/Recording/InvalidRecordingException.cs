namespace Lockstep.Engine.Recording;

/// <summary>A file is no recording of a feed, or a damaged one.</summary>
public sealed class InvalidRecordingException : FormatException
{
    internal InvalidRecordingException(string message, Exception? inner = null)
        : base(message, inner) { }
}
