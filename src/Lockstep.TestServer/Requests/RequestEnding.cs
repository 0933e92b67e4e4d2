namespace Lockstep.TestServer.Requests;

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
