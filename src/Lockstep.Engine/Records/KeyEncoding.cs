using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Lockstep.Engine.Records;

/// <summary>
/// Keys as bytes that sort as the keys do: numbers by value, then strings by code point, part after part. The scheme is that of
/// FoundationDB's tuple layer, with decimals in place of its integers. Equal keys have equal bytes: 1, 1.0 and 10e-1 are one key.
/// </summary>
internal static class KeyEncoding
{
    private const byte Number = 0x10;
    private const byte Text = 0x20;

    /// <summary>An integer key's bytes.</summary>
    public static ReadOnlySpan<byte> Encode(long key)
    {
        var output = new ArrayBufferWriter<byte>();
        WriteNumber(output, Encoding.ASCII.GetBytes(key.ToString(CultureInfo.InvariantCulture)));
        return output.WrittenSpan;
    }

    /// <summary>What is above all keys that begin with a key's bytes, and below all others that are above it.</summary>
    public static byte[] EndOf(ReadOnlySpan<byte> key) => [.. key, byte.MaxValue];

    /// <summary>Appends a number by JSON's grammar.</summary>
    public static void WriteNumber(IBufferWriter<byte> output, ReadOnlySpan<byte> json)
    {
        var number = DecimalText.Parse(json);
        var bytes = output.GetSpan(12 + number.DigitCount);
        bytes[0] = Number;
        if (number.IsZero)
        {
            bytes[1] = 1;
            output.Advance(2);
            return;
        }

        bytes[1] = (byte)(number.IsNegative ? 0 : 2);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[2..], (ulong)number.Exponent ^ (1UL << 63));
        for (var i = 0; i < number.DigitCount; i++)
            bytes[10 + i] = number[i];
        bytes[10 + number.DigitCount] = 0;
        var length = 11 + number.DigitCount;
        if (number.IsNegative)
        {
            // The larger the magnitude, the smaller the number: every byte after the sign is inverted.
            for (var i = 2; i < length; i++)
                bytes[i] = (byte)~bytes[i];
        }

        output.Advance(length);
    }

    /// <summary>Appends a string given as unescaped UTF-8. A zero byte inside is written as 00 FF, the end as 00 00.</summary>
    public static void WriteText(IBufferWriter<byte> output, ReadOnlySpan<byte> utf8)
    {
        var bytes = output.GetSpan((utf8.Length * 2) + 3);
        var length = 0;
        bytes[length++] = Text;
        if (!utf8.Contains((byte)0))
        {
            utf8.CopyTo(bytes[length..]);
            length += utf8.Length;
        }
        else
        {
            foreach (var b in utf8)
            {
                bytes[length++] = b;
                if (b == 0)
                    bytes[length++] = 0xFF;
            }
        }

        bytes[length++] = 0;
        bytes[length++] = 0;
        output.Advance(length);
    }

    /// <summary>The parts of a key: a <see cref="long"/>, a decimal's text as an <see cref="OrderValue"/> number, or a string.</summary>
    /// <exception cref="InvalidDataException">It is not encoded so: a file or an address from elsewhere may hold anything.</exception>
    public static RecordKey Read(ReadOnlySpan<byte> encoded)
    {
        try
        {
            var parts = new List<object>(1);
            while (!encoded.IsEmpty)
                parts.Add(ReadPart(ref encoded));
            return new RecordKey([.. parts]);
        }
        catch (Exception e)
            when (e is FormatException or ArgumentException or IndexOutOfRangeException or OverflowException or InvalidOperationException)
        {
            throw new InvalidDataException("A key is damaged.", e);
        }
    }

    private static object ReadPart(ref ReadOnlySpan<byte> encoded)
    {
        if (encoded[0] == Text)
        {
            var text = new ArrayBufferWriter<byte>();
            var i = 1;
            while (true)
            {
                var zero = encoded[i..].IndexOf((byte)0) + i;
                text.Write(encoded[i..zero]);
                if (encoded[zero + 1] == 0)
                {
                    encoded = encoded[(zero + 2)..];
                    return Encoding.UTF8.GetString(text.WrittenSpan);
                }

                text.Write<byte>([0]);
                i = zero + 2;
            }
        }

        if (encoded[1] == 1)
        {
            encoded = encoded[2..];
            return 0L;
        }

        var negative = encoded[1] == 0;
        var end = (byte)(negative ? 0xFF : 0);
        var exponentBits = BinaryPrimitives.ReadUInt64BigEndian(encoded[2..]);
        var exponent = (long)((negative ? ~exponentBits : exponentBits) ^ (1UL << 63));
        var length = encoded[10..].IndexOf(end);
        Span<byte> digits = new byte[length];
        for (var d = 0; d < length; d++)
            digits[d] = negative ? (byte)~encoded[10 + d] : encoded[10 + d];
        encoded = encoded[(11 + length)..];
        return FormatNumber(negative, Encoding.ASCII.GetString(digits), exponent);
    }

    private static object FormatNumber(bool negative, string digits, long exponent)
    {
        var sign = negative ? "-" : "";
        var text = exponent switch
        {
            >= 0 and <= 40 when exponent >= digits.Length => sign + digits.PadRight((int)exponent, '0'),
            > 0 and <= 40 => $"{sign}{digits[..(int)exponent]}.{digits[(int)exponent..]}",
            <= 0 and > -40 => $"{sign}0.{new string('0', (int)-exponent)}{digits}",
            _ => string.Create(CultureInfo.InvariantCulture, $"{sign}0.{digits}e{exponent}"),
        };
        var value = OrderValue.FromNumber(Encoding.ASCII.GetBytes(text));
        return value.IsInteger ? value.Integer : value;
    }
}
