namespace Lockstep.Engine.Recording;

/// <summary>What a <see cref="FeedRecorder"/> has saved.</summary>
/// <param name="Path">The file.</param>
/// <param name="Status">The response's status.</param>
/// <param name="Bytes">The bytes of the body.</param>
/// <param name="Duration">From the headers to the end.</param>
/// <param name="End">How it ended.</param>
public sealed record FeedRecording(string Path, int Status, long Bytes, TimeSpan Duration, RecordingEnd End);

/// <summary>How a recorded response ended.</summary>
public enum RecordingEnd
{
    /// <summary>The body was complete; its replay ends too.</summary>
    Completed,

    /// <summary>The connection broke; its replay is cut with a FIN.</summary>
    Cut,

    /// <summary>The recorder had enough; its replay stays open and silent.</summary>
    Stopped,
}
