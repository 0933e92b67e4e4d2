using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tables;

/// <summary>A number to which a filter compares, with all its digits: SQLite has only 64-bit integers and doubles.</summary>
internal sealed partial class FilterNumber
{
    /// <summary>How many neighbouring doubles SQLite's parsing and printing of decimals may be off by.</summary>
    private const int Neighbours = 8;

    private readonly double _nearest;

    private FilterNumber(string text)
    {
        Text = text;
        Utf8 = Encoding.ASCII.GetBytes(text);
        Integer = DecimalText.TryGetInt64(Utf8, out var integer) ? integer : null;
        _nearest = double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
    }

    /// <summary>The number as given.</summary>
    public string Text { get; }

    /// <summary>The same in UTF-8, for <see cref="DecimalText"/>.</summary>
    public byte[] Utf8 { get; }

    /// <summary>Its value if it is a 64-bit integer, which SQLite compares exactly.</summary>
    public long? Integer { get; }

    /// <summary>Whether it is an integer that a double can represent too.</summary>
    public bool IsSmallInteger => Integer is >= -(1L << 53) and <= 1L << 53;

    /// <summary>Whether SQLite would compute with a different number.</summary>
    public bool LosesDigits =>
        Integer is null
        && !DecimalText.IsDouble(Utf8, _nearest)
        && !(
            double.IsFinite(_nearest)
            && DecimalText.Compare(Utf8, Encoding.ASCII.GetBytes(_nearest.ToString("F0", CultureInfo.InvariantCulture))) == 0
        );

    /// <summary>The number as an SQLite expression.</summary>
    public string Sql => Integer is { } integer ? Literal(integer) : Literal(_nearest);

    /// <summary>A lower bound: no field that SQLite reads as below it can be as large as this number.</summary>
    public string SqlBelow => Literal(Step(double.BitDecrement));

    /// <summary>An upper bound: no field that SQLite reads as above it can be as small as this number.</summary>
    public string SqlAbove => Literal(Step(double.BitIncrement));

    /// <summary>The number as a parameter's value: a long or a double.</summary>
    public object Bindable => Integer is { } integer ? integer : _nearest;

    /// <summary>A number in a filter; null for what SQLite parses differently, such as 0x1F.</summary>
    public static FilterNumber? OfLiteral(string text)
    {
        var plain = text.Replace("_", "", StringComparison.Ordinal);
        return Decimal().IsMatch(plain) ? new FilterNumber(plain) : null;
    }

    /// <summary>The number of opposite sign.</summary>
    public FilterNumber Negated() => new(Text.StartsWith('-') ? Text[1..] : "-" + Text);

    /// <summary>A parameter's value; null if it is not a finite number.</summary>
    public static FilterNumber? OfValue(object? value) =>
        value switch
        {
            bool flag => new FilterNumber(flag ? "1" : "0"),
            double number => double.IsFinite(number) ? new FilterNumber(number.ToString("R", CultureInfo.InvariantCulture)) : null,
            float number => OfValue((double)number),
            JsonElement { ValueKind: JsonValueKind.Number } json => new FilterNumber(json.GetRawText()),
            byte or sbyte or short or ushort or int or uint or long or ulong or Int128 or UInt128 or decimal or BigInteger =>
                new FilterNumber(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture)),
            _ => null,
        };

    public override string ToString() => Text;

    private double Step(Func<double, double> next)
    {
        var at = _nearest;
        for (var i = 0; i < Neighbours; i++)
            at = next(at);
        return at;
    }

    private static string Literal(long integer) =>
        integer == long.MinValue ? "(-9223372036854775807 - 1)" : integer.ToString(CultureInfo.InvariantCulture);

    private static string Literal(double number) =>
        double.IsPositiveInfinity(number) ? "9e999"
        : double.IsNegativeInfinity(number) ? "-9e999"
        : number.ToString("E16", CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\A([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Decimal();
}
