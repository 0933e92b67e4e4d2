using System.Text;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tests.Records;

/// <summary>A record that is read by the template of the one before is read as the grammar would read it, or not at all.</summary>
public sealed class RecordTemplateTests
{
    private static readonly byte[] Interesting = [.. "\"\\{}[],:0-.eE+ntf9 \n\r\t"u8, 0x00, 0x1F, 0x7F, 0x80, 0xC3, 0xFF];

    public static TheoryData<string> Forms =>
        [
            """{"id":123,"updated_at":999,"deleted_at":null,"ip":"0.0.0.0","port":1234}""",
            """{ "id" : "a b" , "updated_at" : 12.50 , "deleted_at" : false, "text" : "ü\n\u0041" }""",
            """{"name":"x","labels":{"a":"1","b":{}},"list":[1,{"c":[null]}],"updated_at":7,"id":-5,"ok":true}""",
            """{"i\u0064":1,"updated_at":2,"id":3,"updated_at":4}""",
            """{"txid":549163,"current_xmin":551033,"since":549163,"deleted":true,"data":{"id":1,"name":"n","in":{"id":2}}}""",
            """{"data":{"name":"n","id":12},"txid":7}""",
            """{"txid":7,"data":{"id":1},"data":{"id":2},"since":3}""",
        ];

    [Theory]
    [MemberData(nameof(Forms))]
    public void What_a_form_takes_its_grammar_takes_alike(string form)
    {
        var original = Encoding.UTF8.GetBytes(form);
        var learned = Learned(original);
        var taken = 0;
        foreach (var mutant in Mutants(original))
        {
            if (!learned.TryParseRecord([.. mutant, .. "\n{\"id\":"u8], out var length, out var record))
                continue;
            taken++;
            var strict = Learned(original);
            Assert.True(strict.Parse(mutant.AsSpan(0, length), out var expected) == ParsedKind.Record, Encoding.UTF8.GetString(mutant));
            Assert.Equal(Describe(strict, expected), Describe(learned, record));
            // A key that is not an integer changes how the parser reads the next one.
            learned = Learned(original);
        }

        Assert.True(taken > original.Length);
    }

    [Theory]
    [InlineData("""{"m":{"id":12,"x":{"id":1}},"id":{"m":3},"updated_at":7,"list":[{"m":{"id":4}}]}""")]
    [InlineData("""{"updated_at":7,"m":{"a":{"b":1},"id":"k"},"deleted_at":null}""")]
    [InlineData("""{"txid":7,"data":{"n":1,"m":{"q":null,"id":12}},"m":{"id":5},"since":3}""")]
    public void A_key_within_an_object_is_taken_alike_too(string form)
    {
        var original = Encoding.UTF8.GetBytes(form);
        var learned = Learned(original, "/m/id");
        Assert.NotNull(RecordTemplate.Of(original, learned.Shape!));
        var taken = 0;
        foreach (var mutant in Mutants(original))
        {
            if (!learned.TryParseRecord([.. mutant, .. "\n{\"id\":"u8], out var length, out var record))
                continue;
            taken++;
            var strict = Learned(original, "/m/id");
            Assert.True(strict.Parse(mutant.AsSpan(0, length), out var expected) == ParsedKind.Record, Encoding.UTF8.GetString(mutant));
            Assert.Equal(Describe(strict, expected), Describe(learned, record));
            learned = Learned(original, "/m/id");
        }

        Assert.True(taken > original.Length / 2);
    }

    [Theory]
    [InlineData(
        """{"id":1,"updated_at":2,"deleted_at":null,"s":"a"}""",
        """{"id":22,"updated_at":-3,"deleted_at":"x","s":"a longer text than a block of sixteen"}"""
    )]
    [InlineData("""{"id":1,"updated_at":2,"l":[1,2],"o":{"a":1}}""", """{"id":1,"updated_at":2.5e3,"l":[],"o":{"a":{"b":["c"]}}}""")]
    [InlineData("""{"txid":1,"since":1,"data":{"id":"k"}}""", """{"txid":2,"since":2,"data":{"id":"k2"}}""")]
    public void A_form_takes_other_values(string form, string other)
    {
        byte[] record = Encoding.UTF8.GetBytes(form),
            bytes = Encoding.UTF8.GetBytes(other + "\n");
        var template = RecordTemplate.Of(record, Learned(record).Shape!)!;

        Assert.True(template.TryRead(bytes, new JsonSlice[template.Routing.Length], out var length, out var body));

        Assert.Equal(other.Length, length);
        Assert.Equal((byte)'{', bytes[body.Start]);
        Assert.Equal((byte)'}', bytes[body.Start + body.Length - 1]);
    }

