using Lockstep.TestServer.Requests;

namespace Lockstep;

/// <summary>A request that a test server got, as it stood at the moment of asking.</summary>
public sealed class TestRequestInfo
{
    internal TestRequestInfo(TestRequest request)
    {
        Number = request.Number;
        Time = request.Time.LocalDateTime;
        Method = request.Method;
        Path = request.Path;
        Cursor = request.Cursor;
        Headers = request.Headers;
        Status = request.Status;
        Bytes = request.Bytes;
        Records = request.Records;
        Ending = Enum.Parse<TestRequestEnding>(request.Ending.ToString());
        Duration = request.Duration;
        Faults = request.Faults;
        Error = request.Error;
    }

    /// <summary>Counts from 1 in order of arrival.</summary>
    public long Number { get; }

    /// <summary>When it arrived, in local time.</summary>
    public DateTime Time { get; }

    /// <summary>The HTTP method.</summary>
    public string Method { get; }

    /// <summary>Path and query; secrets are hidden.</summary>
    public string Path { get; }

    /// <summary>The cursor asked for; null when there was none.</summary>
    public string? Cursor { get; }

    /// <summary>The request's headers; secrets are hidden.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>The response's status code; 0 until it has one.</summary>
    public int Status { get; }

    /// <summary>Bytes of the body that were sent.</summary>
    public long Bytes { get; }

    /// <summary>Records among them.</summary>
    public long Records { get; }

    /// <summary>How it ended.</summary>
    public TestRequestEnding Ending { get; }

    /// <summary>From its arrival to its end, or to the moment of asking.</summary>
    public TimeSpan Duration { get; }

    /// <summary>The ids of the faults that took part.</summary>
    public IReadOnlyList<string> Faults { get; }

    /// <summary>Why the server failed, where it did.</summary>
    public string? Error { get; }

    /// <summary>The request in one line.</summary>
    public override string ToString() => $"{Number} {Method} {Path} {Status} {Ending}";
}
