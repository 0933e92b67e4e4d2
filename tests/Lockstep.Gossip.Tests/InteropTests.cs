using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Lockstep.Gossip.Json;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Gossip.Security;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

/// <summary>npm's scuttlebutt 5.6.15 in node against ours over TCP.</summary>
public sealed class InteropTests(NpmScuttlebutt npm) : IClassFixture<NpmScuttlebutt>
{
    private static readonly IPEndPoint Loopback = new(IPAddress.Loopback, 0);

    // Keys and values whose JSON text differs between the two, or that are hard to write.
    private static readonly string[] UnicodeKeys =
    [
        "ключ",
        "鍵",
        "🔑",
        "e\u0301",
        "a\"b\\c",
        "line\nbreak",
        "\u0000",
        "\u2028",
        " ",
        "",
        "7",
        "constructor",
        "toString",
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Models_sync_both_ways_and_follow_each_other(bool weListen)
    {
        await using var ours = new LockstepModel(new GossipNodeOptions { Id = "ours" });
        ours.Set("fromOurs", new { deep = new object?[] { 1, "two", null, 3.5 } });
        ours.Set("both", "ours");
        await using var pair = Join(ours, "model", weListen, peer => peer.Tell("set", new object[] { "fromTheirs", "€" }));
        await pair.SyncedAsync();
        await Eventually.TrueAsync(() => ours["fromTheirs"]?.GetString() == "€", "their key");
        Assert.Equal("""{"deep":[1,"two",null,3.5]}""", pair.Peer.State().GetProperty("fromOurs").GetRawText());

        pair.Peer.Tell("set", new object[] { "live", 1 });
        await Eventually.TrueAsync(() => ours["live"]?.GetInt32() == 1, "their live update");
        ours.Set("live", 2);
        ours.Remove("both");
        await Eventually.TrueAsync(() => State(pair.Peer, "live") == "2" && State(pair.Peer, "both") is null, "our live updates");
        pair.Peer.Tell("set", new object?[] { "live", null });
        await Eventually.TrueAsync(() => ours["live"] is null, "their removal");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Events_are_replayed_once_both_ways(bool weListen)
    {
        await using var ours = new LockstepEmitter(new GossipNodeOptions { Id = "ours" });
        ours.Emit("hello", 1, "x");
        await using var pair = Join(ours, "events", weListen, peer => peer.Tell("emit", new object[] { "theirs", new[] { 1 } }));
        await pair.SyncedAsync();
        pair.Peer.Tell("emit", new object[] { "live" });
        ours.Emit("live", 2);
        await Eventually.TrueAsync(() => ours.HistoryCount == 4, "four events here");
        await Eventually.TrueAsync(() => pair.Peer.Count() == 4, "four events there");
        Assert.Equal(
            ours.GetHistory().Select(static update => update.GetChange().GetRawText()),
            pair.Peer.State().EnumerateArray().Select(static change => change.GetRawText())
        );
        Assert.Equal("""["theirs",[1]]""", ours.GetEvents("theirs").Single().Update.GetChange().GetRawText());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Ten_thousand_keys_go_each_way(bool weListen)
    {
        const int Count = 10_000;
        await using var ours = new LockstepModel();
        ours.SetAll(
            Enumerable.Range(0, Count).Select(static i => KeyValuePair.Create("ours" + i.ToString(CultureInfo.InvariantCulture), i))
        );
        await using var pair = Join(ours, "model", weListen, static peer => peer.Tell("fill", new { count = Count, prefix = "theirs" }));
        await pair.SyncedAsync();
        await Eventually.TrueAsync(() => ours.HistoryCount == 2 * Count, "their keys");
        await Eventually.TrueAsync(() => pair.Peer.Count() == 2 * Count, "our keys");
        Assert.Equal(9_999, ours["theirs9999"]!.Value.GetInt32());
        Assert.Equal("9999", State(pair.Peer, "ours9999"));
    }

    [Fact]
    public async Task Unicode_keys_and_values_arrive_as_they_are()
    {
        await using var ours = new LockstepModel();
        foreach (var key in UnicodeKeys)
        {
            ours.Set("ours:" + key, key);
        }

        await using var pair = Join(
            ours,
            "model",
            true,
            static peer =>
            {
                foreach (var key in UnicodeKeys)
                {
                    peer.Tell("set", new object[] { key, key });
                }
            }
        );
        await pair.SyncedAsync();
        await Eventually.TrueAsync(() => ours.HistoryCount == 2 * UnicodeKeys.Length, "their keys");
        Assert.All(UnicodeKeys, key => Assert.Equal(key, ours[key]?.GetString()));
        var theirs = pair.Peer.State();
        Assert.All(UnicodeKeys, key => Assert.Equal(key, theirs.GetProperty("ours:" + key).GetString()));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_a_kill_both_have_everything_again(bool weListen)
    {
        await using var ours = new LockstepModel();
        await using (var first = Join(ours, "model", weListen, static peer => peer.Tell("set", new object[] { "before", 1 })))
        {
            await first.SyncedAsync();
            await Eventually.TrueAsync(() => ours["before"] is not null, "the first key");
            first.Peer.Kill();
        }

        await Eventually.TrueAsync(() => ours.StreamCount == 0, "the end of the stream");
        ours.Set("meanwhile", 2);
        await using var second = Join(ours, "model", weListen, static peer => peer.Tell("set", new object[] { "after", 3 }));
        await second.SyncedAsync();
        await Eventually.TrueAsync(() => ours["after"] is not null, "the new key");
        await Eventually.TrueAsync(
            () => State(second.Peer, "before") == "1" && State(second.Peer, "meanwhile") == "2",
            "the old keys over there"
        );
    }

    [Fact]
    public async Task A_connector_reconnects_to_a_listener_that_was_killed()
    {
        await using var ours = new LockstepModel();
        await using var first = NodePeer.Start(npm, new { kind = "model", listen = true });
        await using var connector = new GossipConnector(
            ours,
            new Uri($"tcp://127.0.0.1:{first.Port}"),
            new GossipConnectorOptions { FirstDelay = TimeSpan.FromMilliseconds(20) }
        );
        await connector.WaitForSyncAsync(Token);
        first.Kill();
        await Eventually.TrueAsync(() => connector.Current is null && connector.LastError is IOException, "attempts that fail");
    }

    [Fact]
    public async Task Their_read_only_stream_gives_and_takes_nothing()
    {
        await using var ours = new LockstepModel();
        ours.Set("ours", 1);
        await using var pair = Join(
            ours,
            "model",
            true,
            static peer => peer.Tell("set", new object[] { "theirs", 1 }),
            new { writable = false }
        );
        await pair.SyncedAsync();
        await Eventually.TrueAsync(() => ours["theirs"] is not null, "their key");
        pair.Peer.Tell("set", new object[] { "live", 1 });
        await Eventually.TrueAsync(() => ours["live"] is not null, "their live update");
        Assert.Null(State(pair.Peer, "ours"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Their_write_only_stream_takes_from_our_send_only_one(bool sendClock)
    {
        await using var ours = new LockstepModel();
        ours.Set("ours", 1);
        await using var pair = Join(
            ours,
            "model",
            true,
            static peer => peer.Tell("set", new object[] { "theirs", 1 }),
            new { readable = false, sendClock },
            new GossipStreamOptions { Direction = GossipDirection.SendOnly }
        );
        await Eventually.TrueAsync(() => State(pair.Peer, "ours") == "1", "our key");
        ours.Set("live", 2);
        await Eventually.TrueAsync(() => State(pair.Peer, "live") == "2", "our live update");
        Assert.Null(ours["theirs"]);
    }

    [Fact]
    public async Task Our_receive_only_stream_takes_from_one_that_speaks_both_ways()
    {
        await using var ours = new LockstepModel();
        ours.Set("ours", 1);
        await using var pair = Join(
            ours,
            "model",
            false,
            static peer => peer.Tell("set", new object[] { "theirs", 1 }),
            null,
            new GossipStreamOptions { Direction = GossipDirection.ReceiveOnly }
        );
        await pair.SyncedAsync();
        await Eventually.TrueAsync(() => ours["theirs"] is not null, "their key");
        Assert.Null(State(pair.Peer, "ours"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_stream_without_tail_ends_after_sync_on_either_side(bool theirs)
    {
        await using var ours = new LockstepModel();
        ours.Set("ours", 1);
        await using var pair = Join(
            ours,
            "model",
            true,
            static peer => peer.Tell("set", new object[] { "theirs", 1 }),
            theirs ? new { tail = false } : null,
            new GossipStreamOptions { Tail = theirs }
        );
        await Eventually.TrueAsync(() => ours["theirs"] is not null && ours.StreamCount == 0, "the end after sync");
        Assert.Equal("1", State(pair.Peer, "ours"));
    }

    [Fact]
    public async Task Meta_reaches_each_other()
    {
        await using var ours = new LockstepModel(new GossipNodeOptions { Id = "ours" });
        var seen = new RecordingObserver();
        using var subscription = ours.Subscribe(seen);
        await using var pair = Join(
            ours,
            "model",
            true,
            null,
            new { meta = new { from = "them" } },
            new GossipStreamOptions { Meta = JsonSerializer.SerializeToElement("us") }
        );
        Assert.Equal("""{"id":"ours","clock":{},"meta":"us"}""", pair.Peer.Wait("header").GetProperty("header").GetRawText());
        await Eventually.TrueAsync(() => seen.Headers.Count == 1, "their header");
        Assert.Equal("""{"from":"them"}""", seen.Headers[0].Meta!.Value.GetRawText());
    }

    [Fact]
    public async Task Signed_updates_are_verified_both_ways()
    {
        using var folder = new TempFolder();
        var mine = SecurityTests.NewRsaPair();
        var theirs = SecurityTests.NewRsaPair();
        await File.WriteAllTextAsync(folder["mine.pem"], mine.Public, Token);
        await File.WriteAllTextAsync(folder["theirs"], theirs.Private, Token);
        await File.WriteAllTextAsync(folder["theirs.pem"], theirs.Public, Token);
        using var security = new RsaSha1Security(mine.Private, mine.Public);
        var theirId = security.Trust(theirs.Public);
        await using var ours = new LockstepModel(new GossipNodeOptions { Security = security });

        // Where JavaScript's JSON text differs from the text given.
        ours.SetJson(
            "hard",
            Encoding.UTF8.GetBytes(
                """ { "b" : 1.0, "10" : 1e21, "9" : "\u00e9\ud83d\ude00\u2028", "a" : [ -0 , 0.0000001, 12345678901234567890 ] , "b":2 } """
            )
        );
        var options = new
        {
            @private = folder["theirs"],
            @public = folder["theirs.pem"],
            trusted = new[] { folder["mine.pem"] },
        };
        await using var pair = Join(
            ours,
            "model",
            true,
            static peer =>
                peer.Tell(
                    "set",
                    new object[]
                    {
                        "theirs",
                        new Dictionary<string, object>
                        {
                            ["z"] = 1,
                            ["2"] = "€",
                            ["1"] = 0.1,
                        },
                    }
                ),
            null,
            null,
            options
        );
        Assert.Equal(theirId, pair.Peer.Id);
        await pair.SyncedAsync();
        await Eventually.TrueAsync(() => ours["theirs"] is not null, "their signed key");
        Assert.Equal("""{"1":0.1,"2":"€","z":1}""", ours["theirs"]!.Value.GetRawText());
        await Eventually.TrueAsync(() => State(pair.Peer, "hard") is not null, "our signed key");
        Assert.Equal(
            """{"9":"é😀\u2028","10":1e+21,"b":2,"a":[0,1e-7,12345678901234567000]}""".Replace(
                "\\u2028",
                "\u2028",
                StringComparison.Ordinal
            ),
            State(pair.Peer, "hard")
        );
    }

    [Fact]
    public async Task An_unknown_key_is_refused_by_both()
    {
        using var folder = new TempFolder();
        var mine = SecurityTests.NewRsaPair();
        var theirs = SecurityTests.NewRsaPair();
        await File.WriteAllTextAsync(folder["theirs"], theirs.Private, Token);
        await File.WriteAllTextAsync(folder["theirs.pem"], theirs.Public, Token);
        using var security = new RsaSha1Security(mine.Private, mine.Public);
        await using var ours = new LockstepModel(new GossipNodeOptions { Security = security });
        ours.Set("ours", 1);
        var options = new
        {
            @private = folder["theirs"],
            @public = folder["theirs.pem"],
            trusted = Array.Empty<string>(),
        };
        await using var pair = Join(
            ours,
            "model",
            true,
            static peer => peer.Tell("set", new object[] { "theirs", 1 }),
            null,
            null,
            options
        );
        pair.Peer.Wait("unverified");
        await pair.SyncedAsync();
        Assert.Null(State(pair.Peer, "ours"));
        Assert.Null(ours["theirs"]);

        // Once we trust them, what was held is applied.
        security.Trust(theirs.Public);
        await Eventually.TrueAsync(() => ours["theirs"] is not null, "their key");
    }

    [Fact]
    public async Task The_signed_text_is_what_node_writes()
    {
        await using var peer = NodePeer.Start(npm, new { kind = "model", listen = true });
        var random = new Random(7);
        for (var i = 0; i < 200; i++)
        {
            var json = RandomJson(random, 3);
            peer.Tell("sign", JsonSerializer.Deserialize<JsonElement>(json));
            var canonical = new System.Buffers.ArrayBufferWriter<byte>();
            GossipJson.WriteCanonical(Encoding.UTF8.GetBytes(json), canonical);
            Assert.Equal(
                "[" + Encoding.UTF8.GetString(canonical.WrittenSpan) + ",1,\"x\"]",
                peer.Wait("text").GetProperty("text").GetString()
            );
        }
    }

    [Fact]
    public async Task A_file_that_they_wrote_is_imported()
    {
        await using var ours = new LockstepModel();
        await using var peer = NodePeer.Start(
            npm,
            new
            {
                kind = "model",
                listen = true,
                stream = new { writable = false, tail = false },
            }
        );
        peer.Tell("fill", new { count = 10, prefix = "k" });
        using var folder = new TempFolder();
        await using (var socket = await GossipDialer.ConnectAsync(new Uri($"tcp://127.0.0.1:{peer.Port}"), null, Token))
        await using (var file = File.Create(folder["dump"]))
        {
            await socket.CopyToAsync(file, Token);
        }

        await GossipFile.ImportAsync(ours, folder["dump"], Token);
        Assert.Equal(10, ours.Keys.Count);
    }

    private static string? State(NodePeer peer, string key) => peer.State().TryGetProperty(key, out var value) ? value.GetRawText() : null;

    /// <summary>A name that JavaScript treats as an array index, or one that it does not.</summary>
    private static string RandomName(Random random) =>
        random.Next(2) == 0
            ? random.Next(20).ToString(CultureInfo.InvariantCulture)
            : "k" + random.Next(4).ToString(CultureInfo.InvariantCulture);

    private static string RandomJson(Random random, int depth) =>
        random.Next(depth > 0 ? 6 : 4) switch
        {
            0 => JsonSerializer.Serialize(BitConverter.Int64BitsToDouble(random.NextInt64()) is var d && double.IsFinite(d) ? d : 1),
            1 => JsonSerializer.Serialize(random.Next(-1000, 1000) / Math.Pow(10, random.Next(-20, 25))),
            2 => JsonSerializer.Serialize(new string([.. Enumerable.Range(0, random.Next(8)).Select(_ => (char)random.Next(1, 0xd7ff))])),
            3 => random.Next(2) == 0 ? "true" : "null",
            4 => "[" + string.Join(" , ", Enumerable.Range(0, random.Next(4)).Select(_ => RandomJson(random, depth - 1))) + "]",
            _ => "{"
                + string.Join(
                    ",",
                    Enumerable.Range(0, random.Next(5)).Select(i => $"\"{RandomName(random)}\" : " + RandomJson(random, depth - 1))
                )
                + "}",
        };

    /// <summary>Connects one of our nodes with one of theirs; one of the two listens.</summary>
    private Pair Join(
        GossipNode ours,
        string kind,
        bool weListen,
        Action<NodePeer>? prepare,
        object? theirStream = null,
        GossipStreamOptions? ourStream = null,
        object? security = null
    )
    {
        npm.Require();
        var stream = ourStream ?? new GossipStreamOptions();
        var peer = NodePeer.Start(
            npm,
            new
            {
                kind,
                listen = !weListen,
                stream = theirStream,
                security,
            }
        );
        prepare?.Invoke(peer);
        if (!weListen)
        {
            var connector = new GossipConnector(
                ours,
                new Uri($"tcp://127.0.0.1:{peer.Port}"),
                new GossipConnectorOptions { Stream = stream }
            );
            return new Pair(peer, connector);
        }

        var listener = GossipListener.Start(
            Loopback,
            new GossipHub(KeyValuePair.Create("m", ours)),
            new GossipListenerOptions { Stream = stream }
        );
        peer.Tell("dial", listener.Uri.Port);
        return new Pair(peer, listener);
    }

    private sealed class Pair(NodePeer peer, IAsyncDisposable ours) : IAsyncDisposable
    {
        public NodePeer Peer => peer;

        /// <summary>Their side reports that it has synced.</summary>
        public Task<JsonElement> SyncedAsync() => Task.Run(() => peer.Wait("synced"), Token);

        public async ValueTask DisposeAsync()
        {
            await peer.DisposeAsync();
            await ours.DisposeAsync();
        }
    }
}
