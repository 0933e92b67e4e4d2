using Lockstep.Ticks;
using Lockstep.Ticks.Worker;

namespace Lockstep.Ticks.Tests;

/// <summary>
/// The judge of the test with many processes accepts what the contract allows, however long a machine takes, and nothing else. Times are
/// seconds: the store goes down at 9 and is back at 15, the tick is 1.6 s, a value "old" for 12.8 was removed at 8.9; the schedule has
/// "next" for 19.2 alone.
/// </summary>
public sealed class JudgeTests
{
    private const string Name = "b";
    private static readonly DateTimeOffset Epoch = DateTimeOffset.UnixEpoch;
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1.6);
    private static readonly TickSettings Settings = new(Tick, TimeSpan.FromMilliseconds(60), TimeSpan.FromMilliseconds(200));

    /// <summary>
    /// What a process does that reads within the lead before each boundary, except while the store is down, and returns late: at 18, after
    /// a failed retry.
    /// </summary>
    private static readonly Report Sound = new(
        [Seen("old", 12.8), Seen(null, 18.01), Seen("next", 19.2)],
        [Said("old", 12.8, stale: true, lastRefresh: 7.8), Said("next", 19.2, stale: false, lastRefresh: 18)],
        [Read(1.3), Read(2.9), Read(4.5), Read(6.1), Read(7.8), Read(18), Read(18.9), Read(20.5), Read(22.1), Read(23.7)],
        [new StaleSpan(Name, At(9.6), At(18.01))],
        [],
        At(24.5),
        0
    );

    [Fact]
    public void A_process_that_was_cut_off_may_show_what_was_removed_and_return_from_it_when_it_can() => Assert.Empty(Judged(Sound));

    [Fact]
    public void It_must_have_said_so() =>
        Assert.Contains(
            "old was seen",
            Fault(Sound with { Switches = [Said("old", 12.8, stale: false, lastRefresh: 7.8), Sound.Switches[1]] }),
            StringComparison.Ordinal
        );

    [Fact]
    public void It_must_not_have_read_the_store_for_that_instant() =>
        Assert.Contains(
            "old was seen",
            Fault(Sound with { Switches = [Said("old", 12.8, stale: true, lastRefresh: 12.5), Sound.Switches[1]] }),
            StringComparison.Ordinal
        );

    [Fact]
    public void It_must_return_to_what_the_schedule_says() =>
        Assert.Contains(
            "other was seen",
            Fault(Sound with { Sightings = [Sound.Sightings[0], Seen("other", 18.01), Sound.Sightings[2]] }),
            StringComparison.Ordinal
        );

    [Fact]
    public void It_must_return_at_all() =>
        Assert.Contains(
            "did not read the store any more",
            Fault(Sound with { Reads = [.. Sound.Reads.Take(5)], Stale = [new StaleSpan(Name, At(9.6), At(24.5))] }),
            StringComparison.Ordinal
        );

    [Fact]
    public void A_value_must_be_seen_at_its_instant() =>
        Assert.Contains(
            "saw the value of 19.200 between",
            Fault(Sound with { Sightings = [.. Sound.Sightings.Take(2), Seen("next", 19.4)] }),
            StringComparison.Ordinal
        );

    [Fact]
    public void A_value_must_not_be_seen_before_its_instant() =>
        Assert.Contains(
            Judged(Sound with { Sightings = [.. Sound.Sightings.Take(2), Seen("next", 19.0)] }),
            fault => fault.Contains("next was seen", StringComparison.Ordinal)
        );

    [Fact]
    public void A_process_that_had_read_of_a_value_must_switch_whatever_it_says_of_itself() =>
        Assert.Contains(
            "saw the value of 19.200 never",
            Fault(
                Sound with
                {
                    Sightings = [.. Sound.Sightings.Take(2)],
                    Stale = [.. Sound.Stale, new StaleSpan(Name, At(19.2), At(20.5))],
                }
            ),
            StringComparison.Ordinal
        );

    [Fact]
    public void A_process_that_had_not_read_of_a_value_and_said_so_is_late_and_counted()
    {
        var report = Sound with
        {
            Sightings = [.. Sound.Sightings.Take(2), Seen("next", 20.51)],
            Reads = [.. Sound.Reads.Where(read => read.Begun != At(18.9))],
            Stale = [.. Sound.Stale, new StaleSpan(Name, At(19.2), At(20.51))],
        };
        Assert.Empty(Judged(report));
        Assert.Contains("1 not by processes that said so otherwise", Judge(report).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Of_a_change_that_was_reported_late_nothing_is_promised() =>
        Assert.Empty(Judge(Sound with { Sightings = [.. Sound.Sightings.Take(2), Seen("next", 19.4)] }, (Name, "next")).Faults);

    [Fact]
    public void There_is_one_read_per_tick() =>
        Assert.Contains(
            "2 reads from 20.800 to 22.400",
            Fault(Sound with { Reads = [.. Sound.Reads, Read(22.2)] }),
            StringComparison.Ordinal
        );

    private static string Fault(Report report) => Judged(report)[0];

    private static List<string> Judged(Report report) => Judge(report).Faults;

    private static Judge Judge(Report report, params (string Variable, string Value)[] late)
    {
        var schedules = new Dictionary<string, TickSchedule> { [Name] = new(Tick, new TickTuple(At(19.2), "\"next\"", Tick)) };
        var judge = new Judge(schedules, Settings, TimeSpan.FromMilliseconds(110), At(1), At(9), At(15), late.ToHashSet());
        judge.Hear(TimeSpan.Zero, report);
        return judge;
    }

    private static DateTimeOffset At(double seconds) => Epoch.AddMilliseconds(Math.Round(seconds * 1000));

    private static Sighting Seen(string? value, double at) => new(Name, value, At(at), At(at + 0.004));

    private static StoreRead Read(double at) => new(Name, At(at), At(at + 0.005));

    private static Switch Said(string value, double at, bool stale, double lastRefresh) =>
        new(Name, value, At(at), Tick, At(at), stale, At(lastRefresh));
}
