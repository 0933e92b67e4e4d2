using System.Runtime.CompilerServices;

namespace Lockstep.Engine.Records;

/// <summary>
/// Reads JSON by RFC 8259 from the start of bytes that may hold more than one value, so that one pass finds where a record ends and reads
/// what it holds. It checks the whole grammar and the nesting depth; the caller checks for valid UTF-8. It does only what routing a record
/// needs, which makes it several times as fast as a general reader. <see cref="JsonLexer"/> decides where a token ends; this builds
/// objects, arrays and members from tokens.
/// </summary>
/// <remarks>
/// The methods that run for each token are compiled with full optimisation from the start: a sync of a second or two would otherwise spend
/// most of its time in code that the runtime has not optimised yet. The same holds wherever a method says so.
/// </remarks>
internal ref struct JsonScanner
{
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly int _maximumDepth;
    private int _depth;
    private bool _isAtStart;
    private int _position;

    public JsonScanner(ReadOnlySpan<byte> bytes, int maximumDepth)
    {
        _bytes = bytes;
        _maximumDepth = maximumDepth;
    }

    /// <summary>How many bytes have been read.</summary>
    public readonly int Position => _position;

    public ScanStatus Status { get; private set; }

    /// <summary>Enters an object. False if there is none, or it is nested too deep.</summary>
    public bool Open()
    {
        if (!Expect((byte)'{'))
            return false;
        _isAtStart = true;
        return ++_depth <= _maximumDepth || Fail(ScanStatus.Invalid);
    }

    /// <summary>
    /// Advances to the next member of the object entered last; false at its end, which leaves it, or on an error.
    /// </summary>
    [MethodImpl(HotCode.Options)]
    public bool NextName(out JsonSlice name)
    {
        name = default;
        if (!SkipSpace())
            return false;
        var next = _bytes[_position];
        if (next == (byte)'}')
        {
            _position++;
            _depth--;
            _isAtStart = false;
            return false;
        }

        if (!_isAtStart)
        {
            if (next != (byte)',')
                return Fail(ScanStatus.Invalid);
            _position++;
        }

        _isAtStart = false;
        return ReadString(out name) && Expect((byte)':');
    }

    /// <summary>Enters an array. False when there is none, or it is nested too deep.</summary>
    public bool OpenArray()
    {
        if (!Expect((byte)'['))
            return false;
        _isAtStart = true;
        return ++_depth <= _maximumDepth || Fail(ScanStatus.Invalid);
    }

    /// <summary>
    /// Reads the next element of the array that was entered last; false at its end, which leaves it, or when something is wrong.
    /// </summary>
    public bool NextElement(out JsonSlice value)
    {
        value = default;
        if (!SkipSpace())
            return false;
        var next = _bytes[_position];
        if (next == (byte)']')
        {
            _position++;
            _depth--;
            _isAtStart = false;
            return false;
        }

        if (!_isAtStart)
        {
            if (next != (byte)',')
                return Fail(ScanStatus.Invalid);
            _position++;
        }

        _isAtStart = false;
        return ReadValue(out value);
    }

    /// <summary>Reads a value of any kind to its end.</summary>
    [MethodImpl(HotCode.Options)]
    public bool ReadValue(out JsonSlice value)
    {
        value = default;
        if (!SkipSpace())
            return false;
        var start = _position;
        switch (_bytes[start])
        {
            case (byte)'"':
                return ReadString(out value);
            case (byte)'{':
                if (!SkipObject())
                    return false;
                value = new JsonSlice(JsonKind.Object, start, _position - start, false);
                return true;
            case (byte)'[':
                if (!SkipArray())
                    return false;
                value = new JsonSlice(JsonKind.Array, start, _position - start, false);
                return true;
            case (byte)'t':
                value = new JsonSlice(JsonKind.True, start, 4, false);
                return Accept(JsonLexer.SkipLiteral(_bytes, ref _position, "true"u8));
            case (byte)'f':
                value = new JsonSlice(JsonKind.False, start, 5, false);
                return Accept(JsonLexer.SkipLiteral(_bytes, ref _position, "false"u8));
            case (byte)'n':
                value = new JsonSlice(JsonKind.Null, start, 4, false);
                return Accept(JsonLexer.SkipLiteral(_bytes, ref _position, "null"u8));
            default:
                if (!Accept(JsonLexer.SkipNumber(_bytes, ref _position)))
                    return false;
                value = new JsonSlice(JsonKind.Number, start, _position - start, false);
                return true;
        }
    }

    /// <summary>The kind of the next value, without reading it.</summary>
    public JsonKind Peek()
    {
        if (!SkipSpace())
            return JsonKind.None;
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

    [MethodImpl(HotCode.Options)]
    private bool SkipObject()
    {
        if (!Open())
            return false;
        while (NextName(out _))
        {
            if (!ReadValue(out _))
                return false;
        }

        return Status == ScanStatus.Ok;
    }

    [MethodImpl(HotCode.Options)]
    private bool SkipArray()
    {
        _position++;
        if (++_depth > _maximumDepth)
            return Fail(ScanStatus.Invalid);
        if (!SkipSpace())
            return false;
        if (_bytes[_position] == (byte)']')
        {
            _position++;
            _depth--;
            return true;
        }

        while (true)
        {
            if (!ReadValue(out _) || !SkipSpace())
                return false;
            var next = _bytes[_position++];
            if (next == (byte)',')
                continue;
            _depth--;
            return next == (byte)']' || Fail(ScanStatus.Invalid);
        }
    }

    [MethodImpl(HotCode.Options)]
    private bool ReadString(out JsonSlice value)
    {
        value = default;
        if (!Expect((byte)'"'))
            return false;
        int start = _position,
            end = JsonLexer.PlainStringEnd(_bytes, start);
        var isEscaped = false;
        if (end < 0)
        {
            end = start;
            if (!Accept(JsonLexer.FindStringEnd(_bytes, ref end, out isEscaped)))
                return false;
        }

        _position = end + 1;
        value = new JsonSlice(JsonKind.String, start, end - start, isEscaped);
        return true;
    }

    private bool Expect(byte expected)
    {
        if (!SkipSpace())
            return false;
        if (_bytes[_position] != expected)
            return Fail(ScanStatus.Invalid);
        _position++;
        return true;
    }

    /// <summary>Skips white space, of which there mostly is none; false if nothing follows it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool SkipSpace() =>
        (_position < _bytes.Length && _bytes[_position] > 0x20) || Accept(JsonLexer.SkipSpace(_bytes, ref _position));

    private bool Accept(ScanStatus status) => status == ScanStatus.Ok || Fail(status);

    private bool Fail(ScanStatus status)
    {
        Status = status;
        return false;
    }
}

/// <summary>Whether bytes are JSON as far as they have been read.</summary>
internal enum ScanStatus : byte
{
    Ok = 0,

    /// <summary>The bytes end within the value.</summary>
    Incomplete,

    /// <summary>The bytes are not JSON.</summary>
    Invalid,
}
