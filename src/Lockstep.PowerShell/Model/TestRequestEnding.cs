namespace Lockstep;

/// <summary>How a request to a test server ended.</summary>
public enum TestRequestEnding
{
    /// <summary>It has not.</summary>
    Open,

    /// <summary>The response was sent whole.</summary>
    Completed,

    /// <summary>The client went away.</summary>
    ClientClosed,

    /// <summary>The server was stopped.</summary>
    ServerStopped,

    /// <summary>A fault or a scenario cut it off.</summary>
    Cut,

    /// <summary>The server failed.</summary>
    Failed,
}
