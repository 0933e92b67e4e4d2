using Lockstep.Engine.Sync;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>How long to wait before another attempt.</summary>
public sealed class RetryPolicyTests
{
    [Theory]
    [InlineData(1, 5)]
    [InlineData(2, 10)]
    [InlineData(4, 40)]
    [InlineData(5, 60)]
    [InlineData(1000000, 60)]
    public void The_wait_doubles_up_to_a_minute_less_up_to_a_fifth(int failures, double seconds)
    {
        for (var seed = 0; seed < 100; seed++)
        {
            var wait = new RetryPolicy(TimeSpan.FromSeconds(5), null, new Random(seed)).Delay(failures, null).TotalSeconds;
            Assert.InRange(wait, seconds * 0.8, seconds);
        }
    }

    [Fact]
    public void Clients_that_were_cut_off_together_do_not_come_back_together()
    {
        Assert.True(
            Enumerable
                .Range(0, 50)
                .Select(seed => new RetryPolicy(TimeSpan.FromSeconds(5), null, new Random(seed)).Delay(1, null))
                .Distinct()
                .Count() > 40
        );
    }

    [Fact]
    public void Retry_after_is_a_floor_that_no_timer_chokes_on()
    {
        var policy = new RetryPolicy(TimeSpan.FromSeconds(5), null, new Random(1));

        Assert.Equal(TimeSpan.FromSeconds(90), policy.Delay(1, TimeSpan.FromSeconds(90)));
        Assert.InRange(policy.Delay(1, TimeSpan.FromSeconds(1)).TotalSeconds, 4, 5);
        Assert.InRange(policy.Delay(1, TimeSpan.FromSeconds(-50)).TotalSeconds, 4, 5);
        Assert.Equal(TimeSpan.FromDays(1), policy.Delay(1, TimeSpan.FromDays(10_000)));
    }

    [Fact]
    public void An_interval_above_a_minute_stays_what_it_is()
    {
        Assert.InRange(new RetryPolicy(TimeSpan.FromMinutes(10), null, new Random(1)).Delay(9, null).TotalMinutes, 8, 10);
    }

    [Theory]
    [InlineData(1, 1, 1, 0, false)]
    [InlineData(1, 999, 1, 0, false)]
    [InlineData(1, 1000, 1, 0, true)]
    [InlineData(1, 2, 2, 0, true)]
    [InlineData(6, 1, 1, 0, true)]
    [InlineData(6, 0, 0, 1, true)]
    [InlineData(1, 0, 0, 9, false)]
    [InlineData(6, 0, 0, 0, false)]
    public void A_connection_held_that_lasted_or_brought_more_than_a_batch(
        double seconds,
        long changes,
        long batches,
        long beats,
        bool held
    )
    {
        var policy = new RetryPolicy(TimeSpan.FromSeconds(5), null, new Random(1));

        Assert.Equal(held, policy.Held(TimeSpan.FromSeconds(seconds), changes, batches, beats));
    }

    [Theory]
    [InlineData(null, 1000, true)]
    [InlineData(0, 1, false)]
    [InlineData(3, 3, true)]
    [InlineData(3, 4, false)]
    public void Attempts_are_allowed_up_to_the_maximum(int? maximum, int failures, bool allowed)
    {
        Assert.Equal(allowed, new RetryPolicy(TimeSpan.FromSeconds(1), maximum, new Random(1)).Allows(failures));
    }
}
