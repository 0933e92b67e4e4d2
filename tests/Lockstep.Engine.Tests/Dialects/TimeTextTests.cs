using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using Lockstep.Engine.Dialects;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Times as servers write them.</summary>
public sealed class TimeTextTests
{
    private static readonly TimeZoneInfo Berlin = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin");

    [Theory]
    [InlineData("2026-01-01T10:00:00Z", "2026-01-01T10:00:00.0000000Z")]
    [InlineData("2026-01-01T10:00:00.123456789Z", "2026-01-01T10:00:00.1234568Z")]
    [InlineData("2026-01-01T10:00:00+02:00", "2026-01-01T08:00:00.0000000Z")]
    [InlineData("2026-01-01T10:00:00.000+0000", "2026-01-01T10:00:00.0000000Z")]
    [InlineData("2026-01-01T10:00:00-0330", "2026-01-01T13:30:00.0000000Z")]
    [InlineData("2026-01-01 10:00:00", "2026-01-01T09:00:00.0000000Z")]
    [InlineData("2026-07-01T10:00:00", "2026-07-01T08:00:00.0000000Z")]
    [InlineData("2026-07-01", "2026-06-30T22:00:00.0000000Z")]
    [InlineData("2026/07/01 10:00", "2026-07-01T08:00:00.0000000Z")]
    [InlineData(" 2026-01-01T10:00:00Z ", "2026-01-01T10:00:00.0000000Z")]
    [InlineData("Thu, 01 Jan 2026 12:00:00 GMT", "2026-01-01T12:00:00.0000000Z")]
    public void A_time_is_in_its_own_zone_or_else_in_the_dialects(string text, string utc) =>
        Assert.Equal(utc, TimeText.Parse(text, Berlin)?.UtcDateTime.ToString("O", CultureInfo.InvariantCulture));

    [Theory]
    [InlineData("")]
    [InlineData("yesterday")]
    [InlineData("5")]
    [InlineData("20260101")]
    [InlineData("2026-13-01T10:00:00Z")]
    [InlineData("2026-01-01T25:00:00Z")]
    [InlineData("1.10")] // A version, and no day in January of this year.
    [InlineData("10:00")] // No time of today.
    [InlineData("May 5")]
    [InlineData("03/04/2026 10:00")] // March or April.
    public void What_is_no_time_or_may_be_two_is_none(string text) => Assert.Null(TimeText.Parse(text, TimeZoneInfo.Utc));

    [Theory]
    [InlineData(null, "2026-07-01T10:20:30Z")]
    [InlineData("s", "1782901230")]
    [InlineData("ms", "1782901230456")]
    [InlineData("yyyy-MM-dd HH:mm", "2026-07-01 12:20")]
    [InlineData("yyyy-MM-ddTHH:mm:ss.fffzzz", "2026-07-01T12:20:30.456+02:00")]
    public void A_time_is_written_as_the_server_wants_it(string? format, string text) =>
        Assert.Equal(text, TimeText.Write(new DateTimeOffset(2026, 7, 1, 10, 20, 30, 456, TimeSpan.Zero), format, Berlin));

    [Fact]
    public void What_is_written_without_a_zone_is_read_as_the_same_time_except_in_the_hour_that_comes_twice()
    {
        Prop.ForAll(
                Arb.From(Gen.Choose(0, int.MaxValue)),
                seconds =>
                {
                    var time = DateTimeOffset.FromUnixTimeSeconds(seconds);
                    var read = TimeText.Parse(TimeText.Write(time, "yyyy-MM-dd HH:mm:ss", Berlin), Berlin);

                    if (!Berlin.IsAmbiguousTime(time))
                        Assert.Equal(time, read);
                    Assert.Equal(time, TimeText.Parse(TimeText.Write(time, null, Berlin), Berlin));
                }
            )
            .Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }
}
