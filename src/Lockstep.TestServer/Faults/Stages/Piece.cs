namespace Lockstep.TestServer.Faults.Stages;

/// <summary>A stretch of a response's bytes.</summary>
/// <param name="Bytes">The bytes.</param>
/// <param name="Kind">What they are.</param>
/// <param name="Records">How many records end with them.</param>
/// <param name="EndsChunk">Whether the feed's own chunk ends with them.</param>
internal readonly record struct Piece(ReadOnlyMemory<byte> Bytes, PieceKind Kind, int Records = 0, bool EndsChunk = false)
{
    public bool IsBody => Kind is PieceKind.Record or PieceKind.Other or PieceKind.Tail;

    /// <summary>The first bytes; records and chunk end in the rest.</summary>
    public Piece Head(int length) => this with { Bytes = Bytes[..length], Records = 0, EndsChunk = false };

    public Piece Tail(int start) => this with { Bytes = Bytes[start..] };
}

internal enum PieceKind
{
    /// <summary>Status line and headers.</summary>
    Head,

    /// <summary>The line before a chunk's payload.</summary>
    ChunkHeader,

    /// <summary>The line end after a chunk's payload.</summary>
    ChunkEnd,

    /// <summary>What ends a chunked body.</summary>
    LastChunk,

    /// <summary>A record with the separator after it.</summary>
    Record,

    /// <summary>A heartbeat, a control row, or anything else in a body.</summary>
    Other,

    /// <summary>What follows the last record of a list, whatever happens to the records.</summary>
    Tail,
}
