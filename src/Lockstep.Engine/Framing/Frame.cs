namespace Lockstep.Engine.Framing;

/// <summary>What a stretch of a feed's bytes is.</summary>
internal enum FrameKind
{
    /// <summary>One JSON object, from brace to brace. Only its borders have been checked; its inside may still be wrong.</summary>
    Object,

    /// <summary>An empty line, which keeps a connection alive.</summary>
    BlankLine,

    /// <summary>Bytes that are no object: they start with something other than a brace, and reach to the end of their line.</summary>
    Garbage,

    /// <summary>An object interrupted by another one, or one whose string breaks off at the end of a line.</summary>
    Torn,

    /// <summary>The body ended within an object.</summary>
    Truncated,

    /// <summary>An object above the maximum record size; its bytes are its beginning, the rest is skipped.</summary>
    TooLong,
}

/// <summary>One frame: its kind, its bytes (valid until the reader is used again) and its byte offset in the body.</summary>
internal readonly ref struct Frame
{
    internal Frame(FrameKind kind, ReadOnlySpan<byte> bytes, long offset)
    {
        Kind = kind;
        Bytes = bytes;
        Offset = offset;
    }

    /// <summary>What the bytes are.</summary>
    public FrameKind Kind { get; }

    /// <summary>The bytes. They lie in the reader's buffer: use them before the next call.</summary>
    public ReadOnlySpan<byte> Bytes { get; }

    /// <summary>The offset of the first byte, counted from the start of the body.</summary>
    public long Offset { get; }
}
