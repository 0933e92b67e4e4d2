namespace Lockstep.TestServer.Feeds;

/// <summary>
/// A stream whose live clients all get the same bytes. Thread-safe except for <see cref="Read"/>, which has one caller at a time.
/// </summary>
internal interface ISharedStream
{
    /// <summary>The position after the newest record.</summary>
    int Count { get; }

    /// <summary>
    /// Frames records from a position on, at most up to another, and at least one; the bytes are valid until the next call.
    /// </summary>
    SharedPiece Read(int from, int end);

    /// <summary>Whether a heartbeat was requested that is not among these.</summary>
    bool HasAsked(AskedHeartbeats asked);

    /// <summary>The next heartbeat that was requested, without its framing; null if there is none.</summary>
    byte[]? Asked(AskedHeartbeats asked, int position);

    /// <summary>Waits for a heartbeat, or for records at the position: then it returns null.</summary>
    Task<byte[]?> NextAsync(int position, AskedHeartbeats asked, CancellationToken cancellationToken);
}

/// <summary>Bytes for many clients.</summary>
/// <param name="Framed">As they go to the socket, including the chunk framing.</param>
/// <param name="Payload">How many bytes of a body they are.</param>
/// <param name="Records">By how many positions they advance a client.</param>
internal readonly record struct SharedPiece(ReadOnlyMemory<byte> Framed, int Payload, int Records);
