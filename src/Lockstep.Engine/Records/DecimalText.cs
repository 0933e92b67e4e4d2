using System.Buffers.Text;

namespace Lockstep.Engine.Records;

/// <summary>
/// A JSON number as sign, significant digits and exponent, so that numbers of any size compare exactly (I3) without
/// arithmetic on them: 1e400 and 0.1 keep every digit that the feed sent.
/// </summary>
internal readonly ref struct DecimalText
{
    private readonly ReadOnlySpan<byte> _integral;
    private readonly ReadOnlySpan<byte> _fraction;

    private DecimalText(bool negative, ReadOnlySpan<byte> integral, ReadOnlySpan<byte> fraction, long exponent, bool isZero)
    {
        IsNegative = negative && !isZero;
        _integral = integral;
        _fraction = fraction;
        Exponent = exponent;
        IsZero = isZero;
    }

    /// <summary>Whether the number is below zero; minus zero is not.</summary>
    public bool IsNegative { get; }

    /// <summary>Whether the number is zero, in whatever notation.</summary>
    public bool IsZero { get; }

    /// <summary>The position of the decimal point: the number is 0.DIGITS times ten to this power.</summary>
    public long Exponent { get; }

    /// <summary>The count of significant digits, without leading and trailing zeros.</summary>
    public int DigitCount => _integral.Length + _fraction.Length;

    /// <summary>The ASCII digit at <paramref name="index"/>.</summary>
    public byte this[int index] => index < _integral.Length ? _integral[index] : _fraction[index - _integral.Length];

    /// <summary>Parses a number. <paramref name="json"/> is a number by JSON's grammar; the caller has checked that.</summary>
    public static DecimalText Parse(ReadOnlySpan<byte> json)
    {
        var negative = json[0] == (byte)'-';
        if (negative)
            json = json[1..];

        long exponent = 0;
        var e = json.IndexOfAny((byte)'e', (byte)'E');
        if (e >= 0)
        {
            exponent = ParseExponent(json[(e + 1)..]);
            json = json[..e];
        }

        var point = json.IndexOf((byte)'.');
        var integral = point < 0 ? json : json[..point];
        var fraction = point < 0 ? default : json[(point + 1)..];

        integral = integral.TrimStart((byte)'0');
        fraction = fraction.TrimEnd((byte)'0');
        exponent += integral.Length;
        if (integral.IsEmpty)
        {
            var before = fraction.Length;
            fraction = fraction.TrimStart((byte)'0');
            exponent -= before - fraction.Length;
        }

        if (fraction.IsEmpty)
            integral = integral.TrimEnd((byte)'0');
        var isZero = integral.IsEmpty && fraction.IsEmpty;
        return new DecimalText(negative, integral, fraction, isZero ? 0 : exponent, isZero);
    }

    /// <summary>Compares two JSON numbers by value.</summary>
    public static int Compare(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        DecimalText a = Parse(left),
            b = Parse(right);
        var sign = a.Sign.CompareTo(b.Sign);
        if (sign != 0)
            return sign;
        var magnitude = a.CompareMagnitude(b);
        return a.IsNegative ? -magnitude : magnitude;
    }

    /// <summary>The value as a 64-bit integer, if it is one (1, 1.0 and 10e-1 are).</summary>
    public static bool TryGetInt64(ReadOnlySpan<byte> json, out long value)
    {
        if (Utf8Parser.TryParse(json, out value, out var used) && used == json.Length)
            return true;

        var number = Parse(json);
        value = 0;
        if (number.IsZero)
            return true;
        if (number.Exponent < number.DigitCount || number.Exponent > 19)
            return false;

        UInt128 magnitude = 0;
        for (var i = 0; i < number.Exponent; i++)
        {
            magnitude = (magnitude * 10) + (uint)(i < number.DigitCount ? number[i] - '0' : 0);
        }

        var limit = number.IsNegative ? (UInt128)1 << 63 : ((UInt128)1 << 63) - 1;
        if (magnitude > limit)
            return false;
        value = number.IsNegative ? unchecked(-(long)(ulong)magnitude) : (long)(ulong)magnitude;
        return true;
    }

    /// <summary>Whether a double represents the number: the double's shortest round-trip digits are the same number.</summary>
    public static bool IsDouble(ReadOnlySpan<byte> json, double number)
    {
        Span<byte> shortest = stackalloc byte[32];
        return double.IsFinite(number)
            && Utf8Formatter.TryFormat(number, shortest, out var length)
            && Compare(json, shortest[..length]) == 0;
    }

    private int Sign =>
        IsZero ? 0
        : IsNegative ? -1
        : 1;

    private int CompareMagnitude(DecimalText other)
    {
        if (Exponent != other.Exponent)
            return Exponent.CompareTo(other.Exponent);
        var shared = Math.Min(DigitCount, other.DigitCount);
        for (var i = 0; i < shared; i++)
        {
            if (this[i] != other[i])
                return this[i].CompareTo(other[i]);
        }

        return DigitCount.CompareTo(other.DigitCount);
    }

    private static long ParseExponent(ReadOnlySpan<byte> text)
    {
        var negative = text[0] == (byte)'-';
        if (text[0] is (byte)'-' or (byte)'+')
            text = text[1..];
        text = text.TrimStart((byte)'0');
        // An exponent of more than 17 digits names a number that no memory can distinguish from its neighbours; it saturates.
        var value =
            text.Length > 17 ? 100_000_000_000_000_000
            : text.IsEmpty ? 0
            : long.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
        return negative ? -value : value;
    }
}
