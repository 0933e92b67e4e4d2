using Lockstep.Testing;

namespace Lockstep.Ticks.Tests;

public sealed class ManualTimeProviderTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public void Timers_fire_in_the_order_in_which_they_fall_due_and_see_that_instant()
    {
        var start = _time.GetUtcNow();
        var fired = new List<(string, TimeSpan)>();
        void Note(object? name) => fired.Add(((string)name!, _time.GetUtcNow() - start));

        using var late = _time.CreateTimer(Note, "late", 3 * Second, Timeout.InfiniteTimeSpan);
        using var early = _time.CreateTimer(Note, "early", Second, Timeout.InfiniteTimeSpan);
        using var twin = _time.CreateTimer(Note, "twin", Second, Timeout.InfiniteTimeSpan);
        using var stopped = _time.CreateTimer(Note, "stopped", 2 * Second, Timeout.InfiniteTimeSpan);
        stopped.Dispose();
        _time.Advance(3 * Second);

        Assert.Equal([("early", Second), ("twin", Second), ("late", 3 * Second)], fired);
        Assert.Equal(0, _time.ScheduledTimers);
    }

    [Fact]
    public void A_periodic_timer_fires_once_per_period_and_a_callback_may_set_another()
    {
        var ticks = 0;
        ITimer? inner = null;
        var innerFired = false;
        using var timer = _time.CreateTimer(
            _ =>
            {
                ticks++;
                inner ??= _time.CreateTimer(_ => innerFired = true, null, Second / 2, Timeout.InfiniteTimeSpan);
            },
            null,
            Second,
            Second
        );

        _time.Advance(3.5 * Second);

        Assert.Equal(3, ticks);
        Assert.True(innerFired);
        Assert.Equal(_time.GetUtcNow() + (Second / 2), _time.NextDue);
    }

    [Fact]
    public async Task Task_Delay_and_WaitForTimers_work_with_it()
    {
        var cancel = TestContext.Current.CancellationToken;
        var delay = Task.Run(() => Task.Delay(5 * Second, _time, cancel), cancel);
        await _time.WaitForTimersAsync(1, cancel);

        Assert.False(delay.IsCompleted);
        _time.Advance(5 * Second);
        await delay;
    }

    [Fact]
    public void A_corrected_wall_clock_moves_no_timer_and_no_timestamp()
    {
        var fired = false;
        using var timer = _time.CreateTimer(_ => fired = true, null, Second, Timeout.InfiniteTimeSpan);
        var stamp = _time.GetTimestamp();

        _time.SetUtcNow(_time.GetUtcNow().AddDays(1));
        Assert.Equal(stamp, _time.GetTimestamp());
        _time.Advance(Second / 2);
        Assert.False(fired);
        _time.Advance(Second / 2);
        Assert.True(fired);
    }
}
