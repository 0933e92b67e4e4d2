using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Serving;

public sealed class SendBudgetTests
{
    private readonly ManualTimeProvider _time = new(DateTimeOffset.UnixEpoch);
    private readonly List<string> _cut = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_wants_more_than_is_left_waits_in_turn()
    {
        var budget = new SendBudget(100, _time);
        using var first = Join(budget, "first");
        using var second = Join(budget, "second");
        using var third = Join(budget, "third");
        await first.TakeAsync(60, Cancel);
        var later = second.TakeAsync(60, Cancel);

        // It would fit, but another one came first.
        var last = third.TakeAsync(10, Cancel);
        Assert.False(later.IsCompleted || last.IsCompleted);
        first.Give(60);
        await later;
        await last;
        Assert.Equal((70, 0), (budget.Held, budget.CutOff));
    }

    [Fact]
    public async Task What_is_there_to_spare_is_had_only_while_half_is_left_and_nobody_waits()
    {
        var budget = new SendBudget(100, _time);
        using var first = Join(budget, "first");
        using var second = Join(budget, "second");
        Assert.True(first.TryTake(50));
        Assert.False(second.TryTake(1));
        await second.TakeAsync(50, Cancel);
        first.Give(45);
        using var third = Join(budget, "third");
        var waiting = third.TakeAsync(50, Cancel);
        second.Give(20);
        Assert.False(waiting.IsCompleted || first.TryTake(1));
        second.Give(30);
        await waiting;
        Assert.Equal((55, 0), (budget.Held, budget.CutOff));
    }

    [Fact]
    public async Task Who_takes_nothing_is_cut_off_when_another_one_waits_and_not_before()
    {
        var budget = new SendBudget(100, _time);
        using var idle = Join(budget, "idle");
        using var busy = Join(budget, "busy");
        using var other = Join(budget, "other");
        await idle.TakeAsync(50, Cancel);
        await busy.TakeAsync(50, Cancel);
        _time.Advance(TimeSpan.FromHours(1));
        busy.Progress();
        Assert.Empty(_cut);
        var waiting = other.TakeAsync(50, Cancel);
        Assert.Equal(["idle"], _cut);
        idle.Dispose();
        await waiting;
        Assert.Equal((100, 1), (budget.Held, budget.CutOff));
    }

    [Fact]
    public async Task Who_has_only_just_stopped_taking_is_cut_off_when_that_has_lasted()
    {
        var budget = new SendBudget(100, _time);
        using var paused = Join(budget, "paused");
        using var other = Join(budget, "other");
        await paused.TakeAsync(100, Cancel);
        var waiting = other.TakeAsync(1, Cancel);
        for (var waited = TimeSpan.Zero; waited < SendBudget.Patience; waited += TimeSpan.FromSeconds(1))
        {
            Assert.Empty(_cut);
            await _time.WaitForTimersAsync(1, Cancel);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        await Eventually.TrueAsync(() => _cut.Count == 1);
        paused.Dispose();
        await waiting;
    }

    [Fact]
    public void What_is_in_memory_already_makes_others_give_up_theirs()
    {
        var budget = new SendBudget(100, _time);
        using var idle = Join(budget, "idle");
        using var live = Join(budget, "live");
        Assert.Equal(80, idle.Cover(80));
        _time.Advance(SendBudget.Patience);
        Assert.Equal(10, live.Cover(10));
        Assert.Empty(_cut);
        Assert.Equal(20, live.Cover(30));
        Assert.Equal(["idle"], _cut);
    }

    [Fact]
    public async Task A_client_whose_rows_are_more_than_everything_gets_them_alone()
    {
        var budget = new SendBudget(100, _time);
        using var large = Join(budget, "large");
        await large.TakeAsync(1000, Cancel);
        Assert.Equal(1000, budget.Held);
        large.Dispose();
        Assert.Equal(0, budget.Held);
    }

    [Fact]
    public async Task Who_gives_up_waiting_leaves_its_turn_to_the_next()
    {
        var budget = new SendBudget(100, _time);
        using var first = Join(budget, "first");
        using var second = Join(budget, "second");
        using var third = Join(budget, "third");
        await first.TakeAsync(60, Cancel);
        using var stop = new CancellationTokenSource();
        var second60 = second.TakeAsync(60, stop.Token);
        var third40 = third.TakeAsync(40, Cancel);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second60);
        await third40;
        Assert.Equal(100, budget.Held);
    }

    private SendShare Join(SendBudget budget, string name) => budget.Join(() => _cut.Add(name));
}
