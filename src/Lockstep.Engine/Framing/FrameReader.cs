using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Lockstep.Engine.Framing;

/// <summary>
/// Finds the JSON objects in a stream of bytes, whatever lies between them: nothing, line ends, blank lines. It does no I/O:
/// the owner writes into <see cref="GetFreeSpan"/>, says how much with <see cref="Advance"/>, and takes frames by
/// <see cref="TryRead"/>. A chunk border means nothing, and a byte is looked at once. One thread at a time.
/// </summary>
/// <remarks>
/// Frames are found by their braces, so every byte ends up in exactly one frame or is white space between frames (I7).
/// A brace that cannot stand where it stands, or a line end within a string, shows a torn object; reading goes on behind it.
/// </remarks>
public sealed class FrameReader
{
    /// <summary>The default limit of a record's size, in bytes.</summary>
    public const int DefaultMaximumLength = 16 * 1024 * 1024;

    private const int InitialCapacity = 256 * 1024;
    private const int SmallestRead = 16 * 1024;
    private const int GarbageLimit = 64 * 1024;
    private const int TooLongSnippet = 1024;

    private readonly int _maximumLength;
    private byte[] _buffer;
    private long _bufferOffset;
    private int _start;
    private int _scan;
    private int _end;
    private int _depth;
    private bool _inString;
    private bool _lineHasContent;
    private bool _passingOver;
    private byte _passedOver;
    private bool _completed;

