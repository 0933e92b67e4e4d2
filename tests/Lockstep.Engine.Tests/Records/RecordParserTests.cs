using System.Text;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tests.Records;

/// <summary>What is a record, a control row, a heartbeat or malformed, and what its key and order value are.</summary>
public sealed class RecordParserTests
{
    private const string Reference = """{"id":123,"updated_at":999,"deleted_at":null,"ip":"0.0.0.0","port":1234}""";

    /// <summary>What was parsed last.</summary>
    private (long IntegerKey, long IntegerOrder, bool IsDeleted, long? TransactionId, string Json) _last;

    [Fact]
    public void A_heartbeat_has_exactly_the_one_member()
    {
        var parser = Parser();

        Assert.Equal(FeedSignalKind.Heartbeat, Hear(parser, """{"heartbeat":true}"""));
        Assert.Equal(FeedSignalKind.Heartbeat, Hear(parser, """ { "heart\u0062eat" : true } """.Trim()));
        Assert.Equal(ParsedKind.Record, Parse(parser, """{"heartbeat":true,"id":1,"updated_at":5}"""));
        Assert.Equal(ParsedKind.Malformed, Parse(parser, """{"heartbeat":false}"""));
    }

    [Fact]
    public void Control_rows_first_decide_nothing()
    {
        var parser = Parser();

        Assert.Equal(
            FeedSignalKind.SnapshotCompleted,
            Hear(parser, """{"control":true,"type":"snapshot_completed","timestamp":123456789,"since":77}""")
        );
        Assert.Equal("77", parser.Signal.Cursor?.ToString());
        Assert.Equal(FeedSignalKind.Heartbeat, Hear(parser, """{"control":true,"type":"heartbeat","timestamp":1}"""));
        Assert.True(parser.Signal.IsControlRow);
        Assert.Equal(FeedSignalKind.Other, Hear(parser, """{"control":true,"type":"something new"}"""));
        Assert.Null(parser.Shape);
        Assert.Equal(ParsedKind.Record, Parse(parser, Reference));
        Assert.Equal(Dialect.Record, parser.Shape?.Dialect);
        Assert.Equal(FeedSignalKind.Heartbeat, Hear(parser, """{"control":true,"type":"heartbeat","timestamp":1}"""));
    }

    [Theory]
    [InlineData(Dialect.Transaction, "since")]
    [InlineData(Dialect.Record, "since")]
    [InlineData(Dialect.Auto, "since")]
    [InlineData(Dialect.Auto, "timestamp")]
    public void A_control_row_that_comes_first_is_none_of_the_records_although_it_has_their_order_field(Dialect dialect, string order)
    {
        foreach (var keys in new string[]?[] { ["id"], ["id", "/at/place"], null })
        {
            var parser = new RecordParser(new RecordShapeRequest(dialect, keys, order));

            Assert.Equal(
                FeedSignalKind.SnapshotCompleted,
                Hear(parser, """{"control":true,"type":"snapshot_completed","timestamp":123,"since":77}""")
            );
            Assert.Equal(FeedSignalKind.Heartbeat, Hear(parser, """{"type":"heartbeat","timestamp":1,"since":77,"control":true}"""));
            Assert.Null(parser.Shape);
            Assert.False(parser.KeyWasGuessed);
            Assert.Empty(parser.Fields.TakeNew());
        }
    }

    [Fact]
    public void A_record_that_looks_like_a_control_row_is_a_record_when_it_has_key_and_order()
    {
        var parser = new RecordParser(new RecordShapeRequest(Dialect.Auto, ["id"], "since"));

        Assert.Equal(ParsedKind.Record, Parse(parser, """{"control":true,"type":"heartbeat","since":77,"id":1}"""));
    }

    [Fact]
    public void Feeds_of_the_first_dialect_may_have_fields_called_txid_since_data_control_and_deleted()
    {
        var parser = Parser();

        Assert.Equal(
            ParsedKind.Record,
            Parse(parser, """{"id":1,"updated_at":5,"txid":7,"since":3,"data":"text","control":false,"deleted":true,"type":"heartbeat"}""")
        );

        Assert.Equal((Dialect.Record, 5L, false), (parser.Shape!.Dialect, _last.IntegerOrder, _last.IsDeleted));
    }

