using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Persistence;
using Lockstep.Testing;
using Microsoft.Data.Sqlite;

namespace Lockstep.Gossip.Tests;

/// <summary>The parts of a node, each alone.</summary>
public sealed partial class NodePartsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_watcher_reads_at_its_own_pace_waits_and_ends_with_the_node()
    {
        var gate = new Lock();
        var watchers = new GossipWatchers();
        List<GossipUpdate> history = [Update(1)];
        var ended = false;
        await using var reader = watchers
            .WatchAsync(gate, new GossipClock(), clock => ended ? null : history.Where(update => !clock.Covers(update)), Token)
            .GetAsyncEnumerator(Token);
        Assert.True(await reader.MoveNextAsync());

        // Replaced before the reader reached it: left out.
        history = [Update(3)];
        Assert.True(await reader.MoveNextAsync());
        Assert.Equal(3, reader.Current.Timestamp);
        var next = reader.MoveNextAsync().AsTask();
        lock (gate)
        {
            history.Add(Update(4));
            watchers.Wake();
        }

        Assert.True(await next);
        next = reader.MoveNextAsync().AsTask();
        lock (gate)
        {
            ended = true;
            watchers.Wake();
        }

        Assert.False(await next);
    }

    [Fact]
    public void A_file_gives_back_what_was_committed_and_does_not_write_it_again()
    {
        using (var file = new NodeFile())
        {
            Assert.Equal("A", file.Open(_folder["n.db"], "test", null, "A"));
            file.Add(Update(1));
            file.Add(Update(2));
            file.Remove(Update(1));
            file.SetClock("S", 2);
            file.SetHorizon("S", 1);
            file.Commit();
            file.Add(Update(3));
        }

        using var again = new NodeFile();
        Assert.Equal("A", again.Open(_folder["n.db"], "test", null, "B"));
        var updates = new List<double>();
        var known = new List<(string, double, double?)>();
        again.Restore(
            (update, _) =>
            {
                updates.Add(update.Timestamp);
                again.Add(update);
            },
            (source, entry) => known.Add((source, entry.Timestamp, entry.Horizon))
        );
        Assert.Equal([2], updates);
        Assert.Equal([("S", 2, 1)], known);
        again.Commit();
    }

    [Fact]
    public void A_file_that_failed_once_takes_nothing_more_and_commits_nothing()
    {
        using (var file = new NodeFile())
        {
            file.Open(_folder["n.db"], "test", null, "A");
            file.Add(Update(1));
            Assert.Throws<GossipStoreException>(() => file.Add(Update(1)));
            Assert.Throws<GossipStoreException>(file.ThrowIfFailed);
            Assert.Throws<GossipStoreException>(() => file.Add(Update(2)));
            Assert.Throws<GossipStoreException>(file.Commit);
        }

        using var connection = new SqliteConnection($"Data Source={_folder["n.db"]};Pooling=False");
        connection.Open();
        using var count = connection.CreateCommand();
        count.CommandText = "SELECT count(*) FROM gossip_update";
        Assert.Equal(0L, count.ExecuteScalar());
    }

    [Fact]
    public void A_node_without_a_file_writes_none()
    {
        using var file = new NodeFile();
        file.Add(Update(1));
        file.SetClock("S", 1);
        file.Commit();
        file.ThrowIfFailed();
    }

    [Fact]
    public void A_timer_that_is_set_to_another_instant_calls_then_and_once()
    {
        var time = new ManualTimeProvider();
        var calls = 0;
        using var timer = new DueTimer(time, () => calls++);
        timer.Set(time.GetUtcNow().AddSeconds(1));
        timer.Set(time.GetUtcNow().AddSeconds(5));
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(0, calls);
        time.Advance(TimeSpan.FromSeconds(4));
        Assert.Equal(1, calls);
        time.Advance(TimeSpan.FromDays(2));
        Assert.Equal(1, calls);
    }

    [Fact]
    public void An_update_is_due_when_it_is_no_further_ahead_than_the_bound()
    {
        var time = new ManualTimeProvider();
        var now = (time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMilliseconds;
        var bound = new FutureBound(time, TimeSpan.FromSeconds(1));
        Assert.Equal(now + 1000, bound.Limit());
        Assert.Null(bound.DueTime(Update(now + 1000)));
        Assert.Equal(time.GetUtcNow().AddMilliseconds(5), bound.DueTime(Update(now + 1005)));
        Assert.Null(new FutureBound(time, Timeout.InfiniteTimeSpan).DueTime(Update(double.MaxValue)));
    }

    /// <summary>The folders of the library, from the bottom: each may use only those before it.</summary>
    [Fact]
    public void No_folder_uses_one_above_it()
    {
        string[] order = ["Json", "Clock", "Wire", "Persistence", "Security", "Nodes", "Models", "Hosting", "Peers"];
        var folders = Directory.GetDirectories(Source()).Select(Path.GetFileName).Where(static name => name is not ("bin" or "obj"));
        Assert.Equal(order.Order(), folders.Order());
        var used =
            from folder in order
            from file in Directory.GetFiles(Path.Combine(Source(), folder), "*.cs")
            from Match use in Folder().Matches(File.ReadAllText(file))
            select (File: Path.GetFileName(file), Folder: folder, Uses: use.Groups[1].Value);
        Assert.DoesNotContain(used, use => Array.IndexOf(order, use.Uses) > Array.IndexOf(order, use.Folder));
        Assert.DoesNotContain(Directory.GetFiles(Source(), "*.cs"), static file => Folder().IsMatch(File.ReadAllText(file)));
    }

    [GeneratedRegex(@"using Lockstep\.Gossip\.(\w+);")]
    private static partial Regex Folder();

    private static string Source([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../src/Lockstep.Gossip"));

    private static GossipUpdate Update(double timestamp) => new("1"u8.ToArray(), timestamp, "S", null);
}
