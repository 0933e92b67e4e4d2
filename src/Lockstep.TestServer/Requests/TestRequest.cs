using Lockstep.Serving.Hosting;

namespace Lockstep.TestServer.Requests;

/// <summary>
/// One request that the test server got, and what became of it. While it is open its figures move on; any thread may read them.
/// </summary>
public sealed class TestRequest : ISentCount
{
    private readonly TimeProvider _time;
    private readonly long _started;
    private long _bytes;
    private long _records;
    private long _ended;
    private volatile int _status;
    private volatile int _position = -1;
    private volatile RequestEnding _ending;

    internal TestRequest(
        long number,
        TimeProvider time,
        string method,
        string path,
        string? cursor,
        IReadOnlyDictionary<string, string> headers
    )
    {
        _time = time;
        _started = time.GetTimestamp();
        Number = number;
        Time = time.GetUtcNow();
        Method = method;
        Path = path;
        Cursor = cursor;
        Headers = headers;
    }

    /// <summary>Counts from 1 in order of arrival.</summary>
    public long Number { get; }

    /// <summary>When the request's head had arrived (UTC).</summary>
    public DateTimeOffset Time { get; }

    /// <summary>The HTTP method.</summary>
    public string Method { get; }

    /// <summary>Path and query, percent-encoded. The value of a query parameter that carries a secret is replaced by <c>***</c>.</summary>
    public string Path { get; }

    /// <summary>The cursor asked for: <c>since</c> of the query, else the path's last element; null when there was none.</summary>
    public string? Cursor { get; }

    /// <summary>
    /// The request's headers; names compare without regard to case. Secrets are replaced by <c>***</c>: of Authorization the scheme stays.
    /// </summary>
    public IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>The response's status code; 0 until it has one.</summary>
    public int Status
    {
        get => _status;
        internal set => _status = value;
    }

    /// <summary>Bytes of the body handed to the connection so far, without the framing of chunks.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Records among them; heartbeats and control rows do not count.</summary>
    public long Records => Volatile.Read(ref _records);

    /// <summary>How it ended.</summary>
    public RequestEnding Ending => _ending;

    /// <summary>From the request's arrival to its end, or to now while it is open.</summary>
    public TimeSpan Duration =>
        _time.GetElapsedTime(_started, _ending == RequestEnding.Open ? _time.GetTimestamp() : Volatile.Read(ref _ended));

    /// <summary>Why the server failed; null unless <see cref="Ending"/> is <see cref="RequestEnding.Failed"/>.</summary>
    public string? Error { get; private set; }

    /// <summary>The ids of the faults that took part in the response.</summary>
    public IReadOnlyList<string> Faults { get; internal set; } = [];

    /// <summary>
    /// How many of the scripted feed's records a live client has been sent or passed over; -1 until it has all that were there when it
    /// came.
    /// </summary>
    internal int LivePosition
    {
        get => _position;
        set => _position = value;
    }

    internal void Sent(int bytes, int records)
    {
        // One writer a request, so there is nothing to lose.
        Volatile.Write(ref _bytes, _bytes + bytes);
        Volatile.Write(ref _records, _records + records);
    }

    internal void End(RequestEnding ending, string? error = null)
    {
        Error = error;
        Volatile.Write(ref _ended, _time.GetTimestamp());
        _ending = ending;
    }

    /// <summary>The request in one line.</summary>
    public override string ToString() => $"{Number} {Method} {Path} {Status} {Bytes} bytes {Ending}";
}

/// <summary>How a request to the test server ended.</summary>
public enum RequestEnding
{
    /// <summary>It has not: the response is still being written.</summary>
    Open,

    /// <summary>The response was sent whole.</summary>
    Completed,

    /// <summary>The client went away before the response was whole, as every client of an endless feed does.</summary>
    ClientClosed,

    /// <summary>The server was stopped and cut the response off.</summary>
    ServerStopped,

    /// <summary>A fault, or <see cref="LockstepTestServer.CloseConnections"/>, cut the response off.</summary>
    Cut,

    /// <summary>The server failed; <see cref="TestRequest.Error"/> says why.</summary>
    Failed,
}
