namespace Lockstep;

/// <summary>A request that a test server received, at the moment of asking.</summary>
public sealed class TestRequestInfo
{
    /// <summary>Counts from 1 in order of arrival.</summary>
    public long Number { get; internal init; }

    /// <summary>When it arrived, in local time.</summary>
    public DateTime Time { get; internal init; }

    /// <summary>The HTTP method.</summary>
    public string Method { get; internal init; } = "";

    /// <summary>Path and query; secrets are hidden.</summary>
    public string Path { get; internal init; } = "";

    /// <summary>The requested cursor; null if there was none.</summary>
    public string? Cursor { get; internal init; }

    /// <summary>The request's headers; secrets are hidden.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; internal init; } = new Dictionary<string, string>();

    /// <summary>The response's status code; 0 until it has one.</summary>
    public int Status { get; internal init; }

    /// <summary>Bytes of the body that were sent.</summary>
    public long Bytes { get; internal init; }

    /// <summary>Records among them.</summary>
    public long Records { get; internal init; }

    /// <summary>How it ended.</summary>
    public TestRequestEnding Ending { get; internal init; }

    /// <summary>From its arrival to its end, or to the moment of asking.</summary>
    public TimeSpan Duration { get; internal init; }

    /// <summary>The ids of the faults that took part.</summary>
    public IReadOnlyList<string> Faults { get; internal init; } = [];

    /// <summary>Why the server failed, if it did.</summary>
    public string? Error { get; internal init; }

    /// <summary>The request in one line.</summary>
    public override string ToString() => $"{Number} {Method} {Path} {Status} {Ending}";
}

/// <summary>How a request to a test server ended.</summary>
public enum TestRequestEnding
{
    /// <summary>It has not ended.</summary>
    Open,

    /// <summary>The response was sent in full.</summary>
    Completed,

    /// <summary>The client disconnected.</summary>
    ClientClosed,

    /// <summary>The server was stopped.</summary>
    ServerStopped,

    /// <summary>A fault or a scenario cut it off.</summary>
    Cut,

    /// <summary>The server failed.</summary>
    Failed,
}
