using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Lockstep.Engine.Tables;
using static System.FormattableString;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>A filter compares numbers with all their digits, which no double holds.</summary>
public sealed class ExactFilterTests : IDisposable
{
    private static readonly string[] Values =
    [
        "0",
        "-0.0",
        "1",
        "1.0",
        "80",
        "80.0",
        "8e1",
        "80.00000000000000000001",
        "79.99999999999999999999",
        "9007199254740992",
        "9007199254740993",
        "9007199254740993.0",
        "9007199254740992.5",
        "18014398509481985",
        "18014398509481985.5",
        "18014398509481984",
        "9223372036854775807",
        "9223372036854775807.5",
        "9223372036854775808",
        "9223372036854775810",
        "9223372036854775811",
        "9223372036854775812",
        "-9223372036854775808",
        "-9223372036854775809",
        "-9223372036854775810",
        "0.1",
        "0.10000000000000000001",
        "0.1000000000000000055511151231257827",
        "0.3",
        "0.30000000000000004",
        "1e400",
        "1e401",
        "-1e400",
        "1e-400",
        "-1e-400",
        "1e-320",
        "12345678901234567890123456789012345678901",
        "12345678901234567890123456789012345678902",
        "true",
        "false",
        "null",
        "\"80\"",
        "\"a\"",
        "[80]",
        "{\"a\":80}",
    ];

    private readonly TestTable _table = new();
    private readonly TestTable _indexed = new();

    public ExactFilterTests()
    {
        string[] records =
        [
            .. Values.Select(
                (value, i) =>
                    Invariant($$"""{"id":{{i}},"updated_at":{{i + 1}},"v":{{value}},"w":{{Values[^(i + 1)]}},"a \"b\\":{{value}}}""")
            ),
        ];
        _table.Apply(records);
        _indexed.Apply(records);
        _indexed.Writer.SetIndexes(["v", "id"]);
    }

    public static TheoryData<string> Operators => ["=", "==", "!=", "<>", "<", "<=", ">", ">=", "is", "is not"];

    public void Dispose()
    {
        _table.Dispose();
        _indexed.Dispose();
    }

    [Theory]
    [MemberData(nameof(Operators))]
    public void A_field_compares_exactly_with_a_number(string comparison)
    {
        foreach (var number in Values.Where(IsNumber))
        {
            string[] expected = [.. Values.Where(value => Holds(value, comparison, number))];
            Assert.Equal(expected, Found(Invariant($"v {comparison} {number}")));
            Assert.Equal(expected, Found(Invariant($"not not ((v) {comparison} ({number})) and id >= 0")));
            Assert.Equal(expected, Found(Invariant($"\"a \"\"b\\\" {comparison} {number}")));
            Assert.Equal(expected, Found(Invariant($"v {comparison} :n"), ("n", JsonDocument.Parse(number).RootElement)));
            Assert.Equal(expected, Found(Invariant($"case when v {comparison} {number} then 1 else 0 end -- a comment")));
        }
    }

    [Theory]
    [InlineData("v > 80")]
    [InlineData("v between 70 and 90.5 or v in (1, 2, 3)")]
    [InlineData("9223372036854775811 <> v")]
    public void Without_an_index_SQLite_need_not_parse_a_record_to_compare_its_numbers(string filter)
    {
        var exact = ExactFilter.Of(new RecordQuery { Filter = filter }, [("v", ["v"])], isIndexed: false);

        // The column v is an expression for which SQLite parses the whole record, each time that it is named.
        Assert.DoesNotMatch(@"\bv\b", exact.Sql);
    }

    [Fact]
    public void A_number_compares_exactly_with_a_field()
    {
        foreach (var number in Values.Where(IsNumber))
        {
            Assert.Equal(Values.Where(value => Holds(value, ">", number)), Found(Invariant($"{number} < v")));
            Assert.Equal(Values.Where(value => Holds(value, "=", number)), Found(Invariant($"{number}=v")));
        }
    }

    [Theory]
    [MemberData(nameof(Operators))]
    public void Fields_compare_exactly_with_one_another(string comparison)
    {
        var pairs = Values.Zip(Values.Reverse()).Where(pair => !IsText(pair.First) && !IsText(pair.Second));

        Assert.Equal(
            pairs.Where(pair => Holds(pair.First, comparison, pair.Second)).Select(pair => pair.First),
            Found($"v {comparison} w and typeof(v) <> 'text' and typeof(w) <> 'text'")
        );
    }

    [Fact]
    public void Lists_and_ranges_are_exact()
    {
        foreach (var number in Values.Where(IsNumber))
        {
            foreach (var other in Values.Where(IsNumber).Where((_, i) => i % 4 == 1))
            {
                var list = Invariant($"({number}, {other}, 'a')");
                Assert.Equal(
                    Values.Where(value => Holds(value, "=", number) || Holds(value, "=", other) || value == "\"a\""),
                    Found($"v in {list}")
                );
                Assert.Equal(
                    Values.Where(value => Holds(value, "!=", number) && Holds(value, "!=", other) && value != "\"a\""),
                    Found($"v not in {list}")
                );
                Assert.Equal(
                    Values.Where(value => Holds(value, ">=", number) && Holds(value, "<=", other)),
                    Found(Invariant($"v between {number} and {other} and 1"))
                );
            }
        }
    }