    /// <summary>Creates a reader.</summary>
    /// <param name="maximumLength">The largest object in bytes; at least 2.</param>
    public FrameReader(int maximumLength = DefaultMaximumLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maximumLength, 2);
        _maximumLength = maximumLength;
        _buffer = new byte[InitialCapacity];
    }

    /// <summary>The count of bytes given so far.</summary>
    public long BytesReceived => _bufferOffset + _end;

    /// <summary>Whether the bytes so far end within an object.</summary>
    public bool IsInsideObject => _depth > 0;

    /// <summary>Whether the bytes just written, before <see cref="Advance"/>, are white space, which within an object is no sign of life.</summary>
    internal bool NextIsWhiteSpace(int count) => _buffer.AsSpan(_end, count).IndexOfAnyExcept(" \t\r\n"u8) < 0;

    /// <summary>Free space to read into; at least a few kilobytes. Frames taken before are no longer valid.</summary>
    public Memory<byte> GetFreeMemory()
    {
        if (_start == _end)
        {
            _bufferOffset += _end;
            _start = _scan = _end = 0;
        }
        else if (_buffer.Length - _end < SmallestRead)
        {
            MakeRoom();
        }

        return _buffer.AsMemory(_end);
    }

    /// <summary>The same as <see cref="GetFreeMemory"/>, as a span.</summary>
    public Span<byte> GetFreeSpan() => GetFreeMemory().Span;

    /// <summary>Says that <paramref name="count"/> bytes were written into the free space.</summary>
    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _buffer.Length - _end);
        _end += count;
    }

    /// <summary>Copies bytes in; for sources that have their own buffer.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Span<byte> free = GetFreeSpan();
            int count = Math.Min(free.Length, bytes.Length);
            bytes[..count].CopyTo(free);
            Advance(count);
            bytes = bytes[count..];
        }
    }

    /// <summary>Says that the body has ended; what is still open becomes a last frame.</summary>
    public void Complete() => _completed = true;

    /// <summary>
    /// The bytes not taken yet when they begin with an object that has not been looked at, for a reader that finds its end by itself;
    /// else nothing. Such a reader says with <see cref="Take(int)"/> what it took, or takes frames.
    /// </summary>
    internal ReadOnlySpan<byte> PeekUnframed()
    {
        if (_depth > 0) return default;
        SkipLineEnd();
        return _scan < _end && _buffer[_scan] == (byte)'{' ? _buffer.AsSpan(_scan, _end - _scan) : default;
    }

    /// <summary>The offset of <see cref="PeekUnframed"/> in the body.</summary>
    internal long Offset => _bufferOffset + _scan;

    /// <summary>Takes an object of <see cref="PeekUnframed"/>, and the line end behind it.</summary>
    internal void Take(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, _maximumLength);
        _scan += length;
        _lineHasContent = true;
        SkipLineEnd();
        _start = _scan;
    }

    /// <summary>Passes over the line end behind an object, if it is there: it is no blank line.</summary>
    private void SkipLineEnd()
    {
        if (!_lineHasContent) return;
        if (_scan < _end && _buffer[_scan] == (byte)'\r') _start = ++_scan;
        if (_scan == _end || _buffer[_scan] != (byte)'\n') return;
        _start = ++_scan;
        _lineHasContent = false;
    }

    /// <summary>Takes the next frame, or returns false when more bytes are needed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryRead(out Frame frame)
    {
        while (_scan < _end)
        {
            if (_depth > 0)
            {
                if (ScanObject(out frame)) return true;
                if (_depth > 0) break;
            }
            else if (ScanBetween(out frame))
            {
                return true;
            }
            else if (_depth == 0 && _scan < _end)
            {
                return false;
            }
        }

        if (_depth > 0 && _completed)
        {
            if (_passingOver)
            {
                EndObject(_end);
            }
            else
            {
                frame = IsWellFormedSoFar(_buffer.AsSpan(_start, _end - _start)) ? Take(FrameKind.Truncated, _end) : CutTorn(_end, FrameKind.Truncated);
                return true;
            }
        }

        frame = default;
        return false;
    }

    /// <summary>Between objects: white space, blank lines, garbage. False with nothing left, or with an object just opened.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool ScanBetween(out Frame frame)
    {
        frame = default;
        while (_scan < _end)
        {
            _start = _scan;
            switch (_buffer[_scan])
            {
                case (byte)'{':
                    _depth = 1;
                    _lineHasContent = true;
                    _scan++;
                    return false;
                case (byte)' ' or (byte)'\t' or (byte)'\r':
                    _start = ++_scan;
                    break;
                case (byte)'\n':
                    bool blank = !_lineHasContent;
                    _lineHasContent = false;
                    frame = Take(FrameKind.BlankLine, _scan + 1);
                    if (blank) return true;
                    break;
                case 0xEF when _bufferOffset + _scan == 0:
                    if (!TrySkipByteOrderMark()) return TakeGarbage(out frame);
                    if (_scan == 0) return false;
                    break;
                default:
                    return TakeGarbage(out frame);
            }
        }

        return false;
    }

    private bool TrySkipByteOrderMark()
    {
        ReadOnlySpan<byte> mark = [0xEF, 0xBB, 0xBF];
        ReadOnlySpan<byte> seen = _buffer.AsSpan(0, Math.Min(3, _end));
        if (!mark.StartsWith(seen) || (seen.Length < 3 && _completed)) return false;
        if (seen.Length == 3) _start = _scan = 3;
        return true;
    }

    private bool TakeGarbage(out Frame frame)
    {
        // What is longer than the limit comes in pieces of exactly that, so that chunk borders do not show.
        int available = Math.Min(GarbageLimit, _end - _scan);
        int length = _buffer.AsSpan(_scan, available).IndexOfAny((byte)'\n', (byte)'{');
        if (length < 0)
        {
            length = available;
            if (length < GarbageLimit && !_completed)
            {
                frame = default;
                return false;
            }
        }

        _lineHasContent = true;
        frame = Take(FrameKind.Garbage, _scan + length);
        return true;
    }

    /// <summary>Within an object: on to its last brace. False when the bytes end before, or when an object was passed over.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool ScanObject(out Frame frame)
    {
        // An object above the limit is looked at no further than that, so that it is too long at the same byte however it was chunked.
        int end = _passingOver ? _end : (int)Math.Min(_end, (long)_start + _maximumLength + 1);
        ReadOnlySpan<byte> bytes = _buffer.AsSpan(0, end);
        int i = _scan;
        while (i < end)
        {
            int next = _inString
                ? bytes[i..].IndexOfAny((byte)'"', (byte)'\\', (byte)'\n')
                : bytes[i..].IndexOfAny((byte)'"', (byte)'{', (byte)'}');
            if (next < 0)
            {
                i = end;
                break;
            }

            i += next;
            switch (bytes[i])
            {
                case (byte)'"':
                    _inString = !_inString;
                    i++;
                    break;
                case (byte)'\\':
                    if (i + 1 == _end)
                    {
                        // The escaped character is not here yet: look at the backslash again when it is.
                        return Suspend(i, out frame);
                    }

                    i += _buffer[i + 1] == (byte)'\n' ? 1 : 2;
                    break;
                case (byte)'\n':
                    if (!_passingOver)
                    {
                        frame = CutTorn(i, FrameKind.Torn);
                        return true;
                    }

                    EndObject(i);
                    frame = default;
                    return false;
                case (byte)'{':
                    if (!MayOpen(bytes[_start..i]))
                    {
                        if (!_passingOver)
                        {
                            frame = CutTorn(i, FrameKind.Torn);
                            return true;
                        }

                        // What is passed over is torn as well: it must not take all that follows with it.
                        EndObject(i);
                        frame = default;
                        return false;
                    }

                    _depth++;
                    i++;
                    break;
                default:
                    i++;
                    if (--_depth > 0) break;
                    if (_passingOver)
                    {
                        EndObject(i);
                        frame = default;
                        return false;
                    }

                    if (i - _start > _maximumLength)
                    {
                        frame = TooLong(i);
                        EndObject(i);
                    }
                    else
                    {
                        frame = Take(FrameKind.Object, i);
                    }

                    return true;
            }
        }

        return Suspend(i, out frame);
    }

    /// <summary>Remembers how far the scan came; an object above the limit is reported here, once.</summary>
    private bool Suspend(int scanned, out Frame frame)
    {
        _scan = scanned;
        frame = default;
        if (_passingOver)
        {
            PassOver(scanned);
        }
        else if (scanned - _start > _maximumLength)
        {
            frame = TooLong(scanned);
            _passingOver = true;
            PassOver(scanned);
            return true;
        }

        return false;
    }

    /// <summary>Shows the beginning only: how much more of it is here depends on chunk borders.</summary>
    private Frame TooLong(int end) =>
        new(FrameKind.TooLong, _buffer.AsSpan(_start, Math.Min(Math.Min(TooLongSnippet, _maximumLength), end - _start)), _bufferOffset + _start);

    /// <summary>Lets go of what was scanned, but for the byte that says whether an object may open next.</summary>
    private void PassOver(int scanned)
    {
        ReadOnlySpan<byte> passed = _buffer.AsSpan(_start, scanned - _start);
        int last = passed.LastIndexOfAnyExcept(" \t\r\n"u8);
        if (last >= 0) _passedOver = passed[last];
        _start = scanned;
    }

    /// <summary>Whether an object may open behind these bytes of the current one: as a member's value or in an array.</summary>
    private bool MayOpen(ReadOnlySpan<byte> before)
    {
        int last = before.LastIndexOfAnyExcept(" \t\r\n"u8);
        return (last >= 0 ? before[last] : _passedOver) is (byte)':' or (byte)',' or (byte)'[';
    }

    /// <summary>Whether the beginning of an object breaks no rule of JSON, so that the rest of it is what is missing.</summary>
    private static bool IsWellFormedSoFar(ReadOnlySpan<byte> beginning)
    {
        try
        {
            var reader = new Utf8JsonReader(beginning, isFinalBlock: false, default);
            while (reader.Read())
            {
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>A torn object ends, at the latest, where a line begins with a brace: what starts there is looked at again.</summary>
    private Frame CutTorn(int end, FrameKind kind)
    {
        int line = _buffer.AsSpan(_start, end - _start).IndexOf("\n{"u8);
        if (line >= 0)
        {
            end = _start + line;
            kind = FrameKind.Torn;
        }

        return Take(kind, end);
    }

    private Frame Take(FrameKind kind, int end)
    {
        var frame = new Frame(kind, _buffer.AsSpan(_start, end - _start), _bufferOffset + _start);
        EndObject(end);
        return frame;
    }

    private void EndObject(int end)
    {
        _start = _scan = end;
        _depth = 0;
        _inString = false;
        _passingOver = false;
    }

    private void MakeRoom()
    {
        int kept = _end - _start;
        byte[] target = _buffer;
        if (_buffer.Length - kept < SmallestRead + (_buffer.Length / 4))
        {
            target = new byte[checked(_buffer.Length * 2)];
        }

        _buffer.AsSpan(_start, kept).CopyTo(target);
        _buffer = target;
        _bufferOffset += _start;
        _scan -= _start;
        _start = 0;
        _end = kept;
    }
}
