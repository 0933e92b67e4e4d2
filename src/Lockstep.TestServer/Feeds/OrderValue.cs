using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;

namespace Lockstep.TestServer.Feeds;

/// <summary>The value that orders a record, or a cursor to compare it with. Numbers are decimals of any size and compare exactly (I3); strings have no order.</summary>
internal readonly struct OrderValue
{
    private readonly long _integer;
    private readonly string? _digits;

    private OrderValue(OrderKind kind, long integer, string? digits)
    {
        Kind = kind;
        _integer = integer;
        _digits = digits;
    }

    public OrderKind Kind { get; }

    /// <summary>The string, when <see cref="Kind"/> is <see cref="OrderKind.Text"/>.</summary>
    public string? Text => Kind == OrderKind.Text ? _digits : null;

    public static OrderValue Read(in Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.Number when reader.TryGetInt64(out long integer) => FromInteger(integer),
        JsonTokenType.Number => new OrderValue(OrderKind.Number, 0, Encoding.ASCII.GetString(reader.ValueSpan)),
        JsonTokenType.String => new OrderValue(OrderKind.Text, 0, reader.GetString()),
        _ => default,
    };

    public static OrderValue FromInteger(long integer) => new(OrderKind.Number, integer, null);

    /// <summary>A cursor as it stands in a request: a number where it reads as one in JSON, else a string.</summary>
    public static OrderValue Parse(string cursor)
    {
        Utf8JsonReader reader = new(Encoding.UTF8.GetBytes(cursor));
        try
        {
            if (reader.Read() && reader.TokenType == JsonTokenType.Number)
            {
                OrderValue number = Read(reader);
                if (!reader.Read())
                    return number;
            }
        }
        catch (JsonException)
        {
            // Not a number, then.
        }
        return new OrderValue(OrderKind.Text, 0, cursor);
    }

    /// <summary>Compares two numbers.</summary>
    public static int CompareNumbers(OrderValue left, OrderValue right)
    {
        if (left._digits is null && right._digits is null)
            return left._integer.CompareTo(right._integer);
        (BigInteger leftDigits, BigInteger leftExponent) = left.Decompose();
        (BigInteger rightDigits, BigInteger rightExponent) = right.Decompose();
        if (leftDigits.Sign != rightDigits.Sign || leftDigits.IsZero)
            return leftDigits.Sign.CompareTo(rightDigits.Sign);
        // The magnitudes first: 1e999999999 must not become a number with that many digits.
        int magnitude = Magnitude(leftDigits, leftExponent).CompareTo(Magnitude(rightDigits, rightExponent));
        if (magnitude != 0)
            return leftDigits.Sign * magnitude;
        BigInteger smaller = BigInteger.Min(leftExponent, rightExponent);
        return Shift(leftDigits, leftExponent - smaller).CompareTo(Shift(rightDigits, rightExponent - smaller));
    }

    /// <summary>The value as it stands in JSON.</summary>
    public override string ToString() => Kind == OrderKind.None ? "" : _digits ?? _integer.ToString(CultureInfo.InvariantCulture);

    private static BigInteger Magnitude(BigInteger digits, BigInteger exponent) =>
        BigInteger.Abs(digits).ToString(CultureInfo.InvariantCulture).Length + exponent;

    private static BigInteger Shift(BigInteger digits, BigInteger places) => digits * BigInteger.Pow(10, (int)places);

    private (BigInteger Digits, BigInteger Exponent) Decompose()
    {
        if (_digits is null)
            return (_integer, 0);
        int e = _digits.AsSpan().IndexOfAny('e', 'E');
        BigInteger exponent = e < 0 ? 0 : BigInteger.Parse(_digits.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string mantissa = e < 0 ? _digits : _digits[..e];
        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        if (point >= 0)
        {
            exponent -= mantissa.Length - point - 1;
            mantissa = mantissa.Remove(point, 1);
        }
        return (BigInteger.Parse(mantissa, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture), exponent);
    }
}
