using System.Globalization;
using System.Text;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Wire;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

/// <summary>The schedules that the protocol's contract names, each in its own test.</summary>
public sealed class ScheduleTests
{
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly double Now = Start.ToUnixTimeMilliseconds();
    private readonly ManualTimeProvider _time = new(Start);

    [Fact]
    public async Task History_and_live_updates_are_one_sequence_with_SYNC_between()
    {
        await using var node = NewModel("A");
        node.Set("a", 1);
        node.Set("b", 2);
        using var peer = new ScriptedPeer(node);
        var header = Assert.Single(peer.Hears());
        Assert.StartsWith("""{"id":"A","clock":{"A":""", header, StringComparison.Ordinal);

        peer.SaysHello();
        Assert.StartsWith("""[["a",1]""", peer.HearsOnce()[0], StringComparison.Ordinal);

        // Written after the peer's header and before SYNC was sent: it comes after SYNC, once.
        node.Set("c", 3);
        Assert.Equal(["\"SYNC\"", Line(node, "c")], peer.Hears());
    }

    [Fact]
    public async Task History_goes_out_in_order_of_time_across_sources()
    {
        await using var node = NewModel("A");
        using var peer = new ScriptedPeer(node);
        peer.SaysHello();
        peer.Hears();
        peer.Says(
            Update("x", 1, Now + 10, "X"),
            Update("y", 1, Now - 5, "Y"),
            Update("x2", 1, Now + 20, "X"),
            Update("y2", 1, Now + 15, "Y")
        );
        using var other = new ScriptedPeer(node);
        other.SaysHello("other");
        Assert.Equal(
            [
                Update("y", 1, Now - 5, "Y"),
                Update("x", 1, Now + 10, "X"),
                Update("y2", 1, Now + 15, "Y"),
                Update("x2", 1, Now + 20, "X"),
                "\"SYNC\"",
            ],
            other.Hears().Skip(1)
        );
    }

    [Fact]
    public async Task An_update_is_not_sent_back_to_the_peer_that_it_came_from()
    {
        await using var node = NewModel("A");
        using var peer = new ScriptedPeer(node);
        using var other = new ScriptedPeer(node);
        peer.SaysHello();
        other.SaysHello("other");
        peer.Hears();
        other.Hears();
        peer.Says(Update("x", 1, Now, "peer"));
        Assert.Empty(peer.Hears());
        Assert.Equal([Update("x", 1, Now, "peer")], other.Hears());
    }

    [Fact]
    public async Task Only_what_the_peers_clock_lacks_is_sent()
    {
        await using var node = NewModel("A");
        using var peer = new ScriptedPeer(node);
        peer.Says(Update("x", 1, 10, "S"), Update("y", 1, 20, "S"), Update("z", 1, 30, "S"));
        using var other = new ScriptedPeer(node);
        other.SaysHello("other", """{"S":10}""");
        Assert.Equal([Update("y", 1, 20, "S"), Update("z", 1, 30, "S"), "\"SYNC\""], other.Hears().Skip(1));
    }

    [Fact]
    public async Task An_update_that_is_not_newer_than_the_clock_is_ignored_and_reported()
    {
        await using var node = NewModel("A");
        var seen = new RecordingObserver();
        using var subscription = node.Subscribe(seen);
        using var peer = new ScriptedPeer(node);
        peer.Says(Update("x", 2, 20, "S"), Update("x", 2, 20, "S"), Update("y", 1, 10, "S"));
        Assert.Equal([20d], seen.Updates.Select(static update => update.Timestamp));
        Assert.Equal([20d, 10d], seen.Old.Select(static update => update.Timestamp));
        Assert.Null(node["y"]);
    }

    [Fact]
    public async Task Equal_timestamps_are_ordered_by_source_on_every_node_whatever_the_order_of_arrival()
    {
        await using var one = NewModel("A");
        await using var two = NewModel("B");
        using var toOne = new ScriptedPeer(one);
        using var toTwo = new ScriptedPeer(two);
        toOne.Says(Update("k", 1, 5, "S"), Update("k", 2, 5, "T"));
        toTwo.Says(Update("k", 2, 5, "T"), Update("k", 1, 5, "S"));
        Assert.Equal(2, one["k"]!.Value.GetInt32());
        Assert.Equal(2, two["k"]!.Value.GetInt32());
    }

