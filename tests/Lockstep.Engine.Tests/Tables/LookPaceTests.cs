using Lockstep.Engine.Tables;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Tables;

public sealed class LookPaceTests : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(25);

    private readonly TempFolder _folder = new();
    private readonly ManualTimeProvider _time = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Without_a_write_it_waits_for_the_interval()
    {
        using LookPace pace = new(Interval, _time);

        Assert.Equal([25, 25, 25], Waits(pace, 3));
    }

    [Fact]
    public void After_a_write_looks_follow_each_other_closely_and_then_less_so()
    {
        using LookPace pace = new(Interval, _time);
        pace.Written();

        Assert.Equal([0, 1, 2, 4, 8, 16, 25], Waits(pace, 7));
    }

    [Fact]
    public void Once_the_system_told_of_a_commit_it_is_relied_on_for_longer()
    {
        using LookPace pace = new(Interval, _time);
        pace.Written();
        Waits(pace, 3);
        pace.Found();

        Assert.Equal([1000, 1000], Waits(pace, 2));

        pace.Written();
        Assert.Equal([0, 1], Waits(pace, 2));
    }

    [Fact]
    public void A_commit_that_the_system_did_not_tell_of_ends_the_reliance()
    {
        using LookPace pace = new(Interval, _time);
        pace.Written();
        Waits(pace, 1);
        pace.Found();
        Waits(pace, 1);
        pace.Found();

        Assert.Equal([25, 25], Waits(pace, 2));
    }

    /// <summary>The clock stands still: nothing else can end it.</summary>
    [Fact]
    public async Task A_write_ends_a_wait()
    {
        using LookPace pace = new(Interval, _time);
        var wait = pace.WaitAsync(TestContext.Current.CancellationToken);

        pace.Written();

        await wait;
    }

    [Fact]
    public async Task A_cancelled_wait_ends()
    {
        using LookPace pace = new(Interval, _time);
        using CancellationTokenSource stop = new();
        var wait = pace.WaitAsync(stop.Token);

        await stop.CancelAsync();

        await wait;
    }

    /// <summary>The clock stands still: only the system's notification can end the wait.</summary>
    [Fact]
    public async Task The_system_tells_of_a_commit()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Skip("Only Linux tells of each write to a file that stays open.");
        using TestTable table = new();
        table.Apply("""{"id":1,"updated_at":1,"deleted_at":null}""");
        using LookPace pace = new(table.Path, Interval, _time);

        table.Apply("""{"id":1,"updated_at":2,"deleted_at":null}""");

        await pace.WaitAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public void A_disk_of_this_machine_is_relied_on_from_the_start()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Skip("Only Linux tells of each write to a file that stays open.");
        using LookPace pace = new(_folder["t.db"], Interval, _time);

        Assert.Equal([1000], Waits(pace, 1));
    }

    [Fact]
    public void A_folder_that_cannot_be_watched_is_looked_at_by_the_interval()
    {
        using LookPace pace = new(_folder["missing/t.db"], Interval, _time);

        Assert.Equal([25], Waits(pace, 1));
    }

    /// <summary>How long each of this many waits takes, in milliseconds.</summary>
    private List<int> Waits(LookPace pace, int count)
    {
        List<int> waits = [];
        while (waits.Count < count)
        {
            var wait = pace.WaitAsync(TestContext.Current.CancellationToken);
            var milliseconds = 0;
            for (; !wait.IsCompleted; milliseconds++)
                _time.Advance(TimeSpan.FromMilliseconds(1));
            waits.Add(milliseconds);
        }

        return waits;
    }
}
