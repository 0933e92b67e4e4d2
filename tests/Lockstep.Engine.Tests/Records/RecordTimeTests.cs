using System.Globalization;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tests.Records;

public sealed class RecordTimeTests
{
    [Theory]
    [InlineData("1700000000", "2023-11-14T22:13:20Z")]
    [InlineData("1700000000.5", "2023-11-14T22:13:20.5Z")]
    [InlineData("1700000000123", "2023-11-14T22:13:20.123Z")]
    [InlineData("1700000000123456", "2023-11-14T22:13:20.123456Z")]
    [InlineData("1700000000123456789", "2023-11-14T22:13:20.1234567Z")]
    [InlineData("2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z")]
    [InlineData("2023-11-14T22:13:20+01:00", "2023-11-14T21:13:20Z")]
    [InlineData("2023-11-14 22:13:20.123", "2023-11-14T22:13:20.123Z")]
    public void Reads_an_order_value_that_is_a_time(string order, string expected)
    {
        Assert.Equal(DateTimeOffset.Parse(expected, CultureInfo.InvariantCulture), RecordTime.Of(Cursor.Parse(order), Dialect.Record));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("1004")]
    [InlineData("5:5000")]
    [InlineData("99999999999")]
    [InlineData("1e400")]
    [InlineData("-1700000000")]
    [InlineData("2023-99-99T00:00:00Z")]
    public void Takes_nothing_else_for_one(string order) => Assert.Null(RecordTime.Of(Cursor.Parse(order), Dialect.Record));

    [Fact]
    public void Takes_no_transaction_id_for_one() => Assert.Null(RecordTime.Of(Cursor.Parse("1700000000"), Dialect.Transaction));
}