    [Fact]
    public async Task Ids_compare_ordinally()
    {
        await using var node = NewModel("A");
        using var peer = new ScriptedPeer(node);

        // In a culture's order "a" comes before "B"; in ordinal order after it.
        peer.Says(Update("k", 1, 5, "a"), Update("k", 2, 5, "B"));
        Assert.Equal(1, node["k"]!.Value.GetInt32());
        peer.Says(Update("k", 3, 4, "A"), Update("other", 1, 4, "a"));
        Assert.Null(node["other"]);
    }

    [Fact]
    public async Task An_update_too_far_ahead_holds_its_source_until_it_is_due()
    {
        await using var node = NewModel("A");
        var seen = new RecordingObserver();
        using var subscription = node.Subscribe(seen);
        using var peer = new ScriptedPeer(node);
        using var other = new ScriptedPeer(node);
        other.SaysHello("other");
        other.Hears();
        var hour = TimeSpan.FromHours(1).TotalMilliseconds;
        peer.Says(
            Update("a", 1, Now + hour, "S"),
            Update("b", 2, Now + hour + 5000, "S"),
            Update("c", 3, Now + hour + 6000, "S"),
            Update("d", 4, Now, "T")
        );

        // At the bound it is applied; beyond it nothing from that source is applied or passed on; other sources continue.
        Assert.Equal(["a", "d"], node.Keys.Order());
        Assert.Equal(2, other.Hears().Count);
        Assert.Equal(Now + hour, node.GetClock()["S"]);
        var held = Assert.Single(seen.Held);
        Assert.Equal(Start.AddSeconds(5), held.Due);

        _time.Advance(TimeSpan.FromSeconds(4));
        Assert.Null(node["b"]);
        _time.Advance(TimeSpan.FromSeconds(1.1));
        Assert.Equal(2, node["b"]!.Value.GetInt32());
        Assert.Null(node["c"]);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(3, node["c"]!.Value.GetInt32());
        Assert.Equal([Update("b", 2, Now + hour + 5000, "S"), Update("c", 3, Now + hour + 6000, "S")], other.Hears());
    }

    [Fact]
    public async Task What_a_held_source_sends_later_on_that_stream_is_not_applied_before_the_refused_update()
    {
        await using var node = new LockstepModel(
            new GossipNodeOptions
            {
                Id = "A",
                TimeProvider = _time,
                MaxFuture = TimeSpan.FromSeconds(1),
            }
        );
        using var peer = new ScriptedPeer(node);
        peer.Says(Update("a", 1, Now + 2000, "S"));
        _time.Advance(TimeSpan.FromSeconds(0.5));
        peer.Says(Update("b", 2, Now + 2001, "S"));
        Assert.Empty(node.Keys);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(["a", "b"], node.Keys.Order());
    }

    [Fact]
    public async Task A_hold_ends_when_the_source_comes_without_a_gap_by_another_way()
    {
        var security = new TestSecurity("A");
        await using var node = new LockstepModel(new GossipNodeOptions { TimeProvider = _time, Security = security });
        using var forger = new ScriptedPeer(node);
        using var honest = new ScriptedPeer(node);
        forger.Says(
            TestSecurity.Signed("a", 1, 10, "S").Replace("good", "evil", StringComparison.Ordinal),
            TestSecurity.Signed("b", 2, 20, "S")
        );
        Assert.Empty(node.Keys);
        honest.Says(TestSecurity.Signed("a", 1, 10, "S"));
        Assert.Equal(["a", "b"], node.Keys.Order());
        Assert.Equal(20, node.GetClock()["S"]);
        forger.Says(TestSecurity.Signed("c", 3, 30, "S"));
        Assert.Equal(3, node["c"]!.Value.GetInt32());
    }

