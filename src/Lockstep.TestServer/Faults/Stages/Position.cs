namespace Lockstep.TestServer.Faults.Stages;

/// <summary>A position in a response.</summary>
/// <param name="Byte">After this many bytes.</param>
/// <param name="Record">After this many records.</param>
/// <param name="End">After the last byte of the body, before its end marker.</param>
/// <param name="Of">Which bytes are counted.</param>
internal readonly record struct Position(long? Byte, int? Record, bool End, ByteCount Of)
{
    /// <summary>Whether it is the border between headers and body.</summary>
    public bool IsBodyStart => !End && Of == ByteCount.Body && (Byte ?? Record ?? 0) == 0;

    public override string ToString() =>
        this switch
        {
            { End: true } => "at the end of the body",
            { Record: { } record } => $"after record {record}",
            { Byte: { } count, Of: ByteCount.Response } => $"after byte {count} of the response",
            { Byte: { } count } => $"after byte {count} of the body",
            _ => "at the start of the body",
        };
}

/// <summary>Which bytes a position counts.</summary>
public enum ByteCount
{
    /// <summary>Those of the body, without the framing of chunks.</summary>
    Body,

    /// <summary>All bytes of the response, from the status line on; inside TLS.</summary>
    Response,
}
