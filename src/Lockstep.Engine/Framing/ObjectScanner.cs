using System.Runtime.CompilerServices;

namespace Lockstep.Engine.Framing;

/// <summary>The result of scanning an object.</summary>
internal enum ObjectEnd
{
    /// <summary>The bytes end before the object does.</summary>
    None = 0,

    /// <summary>Its last brace was found.</summary>
    Closed,

    /// <summary>Something came that cannot occur within it.</summary>
    Torn,
}

/// <summary>
/// Follows one object from brace to brace, in however many pieces it comes. Only braces and strings matter: a misplaced brace, or a line
/// end within a string, reveals a torn object. Each byte is scanned once. All positions count from the object's first byte, as far as it is
/// still held.
/// </summary>
internal sealed class ObjectScanner
{
    private int _depth;
    private bool _inString;
    private byte _passedOver;

    /// <summary>Whether an object is being followed.</summary>
    public bool IsOpen => _depth > 0;

    /// <summary>How many of its bytes have been scanned.</summary>
    public int Scanned { get; private set; }

    /// <summary>Begins with an object whose first brace has been seen.</summary>
    public void Open()
    {
        _depth = 1;
        Scanned = 1;
    }

    /// <summary>Forgets the object.</summary>
    public void Close()
    {
        _depth = 0;
        _inString = false;
        Scanned = 0;
    }

    /// <summary>Goes on to the object's end; <see cref="Scanned"/> is then after its last brace, or before what tore it.</summary>
    /// <param name="bytes">What there is of the object, and of what follows it.</param>
    /// <param name="limit">Where to stop scanning.</param>
    [MethodImpl(HotCode.Options)]
    public ObjectEnd Scan(ReadOnlySpan<byte> bytes, int limit)
    {
        var end = ObjectEnd.None;
        var looked = bytes[..limit];
        var i = Scanned;
        while (i < looked.Length)
        {
            var next = _inString
                ? looked[i..].IndexOfAny((byte)'"', (byte)'\\', (byte)'\n')
                : looked[i..].IndexOfAny((byte)'"', (byte)'{', (byte)'}');
            if (next < 0)
            {
                i = looked.Length;
                break;
            }

            i += next;
            switch (looked[i])
            {
                case (byte)'"':
                    _inString = !_inString;
                    i++;
                    continue;
                case (byte)'\\' when i + 1 < bytes.Length:
                    i += bytes[i + 1] == (byte)'\n' ? 1 : 2;
                    continue;
                case (byte)'\\':
                    // The escaped character has not arrived: the backslash is scanned again when it has.
                    break;
                case (byte)'{' when MayOpen(looked[..i]):
                    _depth++;
                    i++;
                    continue;
                case (byte)'}':
                    i++;
                    if (--_depth > 0)
                        continue;
                    end = ObjectEnd.Closed;
                    break;
                default:
                    end = ObjectEnd.Torn;
                    break;
            }

            break;
        }

        Scanned = i;
        return end;
    }

    /// <summary>Releases what was scanned, except the byte that says whether an object may open next.</summary>
    /// <returns>How many bytes that is.</returns>
    public int PassOver(ReadOnlySpan<byte> bytes)
    {
        var passed = bytes[..Scanned];
        var last = passed.LastIndexOfAnyExcept(" \t\r\n"u8);
        if (last >= 0)
            _passedOver = passed[last];
        Scanned = 0;
        return passed.Length;
    }

    /// <summary>Whether an object may open after these bytes of the current one: as a member's value or in an array.</summary>
    private bool MayOpen(ReadOnlySpan<byte> before)
    {
        var last = before.LastIndexOfAnyExcept(" \t\r\n"u8);
        return (last >= 0 ? before[last] : _passedOver) is (byte)':' or (byte)',' or (byte)'[';
    }
}
