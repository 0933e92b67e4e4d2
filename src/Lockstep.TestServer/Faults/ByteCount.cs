namespace Lockstep.TestServer.Faults;

/// <summary>Which bytes a position counts.</summary>
public enum ByteCount
{
    /// <summary>Those of the body, without the framing of chunks.</summary>
    Body,

    /// <summary>All bytes of the response, from the status line on; inside TLS.</summary>
    Response,
}
