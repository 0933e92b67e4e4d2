using System.Globalization;
using System.Text;

namespace Lockstep.Engine.Records;

/// <summary>The JSON type of a table's order field. It never changes within a table (I3).</summary>
public enum OrderKind
{
    /// <summary>Not known yet: no record has come.</summary>
    Unknown = 0,

    /// <summary>Numbers; they compare by value, exactly and at any size.</summary>
    Number = 1,

    /// <summary>Strings; they are opaque, and arrival is the order.</summary>
    Text = 2,

    /// <summary>Records have no order value: arrival is the order, and none is stored.</summary>
    Arrival = 3,
}

/// <summary>
/// A record's place in the order of changes, from its order field. Immutable. Numbers that fit 64 bits are held as such; others keep the
/// text that the feed sent.
/// </summary>
public readonly struct OrderValue : IEquatable<OrderValue>
{
    private readonly string? _text;
    private readonly long _integer;

    private OrderValue(OrderKind kind, long integer, string? text)
    {
        Kind = kind;
        _integer = integer;
        _text = text;
    }

    /// <summary>The value's JSON type; <see cref="OrderKind.Unknown"/> for <c>default</c>, which is below every number.</summary>
    public OrderKind Kind { get; }

    /// <summary>Whether the value is a number that fits 64 bits.</summary>
    internal bool IsInteger => Kind == OrderKind.Number && _text is null;

    /// <summary>The number, when <see cref="IsInteger"/>.</summary>
    internal long Integer => _integer;

    /// <summary>A number of 64 bits.</summary>
    public static OrderValue FromInteger(long value) => new(OrderKind.Number, value, null);

    /// <summary>An opaque string.</summary>
    public static OrderValue FromText(string value) => new(OrderKind.Text, 0, value);

    /// <summary>A number of any size.</summary>
    /// <param name="json">A number by JSON's grammar; not checked.</param>
    public static OrderValue FromNumber(ReadOnlySpan<byte> json) =>
        DecimalText.TryGetInt64(json, out var integer) ? FromInteger(integer) : new(OrderKind.Number, 0, Encoding.ASCII.GetString(json));

    /// <summary>
    /// Compares two values of one table: numbers by value; strings have no order but arrival, so the answer is 0 (the later one wins a
    /// tie). <c>default</c> is below everything.
    /// </summary>
    public static int Compare(OrderValue left, OrderValue right)
    {
        if (left.Kind == OrderKind.Unknown || right.Kind == OrderKind.Unknown)
        {
            return (left.Kind != OrderKind.Unknown).CompareTo(right.Kind != OrderKind.Unknown);
        }

        if (left.Kind is OrderKind.Text or OrderKind.Arrival || right.Kind is OrderKind.Text or OrderKind.Arrival)
            return 0;
        if (left._text is null && right._text is null)
            return left._integer.CompareTo(right._integer);
        return DecimalText.Compare(Encoding.ASCII.GetBytes(left.ToString()), Encoding.ASCII.GetBytes(right.ToString()));
    }

    /// <summary>The value as it goes into a request: the number's or the string's text.</summary>
    public override string ToString() => _text ?? (Kind == OrderKind.Unknown ? "" : _integer.ToString(CultureInfo.InvariantCulture));

    /// <inheritdoc/>
    public bool Equals(OrderValue other) =>
        Kind == other.Kind && (Kind == OrderKind.Text ? _text == other._text : Compare(this, other) == 0);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is OrderValue other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => IsInteger ? _integer.GetHashCode() : HashCode.Combine(Kind, Kind == OrderKind.Text ? _text : null);

    /// <summary>Whether two values are of the same kind and equal.</summary>
    public static bool operator ==(OrderValue left, OrderValue right) => left.Equals(right);

    /// <summary>Whether two values differ.</summary>
    public static bool operator !=(OrderValue left, OrderValue right) => !left.Equals(right);
}