    [Fact]
    public async Task An_unverified_update_holds_its_source_and_does_not_move_the_clock()
    {
        var security = new TestSecurity("A");
        await using var node = new LockstepModel(new GossipNodeOptions { TimeProvider = _time, Security = security });
        var seen = new RecordingObserver();
        using var subscription = node.Subscribe(seen);
        using var peer = new ScriptedPeer(node);
        peer.Says(Update("a", 1, 10, "S"), TestSecurity.Signed("b", 2, 20, "S"), TestSecurity.Signed("c", 3, 5, "T"));
        Assert.Equal(["c"], node.Keys);
        Assert.Equal(double.NegativeInfinity, node.GetClock()["S"]);
        Assert.Equal([10d], seen.Unverified.Select(static update => update.Timestamp));
    }

    [Fact]
    public async Task What_is_held_and_why_can_be_asked_for()
    {
        await using var node = new LockstepModel(new GossipNodeOptions { TimeProvider = _time, Security = new TestSecurity("A") });
        using var peer = new ScriptedPeer(node);
        using var second = new ScriptedPeer(node);
        var hour = TimeSpan.FromHours(1).TotalMilliseconds;
        peer.Says(
            Update("a", 1, 10, "S"),
            TestSecurity.Signed("b", 2, 20, "S"),
            TestSecurity.Signed("c", 3, Now + hour + 5000, "R"),
            TestSecurity.Signed("d", 4, 5, "Q")
        );
        second.Says(Update("a", 1, 10, "S"));
        Assert.Equal([new GossipHold("R", Start.AddSeconds(5), 1), new GossipHold("S", null, 2)], node.GetHeld());
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(["S"], node.GetHeld().Select(static hold => hold.Source));
    }

    [Fact]
    public async Task A_source_that_was_held_for_want_of_a_key_is_applied_in_order_once_the_key_is_there()
    {
        var security = new TestSecurity("A") { Distrusted = { "S" } };
        await using var node = new LockstepModel(new GossipNodeOptions { TimeProvider = _time, Security = security });
        using var peer = new ScriptedPeer(node);
        peer.Says(TestSecurity.Signed("a", 1, 10, "S"), TestSecurity.Signed("b", 2, 20, "S"));
        Assert.Empty(node.Keys);
        security.Trust("S");
        Assert.Equal(["a", "b"], node.Keys.Order());
        Assert.Equal(20, node.GetClock()["S"]);
    }

    [Fact]
    public async Task More_held_updates_than_are_kept_are_asked_for_again_when_due()
    {
        await using var node = new LockstepModel(
            new GossipNodeOptions
            {
                Id = "A",
                TimeProvider = _time,
                MaxFuture = TimeSpan.FromSeconds(1),
                MaxHeldUpdates = 2,
            }
        );
        var updates = Enumerable.Range(0, 5).Select(static i => Update("k" + i, i, Now + 5000 + i, "S")).ToArray();
        using (var peer = new ScriptedPeer(node))
        {
            peer.Says(updates);
            _time.Advance(TimeSpan.FromSeconds(3));
            Assert.Null(peer.Failure);
            _time.Advance(TimeSpan.FromSeconds(2));
            Assert.IsType<GossipException>(peer.Failure);
            Assert.Empty(node.Keys);
        }

        using var renewed = new ScriptedPeer(node);
        Assert.DoesNotContain("\"S\"", renewed.Hears()[0], StringComparison.Ordinal);
        renewed.Says(updates);
        Assert.Equal(5, node.Keys.Count);
    }

    [Fact]
    public async Task A_peer_says_hello_again_so_often_and_no_more()
    {
        await using var node = new LockstepModel(new GossipNodeOptions { TimeProvider = _time });
        using var peer = new ScriptedPeer(node);
        const string hello = """{"id":"peer","clock":{}}""";
        for (var minute = 0; minute < 2; minute++)
        {
            for (var i = 0; i < GossipSession.MaxHellosPerMinute; i++)
                peer.Says(hello);
            _time.Advance(TimeSpan.FromMinutes(1));
        }

        for (var i = 0; i < GossipSession.MaxHellosPerMinute; i++)
            peer.Says(hello);
        Assert.Throws<GossipProtocolException>(() => peer.Says(hello));
    }