    [Theory]
    [InlineData("""{"id":1,"updated_at":2}""", """{"id":1,"updated_at":2,"more":3}""")]
    [InlineData("""{"id":1,"updated_at":2}""", """{"updated_at":2,"id":1}""")]
    [InlineData("""{"id":1,"updated_at":2}""", """{"id":1,"updated_at":2""")]
    [InlineData("""{"id":1,"updated_at":2}""", """{"id":1,"updated_at":""")]
    public void A_form_takes_no_other_one(string form, string other)
    {
        var record = Encoding.UTF8.GetBytes(form);
        var template = RecordTemplate.Of(record, Learned(record).Shape!)!;

        Assert.False(template.TryRead(Encoding.UTF8.GetBytes(other), new JsonSlice[template.Routing.Length], out _, out _));
    }

    [Fact]
    public void Records_of_ever_new_forms_are_all_read()
    {
        var parser = Learned("""{"id":1,"updated_at":2}"""u8.ToArray());
        for (var i = 0; i < 300; i++)
        {
            var json = Encoding.UTF8.GetBytes($$"""{"id":{{i}},"f{{i}}":"x","updated_at":{{i}}}""");
            Assert.True(parser.TryParseRecord(json, out var length, out var record));
            Assert.Equal((json.Length, (long)i, (long)i), (length, record.IntegerKey, record.IntegerOrder));
        }

        Assert.Equal(302, parser.Fields.TakeNew().Count);
    }

    [Fact]
    public void A_torn_surrogate_in_a_known_form_takes_no_name_from_the_record_before()
    {
        var parser = Learned("""{"id":1,"updated_at":"a"}"""u8.ToArray());
        Assert.True(parser.TryParseRecord("""{"id":2,"updated_at":"b","name":"x"}"""u8, out _, out _));

        Assert.False(parser.TryParseRecord("""{"id":3,"updated_at":"\ud800","name":"x"}"""u8, out _, out _));

        Assert.Equal(["id", "updated_at", "name"], parser.Fields.TakeNew());
    }

    [Fact]
    public void Invalid_utf8_leaves_no_trace_in_the_shape()
    {
        var parser = Learned("""{"id":1,"updated_at":2,"name":"x"}"""u8.ToArray());
        var before = parser.Shape;

        Assert.False(parser.TryParseRecord([.. """{"id":1.5,"updated_at":2,"name":"""u8, (byte)'"', 0xFF, .. "\"}"u8], out _, out _));

        Assert.Equal(before, parser.Shape);
    }

    private static RecordParser Learned(byte[] record, string? key = null)
    {
        var parser = new RecordParser(new RecordShapeRequest(Dialect.Auto, key is null ? null : [key], WireNames.DefaultOrderField));
        Assert.Equal(ParsedKind.Record, parser.Parse(record, out _));
        Assert.True(parser.TryParseRecord(record, out _, out _));
        return parser;
    }

    private static string Describe(RecordParser parser, RoutedRecord record) =>
        $"{parser.Shape} {record.KeyLayout} {record.IntegerKey} {Convert.ToHexString(record.EncodedKey)} {record.OrderKind} "
        + $"{record.OrderIsText} {record.IntegerOrder} {Encoding.UTF8.GetString(record.OrderText)} {record.IsDeleted} "
        + $"{record.TransactionId} {Encoding.UTF8.GetString(record.Json)}".Replace(
            "System.Collections.Generic.",
            "",
            StringComparison.Ordinal
        );

    /// <summary>The record with each byte replaced, removed, or preceded by each interesting one.</summary>
    private static IEnumerable<byte[]> Mutants(byte[] record)
    {
        for (var at = 0; at < record.Length; at++)
        {
            yield return [.. record[..at], .. record[(at + 1)..]];
            foreach (var other in Interesting)
            {
                yield return [.. record[..at], other, .. record[(at + 1)..]];
                yield return [.. record[..at], other, .. record[at..]];
            }
        }
    }
}
