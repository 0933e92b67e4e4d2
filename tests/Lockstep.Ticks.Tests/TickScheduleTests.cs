using FsCheck;
using FsCheck.Fluent;
using Lockstep.Ticks;

namespace Lockstep.Ticks.Tests;

/// <summary>The truth table of the contract: what is active when, and where the boundaries are.</summary>
public sealed class TickScheduleTests
{
    private static readonly DateTimeOffset T = new(2030, 1, 1, 0, 0, 7, TimeSpan.Zero);
    private static readonly TimeSpan Default = TimeSpan.FromSeconds(60);

    /// <summary>T: 20 s; T+60: 5 s; T+80: 30 s.</summary>
    private static readonly TickSchedule Changing = new(Default, Tuple(0, "1", 20), Tuple(60, "2", 5), Tuple(80, "3", 30));

    public static TickTuple Tuple(double at, string json, double tick) => new(T.AddSeconds(at), json, TimeSpan.FromSeconds(tick));

    [Theory]
    [InlineData(0, 20)]
    [InlineData(3, 20)]
    [InlineData(19.9999999, 20)]
    [InlineData(20, 40)]
    [InlineData(23, 40)]
    [InlineData(1_000_000, 1_000_020)]
    public void A_check_is_due_at_the_first_boundary_after_the_last(double last, double next)
    {
        var schedule = new TickSchedule(Default, Tuple(0, "1", 20));

        Assert.Equal(T.AddSeconds(next), schedule.NextCheckAt(T.AddSeconds(last)));
        Assert.Equal(T.AddSeconds(next + 20), schedule.NextAvailableChangeAt(T.AddSeconds(last)));
    }

    [Theory]
    [InlineData(-1, null)]
    [InlineData(0, "1")]
    [InlineData(59.999, "1")]
    [InlineData(60, "2")]
    [InlineData(79.999, "2")]
    [InlineData(80, "3")]
    [InlineData(1_000_000, "3")]
    public void The_active_tuple_is_the_last_one_that_has_begun(double at, string? value) =>
        Assert.Equal(value, Changing.ActiveAt(T.AddSeconds(at))?.Json);

    [Theory]
    [InlineData(0, 20, 40)]
    [InlineData(39, 40, 60)]
    [InlineData(40, 60, 65)]
    [InlineData(59, 60, 65)]
    [InlineData(60, 65, 70)]
    [InlineData(74, 75, 80)]
    [InlineData(75, 80, 110)]
    [InlineData(80, 110, 140)]
    public void Boundaries_are_those_of_the_tuple_active_then_pending_ones_included(double at, double check, double change)
    {
        Assert.Equal(T.AddSeconds(check), Changing.NextCheckAt(T.AddSeconds(at)));
        Assert.Equal(T.AddSeconds(change), Changing.NextAvailableChangeAt(T.AddSeconds(at)));
    }

    [Fact]
    public void Without_a_tuple_the_value_is_null_and_boundaries_are_those_of_the_default_tick_since_1970()
    {
        var schedule = new TickSchedule(Default);

        Assert.Null(schedule.ActiveAt(T));
        Assert.Equal(Default, schedule.TickAt(T));
        Assert.Equal(new DateTimeOffset(2030, 1, 1, 0, 1, 0, TimeSpan.Zero), schedule.NextCheckAt(T));
        Assert.Equal(
            new DateTimeOffset(1969, 12, 31, 23, 59, 0, TimeSpan.Zero),
            schedule.NextCheckAt(new DateTimeOffset(1969, 12, 31, 23, 58, 30, TimeSpan.Zero))
        );
    }

    [Fact]
    public void Past_current_and_pending_tuples_are_told_apart()
    {
        var at = T.AddSeconds(60);

        Assert.Equal(["1"], Changing.ExpiredAt(at).Select(tuple => tuple.Json));
        Assert.Equal("2", Changing.ActiveAt(at)!.Json);
        Assert.Equal(["3"], Changing.PendingAt(at).Select(tuple => tuple.Json));
        Assert.Equal("3", Changing.NextAfter(at)!.Json);
        Assert.Null(Changing.NextAfter(T.AddSeconds(80)));
        Assert.Empty(Changing.ExpiredAt(T.AddSeconds(-5)));
    }

    [Fact]
    public void A_tuple_off_the_boundaries_is_a_boundary_itself()
    {
        var schedule = new TickSchedule(Default, Tuple(0, "1", 20), Tuple(33, "2", 20));

        Assert.Equal(T.AddSeconds(33), schedule.NextCheckAt(T.AddSeconds(20)));
        Assert.Equal(T.AddSeconds(53), schedule.NextCheckAt(T.AddSeconds(33)));
        Assert.Equal(T.AddSeconds(20), schedule.BoundaryBefore(T.AddSeconds(33)));
    }

    [Fact]
    public void Boundaries_of_any_schedule_rise_and_agree_with_each_other()
    {
        var schedules =
            from count in Gen.Choose(0, 5)
            from ats in Gen.ArrayOf(Gen.Choose(0, 10_000), count)
            from ticks in Gen.ArrayOf(Gen.Choose(1, 3_000), count)
            from instants in Gen.ArrayOf(Gen.Choose(-20_000, 40_000), 20)
            select (
                Schedule: new TickSchedule(
                    TimeSpan.FromMilliseconds(700),
                    ats.Distinct().Zip(ticks, (at, tick) => new TickTuple(T.AddMilliseconds(at), "0", TimeSpan.FromMilliseconds(tick)))
                ),
                Instants: instants
            );

        Prop.ForAll(
                schedules.ToArbitrary(),
                sample =>
                    sample.Instants.All(offset =>
                    {
                        var (schedule, t) = (sample.Schedule, T.AddMilliseconds(offset));
                        var next = schedule.NextCheckAt(t);
                        return next > t
                            && schedule.IsBoundary(next)
                            && schedule.BoundaryAtOrAfter(next) == next
                            && schedule.BoundaryBefore(next) <= t
                            && schedule.NextCheckAt(schedule.BoundaryBefore(next)) == next
                            && schedule.NextAfter(t) is var pending
                            && (pending is null || next <= pending.ActiveAt)
                            && schedule.NextAvailableChangeAt(t) > next;
                    })
            )
            .QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData("{", 1000)]
    [InlineData("1 2", 1000)]
    [InlineData("", 1000)]
    [InlineData("1", 0)]
    [InlineData("1", -5)]
    [InlineData("1", 0.5)]
    [InlineData("1", 400L * 24 * 3600 * 1000)]
    public void A_tuple_refuses_what_is_no_value_or_no_tick(string json, double tick) =>
        Assert.Throws<ArgumentException>(() => new TickTuple(T, json, TimeSpan.FromTicks((long)(tick * TimeSpan.TicksPerMillisecond))));

    [Fact]
    public void A_tuple_refuses_parts_of_a_millisecond_and_a_schedule_two_tuples_at_once()
    {
        Assert.Throws<ArgumentException>(() => new TickTuple(T.AddTicks(1), "1", Default));
        Assert.Throws<ArgumentException>(() => new TickSchedule(Default, Tuple(0, "1", 20), Tuple(0, "2", 20)));
    }
}