    [Fact]
    public void Parameters_are_numbers_of_any_kind_with_all_their_digits()
    {
        Assert.Equal(
            ["9223372036854775811"],
            Found("v = :n", ("n", BigInteger.Parse("9223372036854775811", CultureInfo.InvariantCulture)))
        );
        Assert.Equal(["9223372036854775811"], Found("v = :n", ("n", 9223372036854775811UL)));
        Assert.Equal(["9223372036854775811"], Found("v in (:n)", ("n", 9223372036854775811m)));
        Assert.Equal(["9223372036854775811"], Found("v = $n and v >= @n", ("n", (UInt128)9223372036854775811)));
    }

    [Theory]
    [InlineData("v + 0 = 9223372036854775811")]
    [InlineData("abs(v) > 0.10000000000000000001")]
    [InlineData("exists (select 1 from json_each(w) where value = 9223372036854775811)")]
    [InlineData("case v when 9223372036854775811 then 1 end")]
    [InlineData("coalesce(v, 0) = :n")]
    public void A_number_that_would_lose_digits_is_refused(string filter)
    {
        var parameters = filter.Contains(":n", StringComparison.Ordinal) ? new[] { ("n", (object?)9223372036854775811m) } : [];

        var error = Assert.Throws<FilterException>(() => Found(filter, parameters));

        Assert.Contains("more digits", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("id between 2 and id = 80", 0)]
    [InlineData("id = 3 = 1", 1)]
    [InlineData("1 + id = 4", 1)]
    [InlineData("id = 3 + 1", 1)]
    [InlineData("id = 3 and id is not null", 1)]
    [InlineData("max(id, 3) = 3", 4)]
    [InlineData("(id, updated_at) = (3, 4)", 1)]
    [InlineData("id = 3 collate nocase", 1)]
    [InlineData("id in (1, 2) in (0)", 43)]
    [InlineData("id between 1 and 3 between 1 and 1", 3)]
    [InlineData("case id when 3 then id = 3 end", 1)]
    [InlineData("id not in ()", 45)]
    [InlineData("id = 0x3", 1)]
    [InlineData("id in (3, null)", 1)]
    [InlineData("id not in (3, null)", 0)]
    [InlineData("id is true", 44)]
    [InlineData("id = true", 1)]
    [InlineData("v in (9223372036854775811, null, true)", 4)]
    [InlineData("v is null", 1)]
    [InlineData("v is not distinct from 80", 3)]
    [InlineData("v is distinct from 80", 42)]
    [InlineData("id = +3", 1)]
    [InlineData("id = 3e+0", 1)]
    [InlineData("(select count(*) from json_each('[3]') where value = updated_at)", 1)]
    public void What_surrounds_a_comparison_keeps_its_meaning(string filter, int expected) => Assert.Equal(expected, Found(filter).Count);

    private static bool IsNumber(string value) => char.IsAsciiDigit(value[^1]);

    private static bool IsText(string value) => value[^1] is '"' or ']' or '}';

    /// <summary>Computed independently of the engine: as fractions of integers.</summary>
    private static bool Holds(string value, string comparison, string number)
    {
        if (value == "null" || number == "null")
            return comparison == "is" ? value == number : comparison == "is not" && value != number;
        var order = IsText(value) ? 1 : Fraction(value).CompareTo(Fraction(number));
        return comparison switch
        {
            "=" or "==" or "is" => order == 0,
            "!=" or "<>" or "is not" => order != 0,
            "<" => order < 0,
            "<=" => order <= 0,
            ">" => order > 0,
            _ => order >= 0,
        };
    }

    /// <summary>A number times ten to the five hundredth.</summary>
    private static BigInteger Fraction(string number)
    {
        if (number is "true" or "false")
            return number == "true" ? Fraction("1") : 0;
        var (digits, exponent) = number.Split('e') is [var first, var second]
            ? (first, int.Parse(second, CultureInfo.InvariantCulture))
            : (number, 0);
        var point = digits.IndexOf('.', StringComparison.Ordinal);
        exponent -= point < 0 ? 0 : digits.Length - point - 1;
        return BigInteger.Parse(digits.Replace(".", "", StringComparison.Ordinal), CultureInfo.InvariantCulture)
            * BigInteger.Pow(10, 500 + exponent);
    }

    /// <summary>What a filter finds without an index and, which must be the same, with one.</summary>
    private List<string> Found(string filter, params (string Name, object? Value)[] parameters)
    {
        var found = Found(_table, filter, parameters);
        Assert.Equal(found, Found(_indexed, filter, parameters));
        return found;
    }

    private static List<string> Found(TestTable table, string filter, (string Name, object? Value)[] parameters)
    {
        var values = new List<string>();
        using var scan = table.Table.Read(
            new RecordQuery { Filter = filter, FilterParameters = parameters.ToDictionary(p => p.Name, p => p.Value) }
        );
        while (scan.Read())
            values.Add(Values[int.Parse(scan.Key.ToString(), CultureInfo.InvariantCulture)]);
        return values;
    }
}
