namespace Lockstep;

/// <summary>A recording of a feed by <c>Save-LockstepFeed</c>.</summary>
public sealed class FeedRecordingInfo
{
    internal FeedRecordingInfo() { }

    /// <summary>The file.</summary>
    public string Path { get; internal init; } = "";

    /// <summary>The status of the feed's answer.</summary>
    public int Status { get; internal init; }

    /// <summary>How many bytes of the body were recorded, as sent.</summary>
    public long Bytes { get; internal init; }

    /// <summary>How long the recording lasts.</summary>
    public TimeSpan Duration { get; internal init; }

    /// <summary>Whether the answer ended (Completed), was cut off (Cut), or the recording was stopped (Stopped).</summary>
    public string End { get; internal init; } = "";

    /// <summary>The file.</summary>
    public override string ToString() => Path;
}
