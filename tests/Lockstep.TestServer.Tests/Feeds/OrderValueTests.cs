using System.Globalization;
using System.Numerics;
using FsCheck;
using FsCheck.Fluent;
using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer.Tests.Feeds;

public sealed class OrderValueTests
{
    [Theory]
    [InlineData("1", "2", -1)]
    [InlineData("9223372036854775807", "9223372036854775808", -1)]
    [InlineData("-9223372036854775808", "-9223372036854775809", 1)]
    [InlineData("0.1", "0.10", 0)]
    [InlineData("1e3", "1000", 0)]
    [InlineData("1E+3", "999.9999999999999999999999", 1)]
    [InlineData("1e999999999", "1e999999998", 1)]
    [InlineData("-1e999999999", "1e-999999999", -1)]
    [InlineData("0e999999999", "0", 0)]
    [InlineData("1795260686958.002", "1795260686958.0019999999999", 1)]
    public void I3_numbers_compare_exactly(string left, string right, int expected)
    {
        Assert.Equal(expected, Math.Sign(OrderValue.CompareNumbers(OrderValue.Parse(left), OrderValue.Parse(right))));
        Assert.Equal(-expected, Math.Sign(OrderValue.CompareNumbers(OrderValue.Parse(right), OrderValue.Parse(left))));
    }

    [Fact]
    public void I3_decimals_of_any_scale_compare_like_the_integers_they_are_made_from() =>
        Prop.ForAll(ArbMap.Default.ArbFor<(BigInteger, BigInteger, byte)>(), sample =>
        {
            (BigInteger left, BigInteger right, byte scale) = sample;
            string suffix = "e-" + scale.ToString(CultureInfo.InvariantCulture);
            return Math.Sign(OrderValue.CompareNumbers(OrderValue.Parse(left + suffix), OrderValue.Parse(right + suffix))) == left.CompareTo(right);
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("5:5000")]
    [InlineData("0x10")]
    [InlineData("01")]
    [InlineData("1 2")]
    [InlineData("NaN")]
    public void What_is_no_JSON_number_is_text(string cursor)
    {
        OrderValue value = OrderValue.Parse(cursor);
        Assert.Equal(OrderKind.Text, value.Kind);
        Assert.Equal(cursor, value.Text);
    }
}