    [Fact]
    public void Txid_and_an_object_data_make_the_transaction_dialect()
    {
        var parser = Parser();
        const string Row =
            """{"txid":549163,"current_xmin":551033,"since":549163,"deleted":true,"data":{"name":"mydomain.com","user_id":1}}""";

        Assert.Equal(ParsedKind.Record, Parse(parser, Row));

        Assert.Equal(
            (Dialect.Transaction, 549163L, true, 549163L),
            (parser.Shape!.Dialect, _last.IntegerOrder, _last.IsDeleted, _last.TransactionId)
        );
        Assert.Equal(["name"], parser.Shape.KeyFields);
        Assert.True(parser.KeyWasGuessed);
        Assert.Equal("""{"name":"mydomain.com","user_id":1}""", _last.Json);
        Assert.Equal(["name", "user_id"], parser.Fields.TakeNew());
    }

    [Fact]
    public void A_transaction_row_without_since_gets_the_smaller_of_txid_and_current_xmin()
    {
        var parser = Parser();

        Assert.Equal(ParsedKind.Record, Parse(parser, """{"txid":9,"current_xmin":7,"data":{"id":1}}"""));
        Assert.Equal(7, _last.IntegerOrder);
        Parse(parser, """{"txid":6,"current_xmin":7,"data":{"id":1}}""");
        Assert.Equal(6, _last.IntegerOrder);
    }

    [Fact]
    public void The_key_is_id_where_there_is_one_else_the_first_field()
    {
        RecordParser withId = Parser(),
            without = Parser();

        Parse(withId, """{"name":"x","id":4,"updated_at":1}""");
        Parse(without, """{"name":"x","updated_at":1}""");

        Assert.Equal(["id"], withId.Shape!.KeyFields);
        Assert.False(withId.KeyWasGuessed);
        Assert.Equal(["name"], without.Shape!.KeyFields);
        Assert.True(without.KeyWasGuessed);
    }

    [Theory]
    [InlineData("{\"foo\":1}", "order field")]
    [InlineData("{\"foo\":\"x\",\"updated_at\":\"\\ud800\"}", "valid Unicode")]
    [InlineData("{\"foo\":1,\"updated_at\":null}", "order field")]
    [InlineData("{\"foo\":null,\"updated_at\":1}", "key field")]
    [InlineData("{\"foo\":1,\"updated_at\":1", "JSON")]
    [InlineData("{\"foo\":1,\"updated_at\":01}", "JSON")]
    [InlineData("{}", "no fields")]
    public void A_malformed_first_record_says_why_and_decides_nothing(string json, string reason)
    {
        var parser = Parser();

        Assert.Equal(ParsedKind.Malformed, Parse(parser, json));

        Assert.Contains(reason, parser.Reason, StringComparison.Ordinal);
        Assert.Null(parser.Shape);
        Assert.False(parser.KeyWasGuessed);
        Assert.Equal(ParsedKind.Record, Parse(parser, Reference));
        Assert.Equal(["id"], parser.Shape!.KeyFields);
        Assert.Equal(["id", "updated_at", "deleted_at", "ip", "port"], parser.Fields.TakeNew());
    }

    [Theory]
    [InlineData("""{"updated_at":1}""", "'id'")]
    [InlineData("""{"id":1}""", "'updated_at'")]
    [InlineData("""{"id":"1","updated_at":1}""", "a string")]
    [InlineData("""{"id":true,"updated_at":1}""", "'id'")]
    [InlineData("""{"id":1,"updated_at":{}}""", "'updated_at'")]
    [InlineData("""{"id":1,"updated_at":1}{""", "")]
    [InlineData("""{"id":1,"updated_at":1,}""", "JSON")]
    [InlineData("""{"id":1 /*no*/,"updated_at":1}""", "JSON")]
    [InlineData("""{"id":1,"updated_at":NaN}""", "JSON")]
    [InlineData("""{"id":1,"updated_at":1]""", "JSON")]
    public void A_record_that_does_not_fit_the_table_says_why(string json, string reason)
    {
        var parser = Parser();
        Parse(parser, Reference);

        Assert.Equal(ParsedKind.Malformed, Parse(parser, json));
        Assert.Contains(reason, parser.Reason, StringComparison.Ordinal);
        Assert.Equal(ParsedKind.Record, Parse(parser, Reference));
    }

