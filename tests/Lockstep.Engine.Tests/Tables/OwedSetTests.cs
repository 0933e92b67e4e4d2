using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>When to fetch a whole set again that was not accepted.</summary>
public sealed class OwedSetTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly RefusedSweep Refused = new(30, 40);

    [Fact]
    public void It_waits_longer_each_time()
    {
        var first = OwedSet.After(null, Now, Refused);
        var second = OwedSet.After(first, Now.AddSeconds(5), Refused);

        Assert.Equal(TimeSpan.FromSeconds(5), first.Until(Now));
        Assert.Equal(TimeSpan.FromSeconds(1), first.Until(Now.AddSeconds(4)));
        Assert.Equal(TimeSpan.Zero, first.Until(Now.AddSeconds(5)));
        Assert.Equal(TimeSpan.FromSeconds(10), second.Until(Now.AddSeconds(5)));
    }

    [Fact]
    public void One_that_comes_before_it_is_due_does_not_put_it_off()
    {
        var first = OwedSet.After(null, Now, Refused);
        var early = OwedSet.After(first, Now.AddSeconds(4), new RefusedSweep(31, 40));
        var ofAnother = OwedSet.After(first, Now.AddSeconds(4), new RefusedSweep(31, 40) { Feed = "b" });
        var unreadable = OwedSet.After(first, Now.AddSeconds(4));

        Assert.Equal((1, first.Due, 31L), (early.Attempts, early.Due, early.Refused!.Lost));
        Assert.Equal((1, TimeSpan.FromSeconds(5)), (ofAnother.Attempts, ofAnother.Until(Now.AddSeconds(4))));
        Assert.Equal((1, TimeSpan.FromMinutes(1)), (unreadable.Attempts, unreadable.Until(Now.AddSeconds(4))));
    }

    [Fact]
    public void A_clock_that_is_set_back_does_not_put_it_off()
    {
        var owed = OwedSet.Parse(OwedSet.After(null, Now.AddDays(300), Refused).ToString())!;

        Assert.Equal(TimeSpan.Zero, owed.Until(Now));
    }
}
