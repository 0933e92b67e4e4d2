namespace Lockstep.Engine.Recording;

/// <summary>How a recorded response ended.</summary>
public enum RecordingEnd
{
    /// <summary>The body was whole; its replay ends too.</summary>
    Completed,

    /// <summary>The connection broke; its replay is cut with a FIN.</summary>
    Cut,

    /// <summary>The recorder had enough; its replay stays open and silent.</summary>
    Stopped,
}
