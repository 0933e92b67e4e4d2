using Lockstep.Ticks;

namespace Lockstep.Ticks.Tests;

/// <summary>The lower bound of a tick: 2 x skew + lead + write and refresh latency.</summary>
public sealed class TickSettingsTests
{
    [Theory]
    [InlineData(null, 100, 182)] // 0.2 t + 0.25 t + 100
    [InlineData(60, 100, 294)] // 120 + 0.25 t + 100
    [InlineData(0, 0, 1)]
    [InlineData(30_000, 0, 80_001)] // 60 s + 0.25 t
    [InlineData(100_000, 0, 230_001)] // The lead ends at 30 s.
    public void The_smallest_tick_is_more_than_twice_the_skew_and_the_lead_and_the_latency(int? skewMs, int latencyMs, int minimumMs)
    {
        var settings = new TickSettings(
            TimeSpan.FromHours(1),
            skewMs is { } skew ? TimeSpan.FromMilliseconds(skew) : null,
            TimeSpan.FromMilliseconds(latencyMs)
        );

        Assert.Equal(TimeSpan.FromMilliseconds(minimumMs), settings.MinimumTick);
        Assert.True(settings.IsSafe(settings.MinimumTick));
        Assert.False(settings.IsSafe(settings.MinimumTick - TimeSpan.FromMilliseconds(1)));
    }

    [Fact]
    public void A_store_with_an_unsafe_default_tick_is_not_made()
    {
        var settings = TickSettings.Default with { DefaultTick = TimeSpan.FromMilliseconds(100) };

        Assert.Throws<TickTooSmallException>(() => new MemoryTickStore(settings));
        Assert.Throws<ArgumentException>(() => new MemoryTickStore(TickSettings.Default with { Latency = TimeSpan.FromSeconds(-1) }));
    }

    /// <summary>
    /// The worst case, played through: committed just before the deadline, read as early as a skewed reader may, with every allowance used
    /// up.
    /// </summary>
    [Theory]
    [InlineData(294)]
    [InlineData(1000)]
    [InlineData(600_000)]
    public void At_a_safe_tick_the_earliest_reader_still_sees_the_latest_writer(int tickMs)
    {
        var settings = new TickSettings(TimeSpan.FromMilliseconds(tickMs), TimeSpan.FromMilliseconds(60), TimeSpan.FromMilliseconds(100));
        var schedule = new TickSchedule(settings.DefaultTick);
        var deadline = schedule.NextCheckAt(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var change = schedule.NextAvailableChangeAt(deadline - TimeSpan.FromTicks(1));

        // The store's clock is behind by the skew and the reader's ahead by it.
        var visible = deadline + settings.Skew(settings.DefaultTick) + settings.Latency;
        var read = change - TickSettings.Lead(settings.DefaultTick) - settings.Skew(settings.DefaultTick);
        Assert.True(read > visible);
    }
}
