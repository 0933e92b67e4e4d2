using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Lockstep.Engine.Records;

internal enum JsonKind : byte
{
    None = 0,
    String,
    Number,
    True,
    False,
    Null,
    Object,
    Array,
}

internal enum ScanStatus : byte
{
    Ok = 0,

    /// <summary>The bytes end within the value.</summary>
    Incomplete,

    /// <summary>The bytes are no JSON.</summary>
    Invalid,
}

/// <summary>A value's place in the scanned bytes; of a string, without its quotes.</summary>
internal readonly record struct JsonSlice(JsonKind Kind, int Start, int Length, bool IsEscaped)
{
    public ReadOnlySpan<byte> Of(ReadOnlySpan<byte> bytes) => bytes.Slice(Start, Length);
}

/// <summary>
/// Reads JSON by RFC 8259 from the start of a stretch of bytes that may hold more than one value, so that finding where a record ends
/// and reading what it holds are one pass. It checks all of the grammar and the nesting depth; valid UTF-8 is the caller's to check.
/// It does what is needed to route a record and no more, which makes it several times as fast as a general reader.
/// </summary>
/// <remarks>
/// The methods that run for each token are compiled with all optimisations at once: a sync of a second or two would otherwise run
/// for most of its time in code that the runtime has not got around to optimising. The same holds wherever this is said of a method.
/// </remarks>
internal ref struct JsonScanner
{
    private static readonly SearchValues<byte> Special =
        SearchValues.Create([(byte)'"', (byte)'\\', .. Enumerable.Range(0, 0x20).Select(i => (byte)i)]);

    private readonly ReadOnlySpan<byte> _bytes;
    private readonly int _maximumDepth;
    private int _depth;
    private bool _expectsName;
    private int _position;

    public JsonScanner(ReadOnlySpan<byte> bytes, int maximumDepth)
    {
        _bytes = bytes;
        _maximumDepth = maximumDepth;
    }

    /// <summary>How many bytes have been read.</summary>
    public readonly int Position => _position;

    public ScanStatus Status { get; private set; }

    /// <summary>Enters an object. False when there is none, or it is nested too deep.</summary>
    public bool Open()
    {
        if (!Expect((byte)'{')) return false;
        _expectsName = true;
        return ++_depth <= _maximumDepth || Fail(ScanStatus.Invalid);
    }

    /// <summary>On to the next member of the object that was entered last; false at its end, which leaves it, or when something is wrong.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool NextName(out JsonSlice name)
    {
        name = default;
        if (!SkipSpace()) return false;
        byte next = _bytes[_position];
        if (next == (byte)'}')
        {
            _position++;
            _depth--;
            _expectsName = false;
            return false;
        }

        if (!_expectsName)
        {
            if (next != (byte)',') return Fail(ScanStatus.Invalid);
            _position++;
        }

        _expectsName = false;
        return ReadString(out name) && Expect((byte)':');
    }

    /// <summary>Reads a value of any kind to its end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool ReadValue(out JsonSlice value)
    {
        value = default;
        if (!SkipSpace()) return false;
        int start = _position;
        switch (_bytes[start])
        {
            case (byte)'"':
                return ReadString(out value);
            case (byte)'{':
                if (!SkipObject()) return false;
                value = new JsonSlice(JsonKind.Object, start, _position - start, false);
                return true;
            case (byte)'[':
                if (!SkipArray()) return false;
                value = new JsonSlice(JsonKind.Array, start, _position - start, false);
                return true;
            case (byte)'t':
                value = new JsonSlice(JsonKind.True, start, 4, false);
                return ReadLiteral("true"u8);
            case (byte)'f':
                value = new JsonSlice(JsonKind.False, start, 5, false);
                return ReadLiteral("false"u8);
            case (byte)'n':
                value = new JsonSlice(JsonKind.Null, start, 4, false);
                return ReadLiteral("null"u8);
            default:
                if (!SkipNumber()) return false;
                value = new JsonSlice(JsonKind.Number, start, _position - start, false);
                return true;
        }
    }

    /// <summary>The kind of the value that comes next, without reading it.</summary>
    public JsonKind Peek()
    {
        if (!SkipSpace()) return JsonKind.None;
        return _bytes[_position] switch
        {
            (byte)'"' => JsonKind.String,
            (byte)'{' => JsonKind.Object,
            (byte)'[' => JsonKind.Array,
            (byte)'t' => JsonKind.True,
            (byte)'f' => JsonKind.False,
            (byte)'n' => JsonKind.Null,
            _ => JsonKind.Number,
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool SkipObject()
    {
        if (!Open()) return false;
        while (NextName(out _))
        {
            if (!ReadValue(out _)) return false;
        }

        return Status == ScanStatus.Ok;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool SkipArray()
    {
        _position++;
        if (++_depth > _maximumDepth) return Fail(ScanStatus.Invalid);
        if (!SkipSpace()) return false;
        if (_bytes[_position] == (byte)']')
        {
            _position++;
            _depth--;
            return true;
        }

        while (true)
        {
            if (!ReadValue(out _) || !SkipSpace()) return false;
            byte next = _bytes[_position++];
            if (next == (byte)',') continue;
            _depth--;
            return next == (byte)']' || Fail(ScanStatus.Invalid);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool ReadString(out JsonSlice value)
    {
        value = default;
        if (!Expect((byte)'"')) return false;
        int start = _position, at = PlainStringEnd(_bytes, start);
        if (at >= 0)
        {
            _position = at + 1;
            value = new JsonSlice(JsonKind.String, start, at - start, false);
            return true;
        }

        at = start;
        bool escaped = false;
        while (true)
        {
            int next = _bytes[at..].IndexOfAny(Special);
            if (next < 0) return Fail(ScanStatus.Incomplete);
            at += next;
            switch (_bytes[at])
            {
                case (byte)'"':
                    _position = at + 1;
                    value = new JsonSlice(JsonKind.String, start, at - start, escaped);
                    return true;
                case (byte)'\\':
                    escaped = true;
                    if (!SkipEscape(ref at)) return false;
                    break;
                default:
                    return Fail(ScanStatus.Invalid);
            }
        }
    }

    /// <summary>Where the closing quote of a string is, whose text begins at a place; negative when something else comes first that needs a closer look, or the end of the bytes is near.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int PlainStringEnd(ReadOnlySpan<byte> bytes, int at)
    {
        ref byte start = ref MemoryMarshal.GetReference(bytes);
        for (; at <= bytes.Length - Vector128<byte>.Count; at += Vector128<byte>.Count)
        {
            Vector128<byte> block = Vector128.LoadUnsafe(ref start, (nuint)at);
            uint special = (Vector128.Equals(block, Vector128.Create((byte)'"')) | Vector128.Equals(block, Vector128.Create((byte)'\\'))
                | Vector128.LessThan(block, Vector128.Create((byte)' '))).ExtractMostSignificantBits();
            if (special == 0) continue;
            at += BitOperations.TrailingZeroCount(special);
            return bytes[at] == (byte)'"' ? at : -1;
        }

        return -1;
    }

    private bool SkipEscape(ref int at)
    {
        if (at + 1 >= _bytes.Length) return Fail(ScanStatus.Incomplete);
        switch (_bytes[at + 1])
        {
            case (byte)'"' or (byte)'\\' or (byte)'/' or (byte)'b' or (byte)'f' or (byte)'n' or (byte)'r' or (byte)'t':
                at += 2;
                return true;
            case (byte)'u':
                for (int i = 2; i < 6; i++)
                {
                    if (at + i >= _bytes.Length) return Fail(ScanStatus.Incomplete);
                    if (!char.IsAsciiHexDigit((char)_bytes[at + i])) return Fail(ScanStatus.Invalid);
                }

                at += 6;
                return true;
            default:
                return Fail(ScanStatus.Invalid);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool SkipNumber()
    {
        int at = _position;
        if (_bytes[at] == (byte)'-') at++;
        if (at < _bytes.Length && _bytes[at] == (byte)'0')
        {
            at++;
        }
        else if (!SkipDigits(ref at))
        {
            return false;
        }

        if (at < _bytes.Length && _bytes[at] == (byte)'.')
        {
            at++;
            if (!SkipDigits(ref at)) return false;
        }

        if (at < _bytes.Length && _bytes[at] is (byte)'e' or (byte)'E')
        {
            at++;
            if (at < _bytes.Length && _bytes[at] is (byte)'+' or (byte)'-') at++;
            if (!SkipDigits(ref at)) return false;
        }

        // A number at the very end may go on in what comes next.
        if (at == _bytes.Length) return Fail(ScanStatus.Incomplete);
        _position = at;
        return true;
    }

    /// <summary>At least one digit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool SkipDigits(ref int at)
    {
        int start = at;
        while (at < _bytes.Length && (uint)(_bytes[at] - '0') <= 9) at++;
        return at > start || Fail(at == _bytes.Length ? ScanStatus.Incomplete : ScanStatus.Invalid);
    }

    private bool ReadLiteral(ReadOnlySpan<byte> literal)
    {
        ReadOnlySpan<byte> rest = _bytes[_position..];
        if (rest.StartsWith(literal))
        {
            _position += literal.Length;
            return true;
        }

        return Fail(literal.StartsWith(rest) ? ScanStatus.Incomplete : ScanStatus.Invalid);
    }

    private bool Expect(byte expected)
    {
        if (!SkipSpace()) return false;
        if (_bytes[_position] != expected) return Fail(ScanStatus.Invalid);
        _position++;
        return true;
    }

    /// <summary>Passes over white space, of which there mostly is none; false when nothing follows it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool SkipSpace() => (_position < _bytes.Length && _bytes[_position] > 0x20) || SkipSomeSpace();

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool SkipSomeSpace()
    {
        int at = _position;
        while (at < _bytes.Length && _bytes[at] <= 0x20)
        {
            if (_bytes[at] is not ((byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')) return Fail(ScanStatus.Invalid);
            at++;
        }

        _position = at;
        return at < _bytes.Length || Fail(ScanStatus.Incomplete);
    }

    private bool Fail(ScanStatus status)
    {
        Status = status;
        return false;
    }
}
