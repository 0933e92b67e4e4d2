using Lockstep.Engine.Feed;

namespace Lockstep.Engine.Tests.Feed;

/// <summary>How long a server asks the client to wait.</summary>
public sealed class RetryAfterTests
{
    private static readonly DateTimeOffset Now = new(2030, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Theory]
    [InlineData("0", 0)]
    [InlineData("7", 7)]
    [InlineData("1.5", 1.5)]
    [InlineData("3600", 3600)]
    [InlineData("Wed, 02 Jan 2030 03:04:15 GMT", 10)]
    [InlineData("Wed, 02 Jan 2030 03:04:00 GMT", -5)]
    public void Seconds_fractions_and_dates_are_taken_as_they_are(string text, double seconds)
    {
        Assert.Equal(new RetryAfter(TimeSpan.FromSeconds(seconds), null), RetryAfter.Parse(text, Now));
    }

    [Theory]
    [InlineData("3601")]
    [InlineData("4294967296")]
    [InlineData("99999999999999999999999999999999")]
    [InlineData("Wed, 02 Jan 2030 05:04:15 GMT")]
    [InlineData("Fri, 31 Dec 9999 23:59:59 GMT")]
    public void More_than_an_hour_is_an_hour_and_that_is_said(string text)
    {
        var wait = RetryAfter.Parse(text, Now)!.Value;

        Assert.Equal(TimeSpan.FromHours(1), wait.Wait);
        Assert.Contains(text, wait.Note!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("soon")]
    [InlineData("-1")]
    [InlineData("NaN")]
    public void What_is_neither_is_not_heeded(string text)
    {
        Assert.Null(RetryAfter.Parse(text, Now));
    }

    [Theory]
    [InlineData("Wed, 02 Jan 2030 17:04:15 GMT", "Wed, 02 Jan 2030 17:04:05 GMT", 10)]
    [InlineData("Tue, 01 Jan 2030 13:04:15 GMT", "Tue, 01 Jan 2030 13:04:05 GMT", 10)]
    [InlineData("Wed, 02 Jan 2030 03:04:15 GMT", null, 10)]
    [InlineData("Wed, 02 Jan 2030 03:04:15 GMT", "today", 10)]
    [InlineData("7", "Wed, 02 Jan 2030 17:04:05 GMT", 7)]
    public void A_date_is_a_time_of_the_servers_clock(string text, string? date, double seconds)
    {
        using var response = new HttpResponseMessage();
        response.Headers.TryAddWithoutValidation("Retry-After", text);
        response.Headers.TryAddWithoutValidation("Date", date);

        Assert.Equal(new RetryAfter(TimeSpan.FromSeconds(seconds), null), RetryAfter.Of(response, Now));
    }

    [Theory]
    [InlineData("X-RateLimit-Remaining: 0|X-RateLimit-Reset: 1893553460", 15)] // GitHub, Okta: a time
    [InlineData("X-RateLimit-Remaining: 0|X-RateLimit-Reset: 30", 30)]
    [InlineData("RateLimit-Remaining: 0|RateLimit-Reset: 30", 30)]
    [InlineData("RateLimit: \"default\";r=0;t=40", 40)]
    [InlineData("RateLimit: \"hour\";r=7;t=3000, \"minute\";r=0;t=20", 20)]
    [InlineData("RateLimit: limit=100, remaining=0, reset=50", 50)]
    [InlineData("Retry-After: 7|X-RateLimit-Remaining: 0|X-RateLimit-Reset: 30", 30)]
    [InlineData("Retry-After: 40|X-RateLimit-Remaining: 0|X-RateLimit-Reset: 30", 40)]
    [InlineData("Retry-After: 7|X-RateLimit-Remaining: 4000|X-RateLimit-Reset: 3000", 7)]
    [InlineData("X-RateLimit-Remaining: 0|X-RateLimit-Reset: 1893553440", -5)]
    [InlineData("X-RateLimit-Remaining: 0|X-RateLimit-Reset: 9223372036854775807", 3600)]
    [InlineData("X-RateLimit-Remaining: 4000|X-RateLimit-Reset: 3000", null)]
    [InlineData("X-RateLimit-Remaining: 0|X-RateLimit-Reset: tomorrow", null)]
    public void The_end_of_a_limit_counts_where_it_is_used_up(string headers, int? seconds)
    {
        using var response = new HttpResponseMessage();
        foreach (var header in headers.Split('|'))
            response.Headers.TryAddWithoutValidation(header.Split(": ")[0], header.Split(": ")[1]);

        Assert.Equal(seconds, (int?)RetryAfter.Of(response, Now)?.Wait.TotalSeconds);
    }
}
