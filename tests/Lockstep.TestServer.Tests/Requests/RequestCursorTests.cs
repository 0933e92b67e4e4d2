using Lockstep.Engine.Records;
using Lockstep.TestServer.Requests;

namespace Lockstep.TestServer.Tests.Requests;

public sealed class RequestCursorTests
{
    [Theory]
    [InlineData("1", "1.0")]
    [InlineData("1e3", "1000")]
    [InlineData("-0.5", "-5e-1")]
    [InlineData("12345678901234567890123", "12345678901234567890123.0")]
    public void I3_what_is_a_JSON_number_compares_as_one(string left, string right) =>
        Assert.Equal(RequestCursor.Parse(left), RequestCursor.Parse(right));

    [Theory]
    [InlineData("5:5000")]
    [InlineData("0x10")]
    [InlineData("01")]
    [InlineData("1 2")]
    [InlineData("NaN")]
    public void What_is_no_JSON_number_is_text(string cursor)
    {
        var value = RequestCursor.Parse(cursor);
        Assert.Equal(OrderKind.Text, value.Kind);
        Assert.Equal(cursor, value.ToString());
    }
}