    [Fact]
    public void Invalid_utf8_is_malformed_wherever_it_is()
    {
        var parser = Parser();

        Assert.Equal(ParsedKind.Malformed, Parse(parser, [.. "{\"id\":1,\"updated_at\":1,\"a\":\""u8, 0xFF, .. "\"}"u8]));
        Assert.Contains("UTF-8", parser.Reason, StringComparison.Ordinal);
        Assert.Equal(ParsedKind.Malformed, Parse(parser, [.. "{\"id\":1,\"updated_at\":1,\""u8, 0xC3, .. "\":1}"u8]));
    }

    [Fact]
    public void Nesting_of_64_is_the_deepest()
    {
        static string Nested(int depth) =>
            """{"id":1,"updated_at":1,"a":""" + new string('[', depth - 1) + new string(']', depth - 1) + "}";
        var parser = Parser();

        Assert.Equal(ParsedKind.Record, Parse(parser, Nested(64)));
        Assert.Equal(ParsedKind.Malformed, Parse(parser, Nested(65)));
    }

    [Fact]
    public void Of_a_name_that_comes_twice_the_last_counts()
    {
        var parser = Parser();

        Assert.Equal(
            ParsedKind.Record,
            Parse(parser, """{"id":1,"id":2,"updated_at":"x","updated_at":7,"deleted_at":5,"deleted_at":null}""")
        );
        Assert.Equal((2L, 7L, false), (_last.IntegerKey, _last.IntegerOrder, _last.IsDeleted));
        Assert.Equal(ParsedKind.Malformed, Parse(parser, """{"id":1,"updated_at":7,"updated_at":null}"""));
        Assert.Equal(ParsedKind.Malformed, Parse(parser, """{"id":1,"updated_at":7,"id":null}"""));
    }

    [Fact]
    public void Names_may_be_escaped()
    {
        var parser = Parser();

        Assert.Equal(ParsedKind.Record, Parse(parser, """{"\u0069d":3,"updated\u005fat":8,"deleted_\u0061t":true}"""));
        Assert.Equal((3L, 8L, true), (_last.IntegerKey, _last.IntegerOrder, _last.IsDeleted));
    }

    [Fact]
    public void Heartbeats_and_control_rows_are_no_columns_and_a_malformed_record_takes_none_away()
    {
        var parser = Parser();
        Parse(parser, """{"id":1,"updated_at":1,"ip":"x"}""");
        Parse(parser, """{"heartbeat":true}""");
        Parse(parser, """{"control":true,"type":"heartbeat","timestamp":1}""");
        Parse(parser, [.. "{\"bad\":\""u8, 0xFF, .. "\"}"u8]);
        Parse(parser, """{"id":1,"updated_at":null,"worse":1}""");

        Assert.Equal(["id", "updated_at", "ip"], parser.Fields.TakeNew());
    }

    private static RecordParser Parser() => new(new RecordShapeRequest(Dialect.Auto, null, "updated_at"));

    private static FeedSignalKind Hear(RecordParser parser, string json)
    {
        Assert.Equal(ParsedKind.Signal, parser.Parse(Encoding.UTF8.GetBytes(json), out _));
        return parser.Signal.Kind;
    }

    private ParsedKind Parse(RecordParser parser, string json) => Parse(parser, Encoding.UTF8.GetBytes(json));

    private ParsedKind Parse(RecordParser parser, byte[] json)
    {
        var kind = parser.Parse(json, out var record);
        _last = (record.IntegerKey, record.IntegerOrder, record.IsDeleted, record.TransactionId, Encoding.UTF8.GetString(record.Json));
        return kind;
    }
}
