namespace Lockstep.Engine.Recording;

/// <summary>What a <see cref="FeedRecorder"/> has saved.</summary>
/// <param name="Path">The file.</param>
/// <param name="Status">The response's status.</param>
/// <param name="Bytes">The bytes of the body.</param>
/// <param name="Duration">From the head to the end.</param>
/// <param name="End">How it ended.</param>
public sealed record FeedRecording(string Path, int Status, long Bytes, TimeSpan Duration, RecordingEnd End);
