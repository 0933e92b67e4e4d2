using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tests.Records;

public sealed class RecordReaderTests
{
    [Fact]
    public void Values_keep_their_json_type()
    {
        var record = Read(
            """{"i":1,"min":-9223372036854775808,"big":9223372036854775808,"f":1.5,"e":1e2,"s":"2026-01-01T00:00:00Z","t":true"""
                + ""","n":null,"a":[1,"x",[]],"o":{"p":{}}}"""
        );

        Assert.Equal(1L, record["i"]);
        Assert.Equal(long.MinValue, record["min"]);
        Assert.Equal(BigInteger.Parse("9223372036854775808", CultureInfo.InvariantCulture), record["big"]);
        Assert.Equal(1.5, record["f"]);
        Assert.Equal(100.0, record["e"]);
        Assert.Equal("2026-01-01T00:00:00Z", record["s"]);
        Assert.Equal(true, record["t"]);
        Assert.Null(record["n"]);
        Assert.Equal(new object?[] { 1L, "x", Array.Empty<object?>() }, record["a"]);
        Assert.Empty((Fields)((Fields)record["o"]!)["p"]!);
    }

    [Theory]
    [InlineData("0.1", 0.1)]
    [InlineData("0.10000000000000000", 0.1)]
    [InlineData("0.30000000000000004", 0.30000000000000004)]
    [InlineData("1.7976931348623157e308", double.MaxValue)]
    [InlineData("1e25", 1e25)]
    public void What_a_double_stands_for_is_one(string number, double expected) =>
        Assert.Equal(expected, Read($$"""{"x":{{number}}}""")["x"]);

    [Theory]
    [InlineData("0.12345678901234567890")]
    [InlineData("9223372036854775811.5")]
    [InlineData("-79228162514264337593543950335.0")]
    [InlineData("0.1000000000000000000000000001")]
    public void Digits_that_a_double_loses_come_as_a_decimal(string number) =>
        Assert.Equal(decimal.Parse(number, CultureInfo.InvariantCulture), Assert.IsType<decimal>(Read($$"""{"x":{{number}}}""")["x"]));

    [Theory]
    [InlineData("3.14159265358979323846264338327950288")]
    [InlineData("1e400")]
    [InlineData("-1e-400")]
    [InlineData("123456789012345678901234567890.5")]
    public void A_number_that_neither_holds_keeps_its_text(string number) => Assert.Equal(number, Read($$"""{"x":{{number}}}""")["x"]);

    [Fact]
    public void Integers_are_exact_at_any_size()
    {
        var digits = new string('7', 1000);
        Assert.Equal(digits, Read($$"""{"x":{{digits}}}""")["x"]!.ToString());
        Assert.Equal("-" + digits, Read($$"""{"x":-{{digits}}}""")["x"]!.ToString());
    }

    [Theory]
    [InlineData("\"\\ud83d\\ude00\"", "\ud83d\ude00")]
    [InlineData("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u00E9\"", "\"\\/\b\f\n\r\téé")]
    [InlineData("\"é😀\"", "é😀")]
    [InlineData("\"\"", "")]
    public void Strings_are_taken_as_they_come(string json, string text)
    {
        Assert.Equal(text, Read($$"""{"x":{{json}}}""")["x"]);
        Assert.Equal([text], Read($$"""{{{json}}:1}""").Keys);
    }

    [Fact]
    public void Half_a_surrogate_pair_survives()
    {
        Assert.Equal("a\ud800", Read("""{"x":"a\ud800"}""")["x"]);
        Assert.Equal("\udc00b", Read("""{"x":"\udc00b"}""")["x"]);
        Assert.Equal(["\ud800"], Read("""{"\ud800":1}""").Keys);
    }

    [Fact]
    public void Of_a_repeated_name_the_last_value_counts_and_the_first_place()
    {
        var record = Read("""{"a":1,"b":{"a":0,"a":5},"\u0061":3}""");

        Assert.Equal(["a", "b"], record.Keys);
        Assert.Equal(3L, record["a"]);
        Assert.Equal(5L, ((Fields)record["b"]!)["a"]);
    }

    [Fact]
    public void Names_are_told_apart_by_case()
    {
        Assert.Equal(["id", "Id", "ID"], Read("""{"id":1,"Id":2,"ID":3}""").Keys);
    }

    [Fact]
    public void The_same_names_in_the_same_order_come_as_the_same_instance()
    {
        var factory = new FieldsFactory();
        var reader = new RecordReader(factory);
        foreach (var json in new[] { """{"a":1,"b":2}""", """{"b":1}""", """{"b":1,"a":2}""", """{"a":3,"b":4}""" })
            reader.Read(Encoding.UTF8.GetBytes(json));

        Assert.Same(factory.Names[0], factory.Names[3]);
        Assert.Equal(3, factory.Names.Distinct().Count());
    }

