using System.Text.Json;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Gossip.Security;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

/// <summary>Several nodes as one, over one stream, like npm's scuttlebucket.</summary>
public sealed class BucketTests(NpmScuttlebutt npm) : IClassFixture<NpmScuttlebutt>, IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_bucket_speaks_with_npm_scuttlebucket()
    {
        var ours = new Bucket(new GossipNodeOptions { Id = "ours" });
        await using var bucket = ours.Node;
        ours.Config.SetJson("before", "1"u8);
        ours.Log.EmitJson("started", ["{\"by\":\"ours\"}"u8.ToArray()]);
        await using var peer = NodePeer.Start(
            npm,
            new
            {
                kind = "bucket",
                id = "theirs",
                listen = true,
                @do = new object[] { new { part = new object[] { "config", "set", "theirs", 2 } } },
            }
        );
        await using var connector = new GossipConnector(bucket, new Uri($"tcp://127.0.0.1:{peer.Port}"));
        await connector.WaitForSyncAsync(Token);
        await Eventually.TrueAsync(() => ours.Config.Keys.Count == 2, "their value");
        await Eventually.TrueAsync(
            () => peer.State().GetRawText() == """{"config":{"theirs":2,"before":1},"log":[["started",{"by":"ours"}]]}""",
            "our value and event"
        );

        // And live, both ways, in each part.
        peer.Tell("part", new object[] { "log", "emit", "theirs", 3 });
        peer.Tell("part", new object[] { "config", "set", "before", "replaced" });
        await Eventually.TrueAsync(
            () => ours.Log.GetEvents().Count == 2 && ours.Config["before"]!.Value.ValueKind == JsonValueKind.String,
            "theirs"
        );
        ours.Config.Remove("theirs");
        ours.Log.EmitJson("last", []);
        await Eventually.TrueAsync(
            () =>
                peer.State().GetRawText() == """{"config":{"before":"replaced"},"log":[["started",{"by":"ours"}],["theirs",3],["last"]]}""",
            "ours"
        );
        Assert.Equal(0, bucket.MisfitCount);
    }

    [Fact]
    public async Task Parts_are_kept_in_the_buckets_file_and_reconciled_over_one_stream()
    {
        var options = new GossipNodeOptions { Path = _folder["bucket.db"] };
        var first = new Bucket(options);
        await using (first.Node)
        {
            var second = new Bucket();
            await using var node = second.Node;
            first.Config.Set("a", 1);
            first.Config.Set("a", 2);
            second.Log.EmitJson("e", []);
            Assert.Equal(1, first.Node.HistoryCount);
            StreamPair.Connect(first.Node, node);
            await Eventually.TrueAsync(() => second.Config.Keys.Count == 1 && first.Log.GetEvents().Count == 1, "both parts");
            Assert.Contains("""["config",["a",2]]""", second.Node.GetHistory().Select(static u => u.GetChange().GetRawText()));
        }

        var again = new Bucket(options);
        await using var reopened = again.Node;
        Assert.Equal(2, again.Config["a"]!.Value.GetInt32());
        Assert.Equal("e", Assert.Single(again.Log.GetEvents()).Name);
        Assert.Equal(reopened.Id, again.Config.Id);
        again.Config.Set("b", 1);
        Assert.Equal(3, reopened.HistoryCount);
    }

    [Fact]
    public async Task Who_watches_a_part_sees_what_peers_change_in_it()
    {
        var bucket = new Bucket();
        await using var node = bucket.Node;
        var seen = new RecordingObserver();
        using var subscription = bucket.Config.Subscribe(seen);
        await using var watching = bucket.Config.WatchAsync(cancellationToken: Token).GetAsyncEnumerator(Token);
        var next = watching.MoveNextAsync();
        using var peer = new ScriptedPeer(node);
        peer.SaysHello();
        peer.Says("""[["config",["k",1]],5,"S"]""", """[["log",["e"]],6,"S"]""");
        Assert.True(await next);
        Assert.Equal("k", watching.Current.Key);
        Assert.Single(seen.Updates);
        Assert.Equal(["""[["config",["k",1]],5,"S"]""", """[["log",["e"]],6,"S"]"""], node.GetHistory().Select(static u => u.ToString()));
    }

    [Fact]
    public async Task What_is_of_no_part_or_none_of_its_changes_is_passed_on_and_counted()
    {
        var bucket = new Bucket();
        await using var node = bucket.Node;
        using var peer = new ScriptedPeer(node);
        peer.SaysHello();
        peer.Says(
            """[["nothing",["k",1]],5,"S"]""",
            """[["config",7],6,"S"]""",
            "[[7,7],7,\"S\"]",
            "[\"x\",8,\"S\"]",
            """[["config",["k",1]],9,"S"]"""
        );
        Assert.Equal(4, node.MisfitCount);
        Assert.Equal(5, node.HistoryCount);
        Assert.Equal(["k"], bucket.Config.Keys);
        Assert.Throws<GossipProtocolException>(() => peer.Says("""[["config",["__proto__",1]],10,"S"]"""));
    }

    [Fact]
    public async Task A_bucket_of_buckets_signs_for_all_of_them()
    {
        using var keys = new EcdsaSecurity(EcdsaSecurity.CreatePrivateKeyPem());
        using var theirs = new EcdsaSecurity(EcdsaSecurity.CreatePrivateKeyPem());
        theirs.Trust(keys.PublicKeyPem);
        var (a, b) = (new LockstepModel(), new LockstepModel());
        await using var writer = Nested(keys, a);
        await using var reader = Nested(theirs, b);
        a.SetJson("k", "1.0"u8);
        using var link = new SimulatedLink(writer, reader);
        link.Settle();
        Assert.Equal("""["inner",["config",["k",1]]]""", reader.GetHistory().Single().GetChange().GetRawText());
        Assert.Equal(1, reader.GetHistory().Single().Number);
        Assert.Equal(1, b["k"]!.Value.GetInt32());

        static GossipBucket Nested(EcdsaSecurity keys, LockstepModel model) =>
            new(
                new GossipNodeOptions
                {
                    Security = keys,
                    SharedName = "m",
                    ModernOnly = true,
                },
                new() { ["inner"] = new GossipBucket(null, new() { ["config"] = model }) }
            );
    }

    [Fact]
    public async Task A_part_is_a_new_node_and_has_no_streams_of_its_own()
    {
        await using var withId = new LockstepModel(new GossipNodeOptions { Id = "x" });
        Assert.Throws<ArgumentException>(() => new GossipBucket(null, new() { ["p"] = withId }));
        await using var used = new LockstepModel();
        used.Set("k", 1);
        Assert.Throws<ArgumentException>(() => new GossipBucket(null, new() { ["p"] = used }));
        await using var named = new LockstepModel();
        Assert.Throws<ArgumentException>(() => new GossipBucket(null, new() { ["__proto__"] = named }));
        var bucket = new Bucket();
        await using var node = bucket.Node;
        Assert.Throws<ArgumentException>(() => new GossipBucket(null, new() { ["p"] = bucket.Config }));
        var (left, _) = StreamPair.Create();
        Assert.Throws<InvalidOperationException>(() => bucket.Config.Attach(left));
    }

    /// <summary>The two parts of npm's peer.</summary>
    private sealed class Bucket
    {
        public Bucket(GossipNodeOptions? options = null) => Node = new GossipBucket(options, new() { ["config"] = Config, ["log"] = Log });

        public GossipBucket Node { get; }

        public LockstepModel Config { get; } = new();

        public LockstepEmitter Log { get; } = new();
    }
}
