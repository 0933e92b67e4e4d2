using System.Globalization;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

public sealed class EmitterTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_event_is_replayed_once_to_every_node()
    {
        await using var a = new LockstepEmitter();
        await using var b = new LockstepEmitter();
        await using var c = new LockstepEmitter();
        a.Emit("first", 1, "two", null);
        b.Emit("second");
        StreamPair.Connect(a, b);
        StreamPair.Connect(b, c);
        StreamPair.Connect(c, a);
        a.Emit("third", new { x = 1 });
        await Eventually.TrueAsync(() => new[] { a, b, c }.All(static node => node.HistoryCount == 3), "three events everywhere");
        Assert.Equal("""["first",1,"two",null]""", c.GetEvents("first").Single().Update.GetChange().GetRawText());
        Assert.Equal(3, c.GetEvents("first").Single().Arguments.Count);
    }

    [Fact]
    public async Task Receiving_yields_what_is_kept_and_then_what_comes()
    {
        await using var emitter = new LockstepEmitter();
        emitter.Emit("a");
        await using var events = emitter.ReceiveAsync(includeExisting: true, Token).GetAsyncEnumerator(Token);
        Assert.True(await events.MoveNextAsync());
        var next = events.MoveNextAsync().AsTask();
        emitter.Emit("b", 1);
        Assert.True(await next);
        Assert.Equal("b", events.Current.Name);
        Assert.Equal(1, events.Current.Arguments[0].GetInt32());
    }

    [Fact]
    public async Task Retention_by_number_forgets_the_oldest_and_moves_the_horizon()
    {
        await using var emitter = new LockstepEmitter(new GossipNodeOptions { Id = "A" }, new EventRetention { MaxEvents = 3 });
        var updates = Enumerable.Range(0, 10).Select(i => emitter.Emit("e", i)).ToArray();
        Assert.Equal([7, 8, 9], emitter.GetEvents().Select(static e => e.Arguments[0].GetInt32()));
        Assert.Equal(updates[6].Timestamp, emitter.GetHorizon()!["A"]);
        using var peer = new ScriptedPeer(emitter);
        Assert.Contains(
            $$$""","horizon":{"A":{{{updates[6].Timestamp.ToString(CultureInfo.InvariantCulture)}}}}}""",
            peer.Hears()[0],
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Retention_by_age_forgets_when_a_peer_comes()
    {
        var time = new ManualTimeProvider();
        await using var emitter = new LockstepEmitter(
            new GossipNodeOptions { TimeProvider = time },
            new EventRetention { MaxAge = TimeSpan.FromMinutes(1) }
        );
        emitter.Emit("old");
        time.Advance(TimeSpan.FromSeconds(59));
        emitter.Emit("new");
        Assert.Equal(2, emitter.HistoryCount);
        time.Advance(TimeSpan.FromSeconds(2));
        using var peer = new ScriptedPeer(emitter);
        peer.SaysHello();
        var heard = peer.Hears();
        Assert.Equal(["new"], emitter.GetEvents().Select(static e => e.Name));
        Assert.Equal(3, heard.Count);
    }

    [Fact]
    public async Task A_node_that_was_away_for_too_long_is_told_of_its_gap_and_passes_that_on()
    {
        await using var keeper = new LockstepEmitter(new GossipNodeOptions { Id = "K" }, new EventRetention { MaxEvents = 2 });
        await using var late = new LockstepEmitter(new GossipNodeOptions { Id = "L" });
        var seen = new RecordingObserver();
        using var subscription = late.Subscribe(seen);
        var updates = Enumerable.Range(0, 5).Select(i => keeper.Emit("e", i)).ToArray();
        using var link = new SimulatedLink(keeper, late);
        link.Settle();
        Assert.Equal(2, late.HistoryCount);
        var gap = Assert.Single(seen.Gaps);
        Assert.Equal(("K", double.NegativeInfinity, updates[2].Timestamp), gap);
        Assert.Equal(updates[2].Timestamp, late.GetGaps()["K"]);
        Assert.Empty(keeper.GetGaps());
        Assert.Equal(updates[2].Timestamp, late.GetHorizon()!["K"]);
    }

    [Fact]
    public async Task A_slow_peer_that_falls_behind_what_is_kept_is_told()
    {
        await using var keeper = new LockstepEmitter(new GossipNodeOptions { Id = "K" }, new EventRetention { MaxEvents = 2 });
        await using var slow = new LockstepEmitter(new GossipNodeOptions { Id = "S" });
        var seen = new RecordingObserver();
        using var subscription = slow.Subscribe(seen);
        using var link = new SimulatedLink(keeper, slow);
        link.Settle();
        for (var i = 0; i < 5; i++)
        {
            keeper.Emit("e", i);
        }

        link.Settle();
        Assert.Equal([3, 4], slow.GetEvents().Select(static e => e.Arguments[0].GetInt32()));
        Assert.Single(seen.Gaps);
    }

    [Fact]
    public async Task A_reader_that_falls_behind_what_is_kept_is_told()
    {
        await using var emitter = new LockstepEmitter(null, new EventRetention { MaxEvents = 2 });
        await using var events = emitter.ReceiveAsync(cancellationToken: Token).GetAsyncEnumerator(Token);
        for (var i = 0; i < 5; i++)
        {
            emitter.Emit("e", i);
        }

        await Assert.ThrowsAsync<GossipException>(async () => await events.MoveNextAsync());
    }
}