    [Fact]
    public void An_object_with_thousands_of_names_is_read_whole()
    {
        var json = "{" + string.Join(",", Enumerable.Range(0, 5000).Select(i => $"\"f{i}\":{{\"v\":{i}}}")) + ",\"f4999\":-1,\"f0\":-2}";
        var record = Read(json);

        Assert.Equal(5000, record.Count);
        Assert.Equal(-2L, record["f0"]);
        Assert.Equal(-1L, record["f4999"]);
        Assert.Equal(300L, ((Fields)record["f300"]!)["v"]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("1")]
    [InlineData("{\"a\":1")]
    [InlineData("{\"a\":1}{}")]
    [InlineData("{\"a\":\"\\u12G4\"}")]
    public void What_is_not_one_object_is_refused(string json)
    {
        Assert.ThrowsAny<JsonException>(() => Read(json));
    }

    [Fact]
    public void Nesting_ends_at_64()
    {
        static string Nested(int depth) => string.Concat(Enumerable.Repeat("{\"a\":", depth - 1)) + "{}" + new string('}', depth - 1);

        Read(Nested(64));
        Assert.ThrowsAny<JsonException>(() => Read(Nested(65)));
    }

    [Fact]
    public void Any_object_reads_as_another_parser_reads_it()
    {
        var reader = new RecordReader(new FieldsFactory());
        Prop.ForAll(
                JsonValues.Object.ToArbitrary(),
                value =>
                {
                    var json = value.ToJsonString();
                    var read = (Fields)reader.Read(Encoding.UTF8.GetBytes(json));
                    return JsonNode.DeepEquals(ToNode(read), JsonNode.Parse(json));
                }
            )
            .QuickCheckThrowOnFailure();
    }

    private static Fields Read(string json) => (Fields)new RecordReader(new FieldsFactory()).Read(Encoding.UTF8.GetBytes(json));

    private static JsonNode? ToNode(object? value) =>
        value switch
        {
            null => null,
            Fields fields => new JsonObject(fields.Select(field => KeyValuePair.Create(field.Key, ToNode(field.Value)))),
            object?[] array => new JsonArray([.. array.Select(ToNode)]),
            _ => JsonValue.Create(value),
        };

    /// <summary>A JSON object as the tests see it.</summary>
    private sealed class Fields : OrderedDictionary<string, object?> { }

    private sealed class FieldsFactory : IRecordFactory
    {
        public List<FieldNames> Names { get; } = [];

        public object Create(FieldNames names, ReadOnlySpan<object?> values, int depth)
        {
            Names.Add(names);

            var fields = new Fields();
            for (var i = 0; i < names.Count; i++)
                fields.Add(names[i], values[i]);

            return fields;
        }
    }

    /// <summary>Random JSON objects with few names, so that sequences of names repeat, and every kind of value.</summary>
    private static class JsonValues
    {
        public static Gen<JsonNode> Object => ObjectOf(8).Resize(8);

        private static Gen<JsonNode> ObjectOf(int size) =>
            Gen.Elements("a", "b", "c", "é", "x\"y", "\u0001")
                .ListOf()
                .SelectMany(
                    names => ValueOf(size / 2).ListOf(names.Count),
                    JsonNode (names, values) =>
                        new JsonObject(
                            names
                                .Zip(values)
                                .DistinctBy(field => field.First)
                                .Select(field => KeyValuePair.Create(field.First, field.Second?.DeepClone()))
                        )
                );

        private static Gen<JsonNode?> ValueOf(int size)
        {
            var leaf = Gen.OneOf(
                Gen.Constant<JsonNode?>(null),
                ArbMap.Default.GeneratorFor<long>().Select(JsonNode? (value) => JsonValue.Create(value)),
                ArbMap.Default.GeneratorFor<NormalFloat>().Select(JsonNode? (value) => JsonValue.Create(value.Get)),
                ArbMap.Default.GeneratorFor<NonNull<string>>().Select(JsonNode? (value) => JsonValue.Create(value.Get)),
                ArbMap.Default.GeneratorFor<bool>().Select(JsonNode? (value) => JsonValue.Create(value))
            );
            return size == 0
                ? leaf
                : Gen.OneOf(
                    leaf,
                    ObjectOf(size / 2).Select(JsonNode? (value) => value),
                    ValueOf(size / 2).ListOf().Select(JsonNode? (values) => new JsonArray([.. values.Select(value => value?.DeepClone())]))
                );
        }
    }
}