    [Fact]
    public async Task Verification_is_serial_per_source_and_the_clock_is_checked_again_at_apply()
    {
        var security = new TestSecurity("A");
        await using var node = new LockstepEmitter(new GossipNodeOptions { TimeProvider = _time, Security = security });
        var seen = new RecordingObserver();
        using var subscription = node.Subscribe(seen);
        using var slow = new ScriptedPeer(node);
        using var fast = new ScriptedPeer(node);
        var lines = Enumerable.Range(1, 3).Select(i => TestSecurity.Signed("e", i, i, "S")).ToArray();

        // The slow stream's first update is being verified while the fast one brings all three.
        security.WhileVerifying = () =>
        {
            security.WhileVerifying = null;
            fast.Says(lines);
        };
        slow.Says(lines);
        Assert.Equal([1d, 2d, 3d], seen.Updates.Select(static update => update.Timestamp));
        Assert.Equal(3, node.HistoryCount);
    }

    [Fact]
    public async Task An_update_with_the_receivers_own_id_is_verified_and_never_signed()
    {
        var security = new TestSecurity("A");
        await using var node = new LockstepModel(new GossipNodeOptions { TimeProvider = _time, Security = security });
        using var peer = new ScriptedPeer(node);
        peer.Says(Update("forged", 1, Now, "A"));
        Assert.Empty(node.Keys);
        Assert.Equal(0, security.Signatures);

        using var honest = new ScriptedPeer(node);
        honest.Says(TestSecurity.Signed("mine", 1, Now, "A"));
        Assert.Equal(["mine"], node.Keys);
        Assert.Equal(0, security.Signatures);
    }

    [Fact]
    public async Task A_local_update_is_above_now()
    {
        await using var node = NewModel("A");
        Assert.True(node.Set("k", 1).Timestamp > Now);
        _time.SetUtcNow(Start.AddMinutes(-5));
        var before = node.GetClock()["A"];
        Assert.True(node.Set("k", 2).Timestamp > before);
        Assert.Equal(2, node["k"]!.Value.GetInt32());
    }

    [Fact]
    public async Task A_local_update_is_above_the_own_clock_entry()
    {
        await using var node = NewModel("A");
        using var peer = new ScriptedPeer(node);
        peer.Says(Update("k", 1, Now + 60_000, "A"));
        Assert.True(node.Set("other", 2).Timestamp > Now + 60_000);
    }

    [Fact]
    public async Task A_local_update_is_above_what_a_peer_knows_of_this_id()
    {
        await using var node = NewModel("A");
        using var peer = new ScriptedPeer(node);
        peer.SaysHello("peer", $$"""{"A":{{Number(Now + 60_000)}}}""");
        Assert.True(node.Set("other", 2).Timestamp > Now + 60_000);
    }

    [Fact]
    public async Task A_local_update_is_above_what_a_peer_of_a_clone_knows_of_this_id()
    {
        await using var node = NewModel("A");
        await using var clone = node.Clone();
        using var peer = new ScriptedPeer(clone);
        peer.SaysHello("peer", $$"""{"A":{{Number(Now + 60_000)}}}""");
        Assert.True(node.Set("other", 2).Timestamp > Now + 60_000);
    }

    [Fact]
    public async Task A_local_update_is_above_the_keys_stored_timestamp()
    {
        await using var node = NewModel("A");
        using var peer = new ScriptedPeer(node);
        peer.Says(Update("k", 1, Now + 60_000, "Z"));
        node.Set("k", 2);
        Assert.Equal(2, node["k"]!.Value.GetInt32());
    }

    [Fact]
    public async Task Timestamps_are_unique_and_rising_in_a_process()
    {
        await using var one = NewEmitter("A");
        await using var two = NewEmitter("B");
        var timestamps = Enumerable.Range(0, 5000).Select(i => (i % 2 == 0 ? one : two).Emit("e", i).Timestamp).ToArray();
        Assert.Equal(timestamps.Distinct().Order(), timestamps);
    }

