namespace Lockstep.TestServer.Feeds;

/// <summary>
/// A stream of which all live clients get the same bytes. Thread-safe but for <see cref="Read"/>, which has one caller at a time.
/// </summary>
internal interface ISharedStream
{
    /// <summary>The position behind the newest record.</summary>
    int Count { get; }

    /// <summary>Frames records from a position on, at most up to another, and at least one; the bytes hold until the next call.</summary>
    SharedPiece Read(int from, int end);

    /// <summary>Whether a heartbeat was asked for that is not among these.</summary>
    bool HasAsked(AskedHeartbeats asked);

    /// <summary>The next heartbeat that was asked for, without its framing; null when there is none.</summary>
    byte[]? Asked(AskedHeartbeats asked, int position);

    /// <summary>Waits for a heartbeat, or for records at the position: then it gives null.</summary>
    Task<byte[]?> NextAsync(int position, AskedHeartbeats asked, CancellationToken cancellationToken);
}

/// <summary>Bytes for many clients.</summary>
/// <param name="Framed">As they go to the socket, chunks and all.</param>
/// <param name="Payload">How many bytes of a body they are.</param>
/// <param name="Records">How many positions further their client is then.</param>
internal readonly record struct SharedPiece(ReadOnlyMemory<byte> Framed, int Payload, int Records);
