using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Lockstep.Engine.Records;

/// <summary>
/// The tokens of JSON by RFC 8259: where a string, a number, a literal or white space ends. Each method gets bytes that may go on after the
/// token, and the token's position, which it moves past the token only if that is valid and complete. <see cref="JsonScanner"/> turns
/// tokens into values.
/// </summary>
internal static class JsonLexer
{
    private static readonly SearchValues<byte> Special = SearchValues.Create([
        (byte)'"',
        (byte)'\\',
        .. Enumerable.Range(0, 0x20).Select(i => (byte)i),
    ]);

    /// <summary>
    /// Where the closing quote of a string is, whose text begins at a position; negative if something comes first that needs a closer look,
    /// or the end of the bytes is near.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int PlainStringEnd(ReadOnlySpan<byte> bytes, int at)
    {
        ref var start = ref MemoryMarshal.GetReference(bytes);
        for (; at <= bytes.Length - Vector128<byte>.Count; at += Vector128<byte>.Count)
        {
            var block = Vector128.LoadUnsafe(ref start, (nuint)at);
            var special = (
                Vector128.Equals(block, Vector128.Create((byte)'"'))
                | Vector128.Equals(block, Vector128.Create((byte)'\\'))
                | Vector128.LessThan(block, Vector128.Create((byte)' '))
            ).ExtractMostSignificantBits();
            if (special == 0)
                continue;
            at += BitOperations.TrailingZeroCount(special);
            return bytes[at] == (byte)'"' ? at : -1;
        }

        return -1;
    }

    /// <summary>From a string's first byte after the quote, whatever it holds, to the closing quote.</summary>
    [MethodImpl(HotCode.Options)]
    public static ScanStatus FindStringEnd(ReadOnlySpan<byte> bytes, ref int position, out bool isEscaped)
    {
        isEscaped = false;
        var at = position;
        while (true)
        {
            var next = bytes[at..].IndexOfAny(Special);
            if (next < 0)
                return ScanStatus.Incomplete;
            at += next;
            switch (bytes[at])
            {
                case (byte)'"':
                    position = at;
                    return ScanStatus.Ok;
                case (byte)'\\':
                    isEscaped = true;
                    if (SkipEscape(bytes, ref at) is var status and not ScanStatus.Ok)
                        return status;
                    break;
                default:
                    return ScanStatus.Invalid;
            }
        }
    }

    /// <summary>Skips a number. One at the very end may continue in the next bytes, and is not complete.</summary>
    [MethodImpl(HotCode.Options)]
    public static ScanStatus SkipNumber(ReadOnlySpan<byte> bytes, ref int position)
    {
        var at = position;
        var status = ScanStatus.Ok;
        if (bytes[at] == (byte)'-')
            at++;
        if (at < bytes.Length && bytes[at] == (byte)'0')
            at++;
        else
            status = SkipDigits(bytes, ref at);

        if (status == ScanStatus.Ok && at < bytes.Length && bytes[at] == (byte)'.')
        {
            at++;
            status = SkipDigits(bytes, ref at);
        }

        if (status == ScanStatus.Ok && at < bytes.Length && bytes[at] is (byte)'e' or (byte)'E')
        {
            at++;
            if (at < bytes.Length && bytes[at] is (byte)'+' or (byte)'-')
                at++;
            status = SkipDigits(bytes, ref at);
        }

        if (status != ScanStatus.Ok)
            return status;
        if (at == bytes.Length)
            return ScanStatus.Incomplete;
        position = at;
        return ScanStatus.Ok;
    }

    /// <summary>Skips <c>true</c>, <c>false</c> or <c>null</c>.</summary>
    public static ScanStatus SkipLiteral(ReadOnlySpan<byte> bytes, ref int position, ReadOnlySpan<byte> literal)
    {
        var rest = bytes[position..];
        if (!rest.StartsWith(literal))
            return literal.StartsWith(rest) ? ScanStatus.Incomplete : ScanStatus.Invalid;
        position += literal.Length;
        return ScanStatus.Ok;
    }

    /// <summary>Skips white space; any other byte that cannot begin a token is invalid.</summary>
    [MethodImpl(HotCode.Options)]
    public static ScanStatus SkipSpace(ReadOnlySpan<byte> bytes, ref int position)
    {
        var at = position;
        while (at < bytes.Length && bytes[at] <= 0x20)
        {
            if (bytes[at] is not ((byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n'))
                return ScanStatus.Invalid;
            at++;
        }

        position = at;
        return at < bytes.Length ? ScanStatus.Ok : ScanStatus.Incomplete;
    }

    private static ScanStatus SkipEscape(ReadOnlySpan<byte> bytes, ref int at)
    {
        if (at + 1 >= bytes.Length)
            return ScanStatus.Incomplete;
        switch (bytes[at + 1])
        {
            case (byte)'"' or (byte)'\\' or (byte)'/' or (byte)'b' or (byte)'f' or (byte)'n' or (byte)'r' or (byte)'t':
                at += 2;
                return ScanStatus.Ok;
            case (byte)'u':
                for (var i = 2; i < 6; i++)
                {
                    if (at + i >= bytes.Length)
                        return ScanStatus.Incomplete;
                    if (!char.IsAsciiHexDigit((char)bytes[at + i]))
                        return ScanStatus.Invalid;
                }

                at += 6;
                return ScanStatus.Ok;
            default:
                return ScanStatus.Invalid;
        }
    }

    /// <summary>At least one digit.</summary>
    [MethodImpl(HotCode.Options)]
    private static ScanStatus SkipDigits(ReadOnlySpan<byte> bytes, ref int at)
    {
        var start = at;
        while (at < bytes.Length && (uint)(bytes[at] - '0') <= 9)
            at++;
        return at > start ? ScanStatus.Ok
            : at == bytes.Length ? ScanStatus.Incomplete
            : ScanStatus.Invalid;
    }
}