    [Fact]
    public async Task A_slow_peer_gets_the_newest_values_and_its_clock_is_what_was_written()
    {
        await using var node = NewModel("A");
        using var peer = new ScriptedPeer(node);
        peer.SaysHello();
        peer.Hears();
        var large = new string('x', GossipSession.BatchBytes / 4);
        for (var i = 0; i < 10; i++)
        {
            node.Set("k" + i.ToString(CultureInfo.InvariantCulture), large);
        }

        // One batch is in flight; the peer accepts nothing more, and everything is written again meanwhile.
        var first = peer.HearsOnce();
        Assert.InRange(first.Count, 1, 5);
        for (var i = 0; i < 10; i++)
        {
            node.Set("k" + i.ToString(CultureInfo.InvariantCulture), i);
        }

        var rest = peer.Hears();
        Assert.Equal(10, rest.Count);
        Assert.All(rest, line => Assert.DoesNotContain(large, line, StringComparison.Ordinal));

        // Cut before the rest was read: the next stream asks according to what arrived, and gets the rest.
        using var again = new ScriptedPeer(node);
        var arrived = new GossipMessageParser().Parse(Encoding.UTF8.GetBytes(first[^1])).Update!;
        again.SaysHello("peer", $$"""{"A":{{Number(arrived.Timestamp)}}}""");
        Assert.Equal([.. rest, "\"SYNC\""], again.Hears().Skip(1));
    }

    [Theory]
    [InlineData("""[["__proto__",1],5,"S"]""")]
    [InlineData("""[["__pr\u006fto__",1],5,"S"]""")]
    [InlineData("""[["k",1],5,"__proto__"]""")]
    [InlineData("""{"id":"__proto__","clock":{}}""")]
    [InlineData("""{"id":"x","clock":{"__proto__":1}}""")]
    public async Task Proto_is_refused_from_a_peer(string line)
    {
        await using var node = NewModel("A");
        using var peer = new ScriptedPeer(node);
        Assert.Throws<GossipProtocolException>(() => peer.Says(line));
        Assert.Equal(0, node.HistoryCount);
    }

    [Fact]
    public async Task Proto_is_refused_from_the_owner()
    {
        await using var model = NewModel("A");
        await using var emitter = NewEmitter("A");
        Assert.Throws<ArgumentException>(() => model.Set("__proto__", 1));
        Assert.Throws<ArgumentException>(() => emitter.Emit("__proto__"));
        Assert.Throws<GossipIdentityException>(() => NewModel("__proto__"));
        using var peer = new ScriptedPeer(emitter);
        Assert.Throws<GossipProtocolException>(() => peer.Says("""[["__proto__",1],5,"S"]"""));
    }

    [Theory]
    [InlineData("1.50", "1.5")]
    [InlineData("-0", "0")]
    [InlineData("1e21", "1e+21")]
    [InlineData("1e999", "Infinity")]
    [InlineData("-1e999", "-Infinity")]
    [InlineData("true", "true")]
    [InlineData("false", "false")]
    [InlineData("null", "null")]
    [InlineData("\"\"", "")]
    public async Task A_name_that_is_no_string_is_what_JavaScript_makes_of_it(string json, string name)
    {
        await using var model = NewModel("A");
        await using var emitter = NewEmitter("A");
        using var toModel = new ScriptedPeer(model);
        using var toEmitter = new ScriptedPeer(emitter);
        toModel.Says($"[[{json},1],5,\"S\"]");
        toEmitter.Says($"[[{json},1],5,\"S\"]");
        Assert.Equal([name], model.Keys);
        Assert.Equal(1, model[name]!.Value.GetInt32());
        Assert.Equal(name, Assert.Single(emitter.GetEvents()).Name);

        // It is the same key as the string, and is passed on as received.
        model.Set(name, 2);
        Assert.Equal(1, model.HistoryCount);
        toEmitter.SaysHello();
        using var other = new ScriptedPeer(emitter);
        other.SaysHello("other");
        Assert.Equal([$"[[{json},1],5,\"S\"]", "\"SYNC\""], other.Hears().Skip(1));
    }

