using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Lockstep.Gossip.Json;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

/// <summary>
/// npm's scuttlebutt 5.6.15 against ours in the hard cases: odd keys, values and times, every combination of directions, several streams at
/// once, and ends at any moment.
/// </summary>
public sealed class OddInteropTests(NpmScuttlebutt npm) : IClassFixture<NpmScuttlebutt>
{
    private static readonly Dictionary<string, GossipStreamOptions> Ours = new()
    {
        ["both"] = new(),
        ["send"] = new() { Direction = GossipDirection.SendOnly },
        ["send when asked"] = new() { Direction = GossipDirection.SendOnly, AwaitClock = true },
        ["receive"] = new() { Direction = GossipDirection.ReceiveOnly, SendClock = false },
        ["receive, with clock"] = new() { Direction = GossipDirection.ReceiveOnly },
    };

    private static readonly Dictionary<string, object> Theirs = new()
    {
        ["both"] = new { },
        ["send"] = new { writable = false },
        ["send when asked"] = new { writable = false, clock = true },
        ["receive"] = new { readable = false },
        ["receive, with clock"] = new { readable = false, sendClock = true },
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Keys_and_values_that_only_JavaScript_has_arrive_as_its_JSON_says()
    {
        await using var ours = new LockstepModel();
        await using var peer = NodePeer.Start(npm, new { kind = "model", listen = true });
        peer.Tell("odd", true);
        await using var connector = ConnectTo(peer, ours);
        await connector.WaitForSyncAsync(Token);

        // Their keys include "undefined" and "null", both of which are null in JSON.
        Assert.Equal(
            ["", "0", "1.5", "__defineGetter__", "date", "huge", "null", "proto", "tiny", "true", "\ud800"],
            ours.Keys.Order(StringComparer.Ordinal)
        );
        Assert.True(ours.TryGet("undefined value", out var undefined) && undefined.IsRemoved);
        Assert.True(ours.TryGet("not a number", out var number) && number.IsRemoved);
        Assert.True(ours.TryGet("infinity", out var infinity) && infinity.IsRemoved);
        Assert.Equal("""{"__proto__":{"__proto__":1}}""", ours["proto"]!.Value.GetRawText());
        Assert.Equal("12345678901234567000", ours["huge"]!.Value.GetRawText());
        Assert.Equal("5e-324", ours["tiny"]!.Value.GetRawText());
        Assert.Equal("\"\\udfff\"", ours["\ud800"]!.Value.GetRawText());

        // What was made of it reaches another of their nodes, whose keys are the same.
        await using var second = NodePeer.Start(npm, new { kind = "model", listen = true });
        await using var further = ConnectTo(second, ours);
        await further.WaitForSyncAsync(Token);
        await Eventually.TrueAsync(() => second.Count() == ours.HistoryCount, "all updates");
        Assert.Equal(ours.GetHistory().Count, Keys(second).Length);
        Assert.Contains("null", Keys(second));
        Assert.Contains("true", Keys(second));
    }

    [Theory]
    [InlineData("\"\\ud800 alone\"")]
    [InlineData("-0")]
    [InlineData("-0.0")]
    [InlineData("1e308")]
    [InlineData("5e-324")]
    [InlineData("9007199254740993")]
    [InlineData("0.1e1")]
    [InlineData("{\"__proto__\":1,\"constructor\":{\"prototype\":null},\"\":[]}")]
    [InlineData("{\"a\":1,\"a\":2}")]
    [InlineData(" [ \"\\u0000\\u007f\\u2028\\/\" , { } , [ ] ] ")]
    [InlineData("\"\"")]
    [InlineData("false")]
    public async Task A_value_is_there_what_JavaScript_makes_of_our_JSON(string json)
    {
        await using var ours = new LockstepModel();
        ours.SetJson("constructor", Encoding.UTF8.GetBytes(json));
        await using var peer = NodePeer.Start(npm, new { kind = "model", listen = true });
        await using var connector = ConnectTo(peer, ours);
        await connector.WaitForSyncAsync(Token);
        await Eventually.TrueAsync(() => peer.Count() == 1, "the update");
        var canonical = new System.Buffers.ArrayBufferWriter<byte>();
        GossipJson.WriteCanonical(Encoding.UTF8.GetBytes(json), canonical);
        Assert.Equal(Encoding.UTF8.GetString(canonical.WrittenSpan), peer.State().GetProperty("constructor").GetRawText());
    }

    [Fact]
    public async Task A_value_as_deep_as_may_be_goes_there_and_comes_back()
    {
        var deep =
            string.Concat(Enumerable.Repeat("[", GossipJson.MaxValueDepth))
            + string.Concat(Enumerable.Repeat("]", GossipJson.MaxValueDepth));
        await using var ours = new LockstepModel();
        ours.SetJson("deep", Encoding.UTF8.GetBytes(deep));
        await using var peer = NodePeer.Start(npm, new { kind = "model", listen = true });
        await using var connector = ConnectTo(peer, ours);
        await connector.WaitForSyncAsync(Token);
        await using var other = new LockstepModel();
        await Eventually.TrueAsync(() => peer.Count() == 1, "the update");
        await using var back = ConnectTo(peer, other);
        await back.WaitForSyncAsync(Token);
        Assert.Equal(deep, other["deep"]!.Value.GetRawText());
    }

    [Fact]
    public async Task Times_of_any_size_and_ids_of_any_letters_arrive_in_order()
    {
        await using var ours = new LockstepModel();
        await using var peer = NodePeer.Start(npm, new { kind = "model", listen = true });
        object[][] updates =
        [
            [new object[] { "negative", 1 }, -5.5, "m"],
            [new object[] { "zero", 1 }, 0, "n"],
            [new object[] { "small", 1 }, 1e-7, "s"],
            [new object[] { "tiny", 1 }, 5e-324, "t"],
            [new object[] { "fraction", 1 }, 1795260686958.0018, "f"],
            [new object[] { "nul", 1 }, 5, "a\0b"],
            [new object[] { "empty", 1 }, 6, ""],
            [new object[] { "odd", 1 }, 7, "\U0001f511 \n\u2028\"\\"],
            [new object[] { "far", 1 }, 1e300, "future"],
        ];
        foreach (var update in updates)
        {
            peer.Tell("update", update);
        }

        await using var connector = ConnectTo(peer, ours);
        await connector.WaitForSyncAsync(Token);
        Assert.Equal(
            ["negative", "zero", "tiny", "small", "nul", "empty", "odd", "fraction"],
            ours.GetHistory().Select(static update => update.GetChange()[0].GetString())
        );
        Assert.Equal(1795260686958.0018, ours.GetClock()["f"]);
        Assert.Equal("future", Assert.Single(ours.GetHeld()).Source);
        Assert.Equal(DateTimeOffset.MaxValue, ours.GetHeld()[0].Due);

        // Since all of their clock is known, they have nothing to send but what is held.
        var seen = new RecordingObserver();
        using var subscription = ours.Subscribe(seen);
        await using var again = ConnectTo(peer, ours);
        await again.WaitForSyncAsync(Token);
        Assert.Empty(seen.Updates);
        Assert.DoesNotContain(seen.Old, static old => old.Timestamp > 0);
    }

    [Fact]
    public async Task Replaced_updates_are_gone_on_both_sides_and_the_newest_wins()
    {
        // Ten seconds ahead, so that no two changes have the same time.
        var time = new ManualTimeProvider(DateTimeOffset.UtcNow.AddSeconds(10));
        await using var ours = new LockstepModel(new GossipNodeOptions { Id = "ours", TimeProvider = time });
        await using var peer = NodePeer.Start(npm, new { kind = "model", listen = true });
        for (var i = 0; i < 50; i++)
        {
            peer.Tell("set", new object[] { "k" + (i % 3).ToString(CultureInfo.InvariantCulture), i });
            ours.Set("k" + (i % 2 * 2).ToString(CultureInfo.InvariantCulture), 100 + i);
            ours.Set("k4", 200 + i);
        }

        // From a third node: one without effect, because what exists is newer, and one that is newer than what either has.
        peer.Tell("update", new object[] { new object[] { "k0", "old" }, 10, "third" });
        peer.Tell(
            "update",
            new object[] { new object[] { "k4", "newest" }, (double)time.GetUtcNow().AddMinutes(1).ToUnixTimeMilliseconds(), "third" }
        );
        await using var connector = ConnectTo(peer, ours);
        await connector.WaitForSyncAsync(Token);
        IEnumerable<string> Mine() => ours.ToDictionary().Select(static pair => $"{pair.Key}={pair.Value}").Order(StringComparer.Ordinal);
        IEnumerable<string> Yours() =>
            peer.State().EnumerateObject().Select(static member => $"{member.Name}={member.Value}").Order(StringComparer.Ordinal);
        await Eventually.TrueAsync(() => Mine().SequenceEqual(Yours()), "the same on both sides");
        Assert.Equal(["k0=148", "k1=49", "k2=149", "k4=newest"], Mine());
        Assert.Equal(4, ours.HistoryCount);
        Assert.Equal(4, peer.Count());
    }

    /// <summary>
    /// Who gets what. Two npm nodes do the same with each other, with one exception: their receive-only stream still sends its history to a
    /// peer that says what it has; ours sends nothing.
    /// </summary>
    [Theory]
    [InlineData("both", "both", true, true)]
    [InlineData("both", "send", true, false)]
    [InlineData("both", "send when asked", true, false)]
    [InlineData("both", "receive", true, false)]
    [InlineData("both", "receive, with clock", true, true)]
    [InlineData("send", "both", false, true)]
    [InlineData("send", "send", false, false)]
    [InlineData("send", "send when asked", false, false)]
    [InlineData("send", "receive", false, true)]
    [InlineData("send", "receive, with clock", false, true)]
    [InlineData("send when asked", "both", false, true)]
    [InlineData("send when asked", "receive", false, false)]
    [InlineData("send when asked", "receive, with clock", false, true)]
    [InlineData("receive", "both", false, false)]
    [InlineData("receive", "send", true, false)]
    [InlineData("receive", "send when asked", false, false)]
    [InlineData("receive, with clock", "both", true, false)]
    [InlineData("receive, with clock", "send", true, false)]
    [InlineData("receive, with clock", "send when asked", true, false)]
    [InlineData("receive, with clock", "receive", true, false)]
    [InlineData("receive, with clock", "receive, with clock", true, false)]
    public async Task Every_direction_meets_every_other(string mine, string yours, bool weGet, bool theyGet)
    {
        await using var ours = new LockstepModel();
        ours.Set("ours", 1);
        await using var peer = NodePeer.Start(
            npm,
            new
            {
                kind = "model",
                listen = true,
                stream = Theirs[yours],
            }
        );
        peer.Tell("set", new object[] { "theirs", 1 });
        await using var connector = ConnectTo(peer, ours, Ours[mine]);
        if (weGet)
        {
            await Eventually.TrueAsync(() => ours["theirs"] is not null, "their key");
        }

        if (theyGet)
        {
            await Eventually.TrueAsync(() => Keys(peer).Contains("ours"), "our key");
        }

        await Eventually.TrueAsync(() => ours.StreamCount == 1, "the stream");
        peer.Tell("set", new object[] { "live", 1 });
        ours.Set("live of ours", 1);
        if (weGet)
        {
            await Eventually.TrueAsync(() => ours["live"] is not null, "their live update");
        }

        if (theyGet)
        {
            await Eventually.TrueAsync(() => Keys(peer).Contains("live of ours"), "our live update");
        }

        Assert.Equal(weGet, ours["theirs"] is not null);
        Assert.Equal(theyGet, Keys(peer).Contains("ours"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Both_without_tail_have_everything_and_end(bool weListen)
    {
        const int Count = 3000;
        await using var ours = new LockstepModel();
        ours.SetAll(
            Enumerable.Range(0, Count).Select(static i => KeyValuePair.Create("ours" + i.ToString(CultureInfo.InvariantCulture), i))
        );
        await using var peer = NodePeer.Start(
            npm,
            new
            {
                kind = "model",
                listen = !weListen,
                stream = new { tail = false },
            }
        );
        peer.Tell("fill", new { count = Count, prefix = "theirs" });
        var once = new GossipStreamOptions { Tail = false };
        await using var listener = GossipListener.Start(
            new IPEndPoint(IPAddress.Loopback, 0),
            new GossipHub(KeyValuePair.Create<string, GossipNode>("m", ours)),
            new GossipListenerOptions { Stream = once }
        );
        if (weListen)
        {
            peer.Tell("dial", listener.Uri.Port);
            await Task.Run(() => peer.Wait("closed"), Token);
        }
        else
        {
            await using var connector = ConnectTo(peer, ours, once);
            await connector.Completion.WaitAsync(Token);
        }

        await Eventually.TrueAsync(() => ours.StreamCount == 0 && ours.HistoryCount == 2 * Count, "their keys, and the end");
        await Eventually.TrueAsync(() => peer.Count() == 2 * Count, "our keys");
    }

    [Fact]
    public async Task Several_streams_between_the_same_two_nodes_bring_each_event_once()
    {
        const int Streams = 4;
        await using var ours = new LockstepEmitter();
        await using var peer = NodePeer.Start(npm, new { kind = "events", listen = true });
        var connectors = new List<GossipConnector>();
        for (var i = 0; i < Streams; i++)
        {
            ours.Emit("before", i);
            peer.Tell("emit", new object[] { "before", i });
            connectors.Add(ConnectTo(peer, ours));
        }

        foreach (var connector in connectors)
        {
            await connector.WaitForSyncAsync(Token);
        }

        for (var i = 0; i < 20; i++)
        {
            ours.Emit("live", i);
            peer.Tell("emit", new object[] { "live", i });
        }

        await Eventually.TrueAsync(() => ours.HistoryCount == 48, "all events here");
        await Eventually.TrueAsync(() => peer.Count() == 48, "all events there");
        Assert.Equal(
            Enumerable.Range(0, 20).Concat(Enumerable.Range(0, 20)).Order(),
            ours.GetEvents("live").Select(static e => e.Arguments[0].GetInt32()).Order()
        );

        // They end one by one, and the last one still carries everything.
        foreach (var connector in connectors.SkipLast(1))
        {
            await connector.DisposeAsync();
            ours.Emit("later");
        }

        await Eventually.TrueAsync(() => peer.Count() == 48 + Streams - 1, "the later events");
        await connectors[^1].DisposeAsync();
        await Eventually.TrueAsync(() => ours.StreamCount == 0, "the end of the streams");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(40)]
    [InlineData(200)]
    [InlineData(5000)]
    [InlineData(60_000)]
    public async Task A_connection_that_is_cut_after_so_many_bytes_is_made_up_for_by_the_next(int bytes)
    {
        const int Count = 1000;
        await using var ours = new LockstepModel();
        ours.SetAll(
            Enumerable.Range(0, Count).Select(static i => KeyValuePair.Create("ours" + i.ToString(CultureInfo.InvariantCulture), i))
        );
        await using var peer = NodePeer.Start(npm, new { kind = "model", listen = true });
        peer.Tell("fill", new { count = Count, prefix = "theirs" });
        await using (var socket = await GossipDialer.ConnectAsync(new Uri($"tcp://127.0.0.1:{peer.Port}"), null, Token))
        {
            await using var cut = new CutStream(socket, bytes);
            var stream = ours.Attach(cut);
            await Assert.ThrowsAnyAsync<IOException>(() => stream.Completion.WaitAsync(Token));
        }

        Assert.Equal(0, ours.StreamCount);
        await using var connector = ConnectTo(peer, ours);
        await connector.WaitForSyncAsync(Token);
        await Eventually.TrueAsync(() => ours.HistoryCount == 2 * Count, "their keys");
        await Eventually.TrueAsync(() => peer.Count() == 2 * Count, "our keys");
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")]
    [InlineData("\u0016\u0003\u0001\n")]
    [InlineData("{\"hello\":\"world\"}\n")]
    [InlineData("[1,2,3,4,5]\n")]
    [InlineData("\0\0\0\n")]
    [InlineData("\n\n \n\"SYNC\"\n\"SYNC\"\nnull\n")]
    public async Task What_is_no_peer_is_turned_away_and_peers_go_on(string said)
    {
        await using var ours = new LockstepModel();
        ours.Set("k", 1);
        var failed = new TaskCompletionSource<Exception>(TaskCreationOptions.RunContinuationsAsynchronously);
        var options = new GossipListenerOptions { ConnectionFailed = (_, error) => failed.TrySetResult(error) };
        await using var listener = GossipListener.Start(
            new IPEndPoint(IPAddress.Loopback, 0),
            new GossipHub(KeyValuePair.Create<string, GossipNode>("m", ours)),
            options
        );
        await using var peer = NodePeer.Start(npm, new { kind = "model" });
        peer.Tell("dial", listener.Uri.Port);
        await Task.Run(() => peer.Wait("synced"), Token);
        using var stranger = new TcpClient();
        await stranger.ConnectAsync(IPAddress.Loopback, listener.Uri.Port, Token);
        await stranger.GetStream().WriteAsync(Encoding.Latin1.GetBytes(said), Token);
        Assert.IsType<GossipProtocolException>(await failed.Task.WaitAsync(Token));
        ours.Set("still", 1);
        await Eventually.TrueAsync(() => Keys(peer).Contains("still"), "the live update");
        Assert.Equal(1, ours.StreamCount);
    }

    private static string[] Keys(NodePeer peer)
    {
        peer.Tell("keys", true);
        return
        [
            .. peer.Wait("keys")
                .GetProperty("keys")
                .EnumerateArray()
                .Select(static key => key.GetRawText() is "\"\\ud800\"" ? "\ud800" : key.GetString()!),
        ];
    }

    private static GossipConnector ConnectTo(NodePeer peer, GossipNode ours, GossipStreamOptions? stream = null) =>
        new(ours, new Uri($"tcp://127.0.0.1:{peer.Port}"), new GossipConnectorOptions { Stream = stream ?? new GossipStreamOptions() });
}
