namespace Lockstep.Engine.Recording;

/// <summary>How much of a feed a <see cref="FeedRecorder"/> takes.</summary>
public sealed class RecordingOptions
{
    /// <summary>How long; null until the end of the body.</summary>
    public TimeSpan? Duration { get; set; }

    /// <summary>How many bytes of the body at most; null for no limit.</summary>
    public long? MaximumBytes { get; set; }
}