    [Fact]
    public async Task A_signature_that_is_null_is_none()
    {
        await using var node = NewModel("A");
        using var peer = new ScriptedPeer(node);
        peer.Says("""[["k",1],5,"S",null]""");
        Assert.Null(node.GetHistory()[0].Signature);
        await using var strict = new LockstepModel(new GossipNodeOptions { TimeProvider = _time, Security = new TestSecurity("B") });
        using var toStrict = new ScriptedPeer(strict);
        toStrict.Says("""[["k",1],5,"S",null]""");
        Assert.Empty(strict.Keys);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("""[["k",1],5,"S",null,1]""")]
    [InlineData("""[["k",1],5,"S",1]""")]
    [InlineData("""[["k",1],null,"S"]""")]
    [InlineData("""[["k",1],5,null]""")]
    [InlineData("""[["k",1],5,"\ud800"]""")]
    [InlineData("""{"id":"x","clock":null}""")]
    [InlineData("""{"id":null,"clock":{}}""")]
    [InlineData("""{"id":"x","clock":[]}""")]
    [InlineData("null")]
    [InlineData("[")]
    [InlineData("[]")]
    [InlineData("""[["k",1],"5","S"]""")]
    [InlineData("""[["k",1],5]""")]
    [InlineData("""[["k",1],5,"S","sig",1]""")]
    [InlineData("""[["k",1],1e999,"S"]""")]
    [InlineData("""[["k"],5,"S"]""")]
    [InlineData("""["k",5,"S"]""")]
    [InlineData("""{"id":"x"}""")]
    [InlineData("""{"id":"x","clock":{"S":"5"}}""")]
    [InlineData("17")]
    [InlineData("\"sync\"")]
    public async Task A_malformed_line_closes_the_stream_and_keeps_what_came_before(string line)
    {
        await using var node = NewModel("A");
        using var peer = new ScriptedPeer(node);
        Assert.Throws<GossipProtocolException>(() => peer.Says(Update("before", 1, 1, "S"), line, Update("after", 1, 2, "S")));
        Assert.Equal(["before"], node.Keys);
        node.Set("k", 1);
    }

    [Fact]
    public async Task A_peer_with_the_same_id_is_refused()
    {
        await using var node = NewModel("A");
        using var peer = new ScriptedPeer(node);
        Assert.Throws<GossipIdentityException>(() => peer.SaysHello("A"));
    }

    [Fact]
    public async Task A_peer_that_says_hello_again_gets_everything_since()
    {
        await using var node = NewModel("A");
        node.Set("k", 1);
        using var peer = new ScriptedPeer(node);
        peer.SaysHello();
        Assert.Equal(3, peer.Hears().Count);
        peer.SaysHello();
        Assert.Equal([Line(node, "k"), "\"SYNC\""], peer.Hears());
    }

    [Fact]
    public async Task A_model_lets_a_replaced_update_go()
    {
        await using var node = NewModel("A");
        for (var i = 0; i < 1000; i++)
        {
            node.Set("k" + (i % 3).ToString(CultureInfo.InvariantCulture), i);
        }

        Assert.Equal(3, node.HistoryCount);
        Assert.Equal(["997", "998", "999"], node.GetHistory().Select(update => update.GetChange()[1].GetRawText()));
        node.Remove("k0");
        Assert.Equal(2, node.Keys.Count);
        Assert.Equal(3, node.HistoryCount);
    }

    private static string Number(double value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Update(string key, int value, double timestamp, string source) =>
        $"[[\"{key}\",{value}],{Number(timestamp)},\"{source}\"]";

    private static string Line(LockstepModel node, string key) =>
        node.TryGet(key, out var change) ? change.Update.ToString() : string.Empty;

    private LockstepModel NewModel(string id) => new(new GossipNodeOptions { Id = id, TimeProvider = _time });

    private LockstepEmitter NewEmitter(string id) => new(new GossipNodeOptions { Id = id, TimeProvider = _time });
}
