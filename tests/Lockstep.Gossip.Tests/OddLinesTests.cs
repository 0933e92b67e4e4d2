using System.Globalization;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Samples;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

/// <summary>What a peer that has identified itself may say without being cut off, and what nodes of different kinds do.</summary>
public sealed class OddLinesTests(NpmScuttlebutt npm) : IClassFixture<NpmScuttlebutt>, IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("""["k"]""", "k")]
    [InlineData("[]", "")]
    [InlineData("{}", "[object Object]")]
    [InlineData("""{"a":[1]}""", "[object Object]")]
    [InlineData("""[1,[2.50,null],{},true,"x"]""", "1,2.5,,[object Object],true,x")]
    [InlineData("[null]", "")]
    public async Task A_key_of_any_kind_is_what_JavaScript_makes_of_it(string json, string key)
    {
        await using var model = new LockstepModel();
        using var toModel = new ScriptedPeer(model);
        toModel.SaysHello();
        toModel.Says($"""[[{json},1],5,"S"]""", $"""[[{json},2],6,"S"]""");
        Assert.Equal([key], model.Keys);
        Assert.Equal(2, model[key]!.Value.GetInt32());
        Assert.Equal(1, model.HistoryCount);

        await using var emitter = new LockstepEmitter();
        using var toEmitter = new ScriptedPeer(emitter);
        toEmitter.SaysHello();
        toEmitter.Says($"""[[{json},[1],2],5,"S"]""");
        var received = emitter.GetEvents(key).Single();
        Assert.Equal(["[1]", "2"], received.Arguments.Select(static argument => argument.GetRawText()));
    }

    [Fact]
    public async Task Of_more_than_two_elements_a_model_takes_two_and_passes_on_all()
    {
        await using var model = new LockstepModel();
        using var peer = new ScriptedPeer(model);
        peer.SaysHello();
        peer.Says("""[["k",1,2],5,"S"]""");
        Assert.Equal(1, model["k"]!.Value.GetInt32());
        Assert.Equal("""[["k",1,2],5,"S"]""", model.GetHistory().Single().ToString());
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("""["k"]""")]
    [InlineData("\"text\"")]
    [InlineData("7")]
    [InlineData("null")]
    [InlineData("""{"k":1}""")]
    public async Task A_change_that_is_none_of_the_model_is_kept_passed_on_counted_and_told(string change)
    {
        var line = $"""[{change},5,"S"]""";
        var options = new GossipNodeOptions { Path = _folder["m.db"] };
        await using (var model = new LockstepModel(options))
        {
            var seen = new RecordingObserver();
            using var subscription = model.Subscribe(seen);
            using var peer = new ScriptedPeer(model);
            peer.SaysHello();
            peer.Says(line, """[["k",1],6,"S"]""");
            Assert.Equal(["k"], model.Keys);
            Assert.Equal(1, model.MisfitCount);
            Assert.Equal(line, Assert.Single(seen.Misfits).ToString());
            Assert.NotNull(seen.Misfits[0].Misfit);
            Assert.Equal("k", Assert.Single(seen.Updates).GetChange()[0].GetString());

            using var other = new ScriptedPeer(model);
            other.SaysHello("other");
            Assert.Contains(line, other.Hears());
            await using var clone = model.Clone();
            Assert.Equal(1, clone.MisfitCount);
        }

        await using var again = new LockstepModel(options);
        Assert.Equal(1, again.MisfitCount);
        Assert.Equal(["k"], again.Keys);
        Assert.Equal(2, again.HistoryCount);
        await using var changes = again.WatchAsync(includeExisting: true, Token).GetAsyncEnumerator(Token);
        Assert.True(await changes.MoveNextAsync());
        Assert.Equal("k", changes.Current.Key);
    }

    [Fact]
    public async Task An_emitter_shows_no_event_for_what_is_none_and_forgets_it_in_its_turn()
    {
        await using var emitter = new LockstepEmitter(null, new EventRetention { MaxEvents = 2 });
        using var peer = new ScriptedPeer(emitter);
        peer.SaysHello();
        peer.Says("""["text",5,"S"]""", """[["e",1],6,"S"]""");
        Assert.Equal("e", Assert.Single(emitter.GetEvents()).Name);
        Assert.Equal(1, emitter.MisfitCount);
        peer.Says("""[["e",2],7,"S"]""");
        Assert.Equal(0, emitter.MisfitCount);
        Assert.Equal(2, emitter.GetEvents().Count);
    }

    [Fact]
    public async Task A_derived_type_whose_Validate_refuses_a_change_keeps_it_and_the_link()
    {
        await using var set = new GossipSet();
        using var peer = new ScriptedPeer(set);
        peer.SaysHello();
        peer.Says("""[7,5,"S"]""", """["a",6,"S"]""");
        Assert.Equal(["a"], set.Items);
        Assert.Equal(1, set.MisfitCount);
    }

    [Theory]
    [InlineData("42")]
    [InlineData("\"hello\"")]
    [InlineData("null")]
    [InlineData("true")]
    [InlineData("[]")]
    [InlineData("[1,2,3,4,5]")]
    [InlineData("""[["k",1],null,"S"]""")]
    [InlineData("""[["k",1],"5","S"]""")]
    [InlineData("""[["k",1],1e999,"S"]""")]
    [InlineData("""[["k",1],5,null]""")]
    [InlineData("""[["k",1],5]""")]
    [InlineData("""{"clock":{}}""")]
    [InlineData("""{"id":[1],"clock":{"S":9}}""")]
    public async Task A_line_that_npm_ignores_is_ignored_and_counted(string line)
    {
        await using var node = new LockstepModel();
        var seen = new RecordingObserver();
        using var subscription = node.Subscribe(seen);
        using var peer = new ScriptedPeer(node);
        peer.SaysHello();
        peer.Says("""[["before",1],1,"S"]""", line, """[["after",1],2,"S"]""");
        Assert.Equal(["before", "after"], node.Keys);
        Assert.Equal(1, node.IgnoredLineCount);
        Assert.Single(seen.Ignored);
    }

    [Theory]
    [InlineData("""[["k",1],5,"S",null,1]""")]
    [InlineData("""[["k",1],5,"S","sig",{"a":[1]}]""")]
    [InlineData("""[["k",1],5,"S",[1],2]""")]
    public async Task What_follows_the_signature_is_ignored_and_the_update_is_not(string line)
    {
        await using var node = new LockstepModel();
        using var peer = new ScriptedPeer(node);
        peer.SaysHello();
        peer.Says(line);
        Assert.Equal(["k"], node.Keys);
        Assert.Equal(1, node.IgnoredLineCount);
    }

    [Fact]
    public async Task A_clock_entry_without_a_time_is_ignored_and_the_others_are_not()
    {
        await using var node = new LockstepModel(new GossipNodeOptions { Id = "A" });
        var known = node.Set("known", 1);
        var unknown = node.Set("unknown", 1);
        using var peer = new ScriptedPeer(node);
        peer.SaysHello("x", $$"""{"S":null,"A":{{known.Timestamp.ToString(CultureInfo.InvariantCulture)}}}""");
        Assert.Equal([unknown.ToString(), "\"SYNC\""], peer.Hears().Skip(1));
        Assert.Equal(1, node.IgnoredLineCount);
    }

    [Theory]
    [InlineData("""[["__proto__",1],5,"S"]""")]
    [InlineData("""[[["__proto__"],1],5,"S"]""")]
    [InlineData("nonsense")]
    [InlineData("""{"id":"x"}""")]
    public async Task What_would_harm_others_or_is_no_JSON_ends_the_stream_still(string line)
    {
        await using var node = new LockstepModel();
        using var peer = new ScriptedPeer(node);
        peer.SaysHello();
        Assert.Throws<GossipProtocolException>(() => peer.Says(line));
        Assert.Equal(0, node.HistoryCount);
    }

    [Fact]
    public async Task Nodes_of_different_kinds_refuse_each_other_and_lose_nothing()
    {
        await using var model = new LockstepModel(new GossipNodeOptions { Id = "model" });
        await using var events = new LockstepEmitter(new GossipNodeOptions { Id = "events" });
        model.Set("x", 1);
        events.Emit("x", 1);
        var (left, right) = StreamPair.Connect(model, events);
        var ended = Task.WhenAll(left.Completion, right.Completion);
        await Task.WhenAny(ended).WaitAsync(Token);

        // One of the two may have closed before the other read who it is.
        var error = new[] { left, right }
            .Select(static stream => stream.Completion.Exception?.InnerException)
            .OfType<GossipKindException>()
            .First();
        Assert.Contains("'model'", error.Message, StringComparison.Ordinal);
        Assert.Contains("'events'", error.Message, StringComparison.Ordinal);
        Assert.Equal(["model"], model.GetClock().Select(static entry => entry.Key));
        Assert.Equal(["events"], events.GetClock().Select(static entry => entry.Key));
    }

    [Fact]
    public async Task A_connector_does_not_try_again_with_a_peer_of_another_kind()
    {
        await using var value = new RValue();
        await using var model = new LockstepModel();
        await using var listener = GossipListener.Start(
            new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0),
            new GossipHub(KeyValuePair.Create<string, GossipNode>("m", model))
        );
        await using var connector = new GossipConnector(value, listener.Uri, new GossipConnectorOptions { MaximumRetryCount = 0 });
        var error = await Assert.ThrowsAnyAsync<GossipException>(() => connector.Completion.WaitAsync(Token));

        // Chance decides whose header comes first: the other side may have closed before it was read here.
        Assert.True(error is GossipKindException or GossipUnreachableException);
        Assert.Equal(0, model.HistoryCount);
    }

    [Fact]
    public async Task A_peer_that_announces_no_kind_is_taken_for_one_of_this_kind()
    {
        await using var model = new LockstepModel();
        using var peer = new ScriptedPeer(model);
        peer.Says("""{"id":"x","clock":{},"meta":{"kind":7}}""");
        Assert.Contains("\"meta\":{\"kind\":\"model\"}", peer.Hears()[0], StringComparison.Ordinal);
        using var stranger = new ScriptedPeer(model);
        Assert.Throws<GossipKindException>(() => stranger.Says("""{"id":"y","clock":{},"meta":{"kind":"events"}}"""));
    }

    [Theory]
    [InlineData("dispose")]
    [InlineData("error")]
    public async Task An_event_that_breaks_npm_peers_is_not_sent_unless_that_is_wanted(string name)
    {
        await using var emitter = new LockstepEmitter();
        var error = Assert.Throws<ArgumentException>(() => emitter.Emit(name));
        Assert.Contains("npm", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, emitter.HistoryCount);
        await using var free = new LockstepEmitter { AllowReservedNames = true };
        free.Emit(name);
        using var peer = new ScriptedPeer(emitter);
        peer.SaysHello();
        peer.Says($"""[["{name}"],5,"S"]""");
        Assert.Single(emitter.GetEvents(name));
    }

    [Fact]
    public async Task The_clones_that_are_left_are_told_when_one_is_disposed()
    {
        await using var model = new LockstepModel();
        var seen = new RecordingObserver();
        using var subscription = model.Subscribe(seen);
        var clone = model.Clone();
        await clone.DisposeAsync();
        Assert.Equal([1, 0], seen.CloneCounts);
    }

    [Fact]
    public async Task An_npm_peer_with_odd_keys_and_changes_stays_connected()
    {
        await using var ours = new LockstepModel(new GossipNodeOptions { Id = "ours" });
        await using var peer = NodePeer.Start(
            npm,
            new
            {
                kind = "model",
                id = "theirs",
                listen = true,
            }
        );
        peer.Tell("set", new object[] { new[] { "a", "b" }, 1 });
        peer.Tell("set", new object[] { new { x = 1 }, 2 });
        peer.Tell("update", new object[] { "text", 5, "S" });
        peer.Tell("update", new object[] { new object[] { "three", 3, 4 }, 6, "S" });
        await using var connector = new GossipConnector(ours, new Uri($"tcp://127.0.0.1:{peer.Port}"));
        await connector.WaitForSyncAsync(Token);
        await Eventually.TrueAsync(() => ours.HistoryCount == 4, "all four");
        Assert.Equal(["[object Object]", "a,b", "three"], ours.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(1, ours.MisfitCount);
        peer.Tell("set", new object[] { "live", 1 });
        await Eventually.TrueAsync(() => ours["live"] is not null, "what came after");
        Assert.Equal(1, connector.Connections);

        // What this node cannot apply reaches those that can.
        await using var third = NodePeer.Start(npm, new { kind = "model", listen = true });
        await using var toThird = new GossipConnector(ours, new Uri($"tcp://127.0.0.1:{third.Port}"));
        await Eventually.TrueAsync(() => third.Count() == 5, "all five there");
    }
}
