using System.Buffers;
using System.Text;
using Lockstep.Engine.Serving;

namespace Lockstep.Engine.Tests.Serving;

public class FeedFilterTests
{
    [Fact]
    public void A_filter_has_so_many_conditions_of_such_a_length_and_no_more()
    {
        var most = Enumerable.Repeat("a=1", FeedFilter.MaximumConditions).ToArray();
        Assert.NotNull(FeedFilter.Parse([], most));
        Assert.Throws<FeedFilterException>(() => FeedFilter.Parse([], [.. most, "a=1"]));
        Assert.Throws<FeedFilterException>(() => FeedFilter.Parse([], ["a=" + new string('x', FeedFilter.MaximumLength)]));
        Assert.Throws<FeedFilterException>(() => FeedFilter.Parse([new string('x', FeedFilter.MaximumLength + 1)], []));
        var columns = Enumerable.Range(0, FeedFilter.MaximumColumns + 1).Chunk(200).Select(some => string.Join(',', some));
        Assert.Throws<FeedFilterException>(() => FeedFilter.Parse(columns, []));
    }

    [Fact]
    public void A_row_that_is_nested_deeply_goes_through_a_filter()
    {
        var nested = new string('[', 200) + new string(']', 200);
        var output = new ArrayBufferWriter<byte>();
        FeedFilter
            .Parse(["id", "a"], ["b=1"])!
            .Write(
                Encoding.UTF8.GetBytes(
                    "{\"txid\":1,\"deleted\":false,\"data\":{\"id\":1,\"deep\":" + nested + ",\"a\":" + nested + ",\"b\":1}}"
                ),
                ["id"],
                isNew: true,
                output
            );
        Assert.Contains(nested, Encoding.UTF8.GetString(output.WrittenSpan), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a=1", true)]
    [InlineData("a=1.0", true)]
    [InlineData("a!=1", false)]
    [InlineData("a<1.0000000000000000000001", true)]
    [InlineData("big>9007199254740992", true)]
    [InlineData("big=9007199254740992", false)]
    [InlineData("a=\"1\"", false)]
    [InlineData("a!=\"1\"", true)]
    [InlineData("s=x y", true)]
    [InlineData("s=\"x y\"", true)]
    [InlineData("s>=x", true)]
    [InlineData("s<x", false)]
    [InlineData("q=a\"b", true)]
    [InlineData("t=true", true)]
    [InlineData("t=false", false)]
    [InlineData("n=null", true)]
    [InlineData("missing=null", true)]
    [InlineData("missing!=null", false)]
    [InlineData("missing!=5", true)]
    [InlineData("n<5", false)]
    [InlineData("o=1", false)]
    [InlineData("a = 1", true)]
    [InlineData("\"a\"=1", true)]
    [InlineData("\"odd name\"=1", false)]
    [InlineData("s = x y", true)]
    [InlineData("twice=2", true)]
    [InlineData("twice=1", false)]
    [InlineData("half=x", false)]
    [InlineData("half!=x", true)]
    public void A_condition_compares_by_type_and_value(string where, bool fits)
    {
        const string Data =
            """{"id":7,"a":1,"big":9007199254740993,"s":"x y","q":"a\"b","t":true,"n":null,"o":{"a":1},"twice":1,"twice":2"""
            + ""","half":"\ud800"}""";
        var written = Write(FeedFilter.Parse([], [where])!, Row(false, Data), ["id"], isNew: false);
        Assert.Equal(fits ? Row(false, Data) : Row(true, """{"id":7}"""), written);
    }

    [Theory]
    [InlineData(true, "a=1", "b=2", "missing=null", "a<2", "b!=3")]
    [InlineData(false, "a=2", "b=2")]
    [InlineData(false, "a=1", "b=3")]
    [InlineData(false, "a=1", "a=1", "a>1")]
    [InlineData(false, "missing=1", "a=1")]
    public void All_conditions_must_hold(bool fits, params string[] where)
    {
        var written = Write(FeedFilter.Parse([], where)!, Row(false, """{"id":7,"b":2,"a":1}"""), ["id"], isNew: true);
        Assert.Equal(fits ? Row(false, """{"id":7,"b":2,"a":1}""") : "", written);
    }

    [Fact]
    public void The_key_is_always_among_the_columns_and_a_tombstone_keeps_only_it()
    {
        var filter = FeedFilter.Parse(["b, c", "d"], [])!;
        Assert.Equal(
            Row(false, """{"k":1,"c":{"x":[1]},"b":2}"""),
            Write(filter, Row(false, """{"a":0,"k":1,"c":{"x":[1]},"b":2}"""), ["k"], isNew: true)
        );
        Assert.Equal(Row(true, """{"k":1}"""), Write(filter, Row(true, """{"k":1,"b":2}"""), ["k"], isNew: true));
        Assert.Equal(Row(false, """{"first":1,"b":2}"""), Write(filter, Row(false, """{"first":1,"a":3,"b":2}"""), [], isNew: true));
    }

    [Fact]
    public void The_same_filter_written_otherwise_has_the_same_identity()
    {
        Assert.Null(FeedFilter.Parse([null, ""], []));
        Assert.Equal(FeedFilter.Parse(["a,b"], ["x=1", "y=2"])!.Identity, FeedFilter.Parse(["b", "a"], ["y=2", "x =1"])!.Identity);
        Assert.NotEqual(FeedFilter.Parse(["a"], ["x=1"])!.Identity, FeedFilter.Parse(["a"], ["x=\"1\""])!.Identity);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("=1")]
    [InlineData("a!1")]
    [InlineData("a<true")]
    [InlineData("a>null")]
    [InlineData("a<>1")]
    [InlineData("a==1")]
    [InlineData("a=>1")]
    [InlineData("a=<1")]
    [InlineData("a>=1 and b<5")]
    [InlineData("a=1 AND b=5")]
    [InlineData("a=1 or 2")]
    [InlineData("a b=1")]
    [InlineData("not a=1")]
    [InlineData("a='x'")]
    [InlineData("a=\"x")]
    [InlineData("a=[1]")]
    [InlineData("a=NULL")]
    [InlineData("a=\"\\ud800\"")]
    [InlineData("\"a=1")]
    [InlineData("\"\\ud800\"=1")]
    public void What_is_no_comparison_is_refused(string where) => Assert.Throws<FeedFilterException>(() => FeedFilter.Parse([], [where]));

    [Fact]
    public void Half_a_surrogate_pair_is_refused() => Assert.Throws<FeedFilterException>(() => FeedFilter.Parse([], ["a=" + (char)0xD800]));

    [Fact]
    public void A_column_that_the_records_do_not_have_is_refused_with_those_that_they_have()
    {
        var filter = FeedFilter.Parse(["id"], ["prot=1"])!;

        var error = Assert.Throws<FeedFilterException>(() => filter.RequireColumns(["id", "port"]));

        Assert.Contains("'prot'", error.Message, StringComparison.Ordinal);
        Assert.Contains("id, port", error.Message, StringComparison.Ordinal);
        filter.RequireColumns(null);
        filter.RequireColumns(["id", "prot"]);
    }

    private static string Row(bool deleted, string data) =>
        $$"""{"txid":5,"current_xmin":6,"since":5,"deleted":{{(deleted ? "true" : "false")}},"data":{{data}}}""";

    private static string Write(FeedFilter filter, string line, string[] key, bool isNew)
    {
        var output = new ArrayBufferWriter<byte>();
        filter.Write(Encoding.UTF8.GetBytes(line), key, isNew, output);
        return Encoding.UTF8.GetString(output.WrittenSpan).TrimEnd('\n');
    }
}
