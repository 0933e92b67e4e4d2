using System.Text;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tests.Records;

/// <summary>What each value of the members that mark a deletion means.</summary>
public sealed class DeletionMarkTests
{
    [Theory]
    [InlineData("null", false, false)]
    [InlineData("false", false, false)]
    [InlineData("true", true, false)]
    [InlineData("1764288000", true, false)]
    [InlineData("-1", true, false)]
    [InlineData("0.5", true, false)]
    [InlineData("\"2026-11-28T06:00:00Z\"", true, false)]
    [InlineData("\"yesterday\"", true, false)]
    [InlineData("0", false, true)]
    [InlineData("0.0", false, true)]
    [InlineData("-0e7", false, true)]
    [InlineData("\"\"", false, true)]
    [InlineData("\"0\"", false, true)]
    [InlineData("\"0000-00-00 00:00:00\"", false, true)]
    [InlineData("\"0001-01-01T00:00:00Z\"", false, true)]
    [InlineData("\"null\"", false, true)]
    [InlineData("{}", true, true)]
    [InlineData("[]", true, true)]
    public void Deleted_at(string value, bool isDeleted, bool isOdd)
    {
        string Record(int id) => $$"""{"id":{{id}},"updated_at":{{id}},"deleted_at":{{value}}}""" + "\n";

        Assert.Equal((isDeleted, isDeleted, isOdd), Read(Record));
    }

    [Theory]
    [InlineData("true", true, false)]
    [InlineData("false", false, false)]
    [InlineData("null", false, false)]
    [InlineData("1", true, true)]
    [InlineData("0", false, true)]
    [InlineData("\"true\"", true, true)]
    [InlineData("\"T\"", true, true)]
    [InlineData("\"1\"", true, true)]
    [InlineData("\"false\"", false, true)]
    [InlineData("\"0\"", false, true)]
    [InlineData("\"\"", false, true)]
    public void Deleted_of_the_transaction_dialect(string value, bool isDeleted, bool isOdd)
    {
        string Row(int id) =>
            $$$"""{"txid":{{{id}}},"current_xmin":{{{id}}},"since":{{{id}}},"deleted":{{{value}}},"data":{"id":{{{id}}}}}""" + "\n";

        Assert.Equal((isDeleted, isDeleted, isOdd), Read(Row));
    }

    [Theory]
    [InlineData("\"perhaps\"")]
    [InlineData("{}")]
    [InlineData("[true]")]
    public void What_says_neither_is_malformed(string value)
    {
        var parser = new RecordParser(new RecordShapeRequest(Dialect.Auto, null, "updated_at"));
        var row = $$$"""{"txid":1,"current_xmin":1,"since":1,"deleted":{{{value}}},"data":{"id":1}}""";

        Assert.Equal(ParsedKind.Malformed, parser.Parse(Encoding.UTF8.GetBytes(row), out _));
        Assert.Contains("'deleted'", parser.Reason, StringComparison.Ordinal);
    }

    /// <summary>Reads records of one form: the first by the grammar, the last by the template of the one before.</summary>
    private static (bool First, bool Last, bool IsOdd) Read(Func<int, string> record)
    {
        var parser = new RecordParser(new RecordShapeRequest(Dialect.Auto, null, "updated_at"));
        Assert.Equal(ParsedKind.Record, parser.Parse(Encoding.UTF8.GetBytes(record(11).TrimEnd()), out var first));
        var wasDeleted = first.IsDeleted;
        Assert.True(parser.TryParseRecord(Encoding.UTF8.GetBytes(record(12)), out _, out _));
        Assert.True(parser.TryParseRecord(Encoding.UTF8.GetBytes(record(13)), out _, out var last));
        return (wasDeleted, last.IsDeleted, parser.OddDeletion is not null);
    }
}
