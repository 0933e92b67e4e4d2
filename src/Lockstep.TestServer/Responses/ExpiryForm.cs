namespace Lockstep.TestServer.Responses;

/// <summary>How a feed says that a cursor is too old.</summary>
public enum ExpiryForm
{
    /// <summary>As servers of the dialect do it.</summary>
    Auto,

    /// <summary>410, and nothing else.</summary>
    Gone,

    /// <summary>410 with a Location to start over at.</summary>
    Location,

    /// <summary>An error object in the body, with the status that goes with it.</summary>
    Error,

    /// <summary>200, and the error within the stream.</summary>
    InStream,
}
