using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Lockstep.Engine.Framing;

/// <summary>
/// Finds the JSON objects in a stream of bytes, whatever lies between them: nothing, line ends, blank lines. It does no I/O: the owner
/// writes into <see cref="GetFreeSpan"/>, says how much with <see cref="Advance"/>, and takes frames with <see cref="TryRead"/>. Chunk
/// borders mean nothing, and each byte is scanned once. One thread at a time.
/// </summary>
/// <remarks>
/// Frames are found by their braces, so every byte ends up in exactly one frame or is white space between frames (I7). A misplaced brace,
/// or a line end within a string, reveals a torn object; reading continues after it.
/// </remarks>
internal sealed class FrameReader
{
    /// <summary>The default limit of a record's size, in bytes.</summary>
    public const int DefaultMaximumLength = 16 * 1024 * 1024;

    private const int GarbageLimit = 64 * 1024;
    private const int TooLongSnippet = 1024;

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    private readonly int _maximumLength;
    private readonly StreamBuffer _buffer = new();
    private readonly ObjectScanner _object = new();
    private bool _lineHasContent;
    private bool _passingOver;
    private bool _completed;

    /// <summary>Creates a reader.</summary>
    /// <param name="maximumLength">The largest object in bytes; at least 2.</param>
    public FrameReader(int maximumLength = DefaultMaximumLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maximumLength, 2);
        _maximumLength = maximumLength;
    }

    /// <summary>The count of bytes given so far.</summary>
    public long BytesReceived => _buffer.Received;

    /// <summary>Whether the bytes so far end within an object.</summary>
    public bool IsInsideObject => _object.IsOpen;

    /// <summary>
    /// Whether the bytes just written, before <see cref="Advance"/>, are white space, which is no sign of life within an object.
    /// </summary>
    internal bool NextIsWhiteSpace(int count) => _buffer.Written(count).IndexOfAnyExcept(" \t\r\n"u8) < 0;

    /// <summary>Free space to read into; at least a few kilobytes. Frames taken before become invalid.</summary>
    public Memory<byte> GetFreeMemory() => _buffer.GetFreeMemory();

    /// <summary>The same as <see cref="GetFreeMemory"/>, as a span.</summary>
    public Span<byte> GetFreeSpan() => GetFreeMemory().Span;

    /// <summary>Says that <paramref name="count"/> bytes were written into the free space.</summary>
    public void Advance(int count) => _buffer.Advance(count);

    /// <summary>Copies bytes in, for sources with a buffer of their own.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var free = GetFreeSpan();
            var count = Math.Min(free.Length, bytes.Length);
            bytes[..count].CopyTo(free);
            Advance(count);
            bytes = bytes[count..];
        }
    }

    /// <summary>Says that the body has ended; an object still open becomes a last frame.</summary>
    public void Complete() => _completed = true;

    /// <summary>
    /// The bytes not yet taken, if they begin with an object that has not been scanned, for a reader that finds its end itself; otherwise
    /// nothing. Such a reader says with <see cref="Take(int)"/> what it took, or takes frames.
    /// </summary>
    internal ReadOnlySpan<byte> PeekUnframed()
    {
        if (_object.IsOpen)
            return default;
        SkipLineEnd();
        var bytes = _buffer.Held;
        return !bytes.IsEmpty && bytes[0] == (byte)'{' ? bytes : default;
    }

    /// <summary>The offset of <see cref="PeekUnframed"/> in the body.</summary>
    internal long Offset => _buffer.Offset;

    /// <summary>Takes an object of <see cref="PeekUnframed"/>, and the line end after it.</summary>
    internal void Take(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, _maximumLength);
        _buffer.Consume(length);
        _lineHasContent = true;
        SkipLineEnd();
    }

    /// <summary>Takes the next frame, or returns false when more bytes are needed.</summary>
    [MethodImpl(HotCode.Options)]
    public bool TryRead(out Frame frame)
    {
        while (!_buffer.IsEmpty)
        {
            if (!_object.IsOpen)
            {
                if (ReadBetween(out frame))
                    return true;
                if (!_object.IsOpen)
                    return false;
            }

            if (ReadObject(out frame))
                return true;
            if (_object.IsOpen)
                break;
        }

        if (_object.IsOpen && _completed)
            return TakeLast(out frame);
        frame = default;
        return false;
    }

    /// <summary>
    /// Between objects: white space, blank lines, garbage. False when an object has just opened, or more bytes are needed.
    /// </summary>
    [MethodImpl(HotCode.Options)]
    private bool ReadBetween(out Frame frame)
    {
        frame = default;
        var bytes = _buffer.Held;
        while (!bytes.IsEmpty)
        {
            var passed = 1;
            switch (bytes[0])
            {
                case (byte)'{':
                    _object.Open();
                    _lineHasContent = true;
                    return false;
                // The last one separates records in JSON text sequences (RFC 7464).
                case (byte)' ' or (byte)'\t' or (byte)'\r' or 0x1E:
                    break;
                case (byte)'\n':
                    if (!_lineHasContent)
                    {
                        frame = Take(FrameKind.BlankLine, bytes[..1]);
                        return true;
                    }

                    _lineHasContent = false;
                    break;
                case 0xEF when _buffer.Offset == 0 && MayBeByteOrderMark(bytes):
                    if (bytes.Length < ByteOrderMark.Length)
                        return false;
                    passed = ByteOrderMark.Length;
                    break;
                default:
                    return TakeGarbage(bytes, out frame);
            }

            _buffer.Consume(passed);
            bytes = bytes[passed..];
        }

        return false;
    }

    /// <summary>Whether the body begins with a byte order mark, or may when more of it has come.</summary>
    private bool MayBeByteOrderMark(ReadOnlySpan<byte> bytes) =>
        bytes.Length < ByteOrderMark.Length ? !_completed && ByteOrderMark.StartsWith(bytes) : bytes.StartsWith(ByteOrderMark);

    private bool TakeGarbage(ReadOnlySpan<byte> bytes, out Frame frame)
    {
        // Anything longer than the limit comes in pieces of exactly that size, so that chunk borders do not show.
        if (bytes.Length > GarbageLimit)
            bytes = bytes[..GarbageLimit];
        var length = bytes.IndexOfAny((byte)'\n', (byte)'{');
        if (length < 0)
        {
            length = bytes.Length;
            if (length < GarbageLimit && !_completed)
            {
                frame = default;
                return false;
            }
        }

        _lineHasContent = true;
        frame = Take(FrameKind.Garbage, bytes[..length]);
        return true;
    }

    /// <summary>Within an object: advances to its last brace. False when the bytes end before it, or an object was skipped.</summary>
    [MethodImpl(HotCode.Options)]
    private bool ReadObject(out Frame frame)
    {
        // An object above the limit is scanned no further than the limit, so that it is too long at the same byte however it was chunked.
        var bytes = _buffer.Held;
        var end = _object.Scan(bytes, _passingOver ? bytes.Length : (int)Math.Min(bytes.Length, (long)_maximumLength + 1));
        var length = _object.Scanned;
        if (_passingOver)
        {
            // What is skipped may be torn too: it must not swallow everything after it.
            frame = default;
            if (end == ObjectEnd.None)
                PassOver();
            else
                EndObject(length);
            return false;
        }

        if (end == ObjectEnd.Torn)
        {
            frame = TakeTorn(FrameKind.Torn, bytes[..length]);
            return true;
        }

        if (length <= _maximumLength)
        {
            var isWhole = end == ObjectEnd.Closed;
            frame = isWhole ? Take(FrameKind.Object, bytes[..length]) : default;
            return isWhole;
        }

        // Reported here, once, by its beginning: how much more of it has arrived depends on chunk borders.
        frame = new Frame(FrameKind.TooLong, bytes[..Math.Min(Math.Min(TooLongSnippet, _maximumLength), length)], _buffer.Offset);
        _passingOver = end == ObjectEnd.None;
        if (_passingOver)
            PassOver();
        else
            EndObject(length);
        return true;
    }

    /// <summary>The body has ended within an object. False when that object is skipped.</summary>
    private bool TakeLast(out Frame frame)
    {
        var bytes = _buffer.Held;
        var isPassedOver = _passingOver;
        frame = default;
        if (isPassedOver)
            EndObject(bytes.Length);
        else
            frame = IsWellFormedSoFar(bytes) ? Take(FrameKind.Truncated, bytes) : TakeTorn(FrameKind.Truncated, bytes);
        return !isPassedOver;
    }

    /// <summary>A torn object ends, at the latest, where a line begins with a brace: what starts there is scanned again.</summary>
    private Frame TakeTorn(FrameKind kind, ReadOnlySpan<byte> bytes)
    {
        var line = bytes.IndexOf("\n{"u8);
        return line < 0 ? Take(kind, bytes) : Take(FrameKind.Torn, bytes[..line]);
    }

    /// <summary>Takes the first held bytes as a frame.</summary>
    private Frame Take(FrameKind kind, ReadOnlySpan<byte> bytes)
    {
        var frame = new Frame(kind, bytes, _buffer.Offset);
        EndObject(bytes.Length);
        return frame;
    }

    private void EndObject(int length)
    {
        _buffer.Consume(length);
        _object.Close();
        _passingOver = false;
    }

    /// <summary>Drops the scanned part of an object above the limit (I8).</summary>
    private void PassOver() => _buffer.Consume(_object.PassOver(_buffer.Held));

    /// <summary>Skips the line end after an object, if it is there: it is not a blank line.</summary>
    private void SkipLineEnd()
    {
        if (!_lineHasContent)
            return;
        var bytes = _buffer.Held;
        var length = !bytes.IsEmpty && bytes[0] == (byte)'\r' ? 1 : 0;
        if (length < bytes.Length && bytes[length] == (byte)'\n')
        {
            length++;
            _lineHasContent = false;
        }

        _buffer.Consume(length);
    }

    /// <summary>Whether the beginning of an object breaks no rule of JSON, so that only its rest is missing.</summary>
    private static bool IsWellFormedSoFar(ReadOnlySpan<byte> beginning)
    {
        try
        {
            var reader = new Utf8JsonReader(beginning, isFinalBlock: false, default);
            while (reader.Read()) { }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
