using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Hosting;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Samples;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

/// <summary>The data types in <c>examples/gossip</c>, with nothing but what the library offers any derived type.</summary>
public sealed partial class SampleTests(NpmScuttlebutt npm) : IClassFixture<NpmScuttlebutt>, IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_documented_example_is_the_sample()
    {
        var documentation = XDocument.Load(Path.ChangeExtension(typeof(GossipNode).Assembly.Location, ".xml"));
        var member = documentation
            .Descendants("member")
            .Single(static m => m.Attribute("name")!.Value == "T:" + typeof(GossipNode).FullName);
        var example = WhiteSpace().Replace(member.Descendants("code").Single().Value, " ").Trim();
        var sample = WhiteSpace().Replace(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "samples", "GossipSet.cs")), " ").Trim();
        Assert.EndsWith(example, sample, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_set_is_kept_in_its_file_and_reconciled_with_others()
    {
        var options = new GossipNodeOptions { Path = _folder["set.db"] };
        await using (var set = new GossipSet(options))
        {
            await using var other = new GossipSet();
            set.Add("a");
            other.Add("a");
            other.Add("b");
            StreamPair.Connect(set, other);
            await Eventually.TrueAsync(() => set.Items.Count == 2 && other.Items.Count == 2, "both items in both");
        }

        await using var again = new GossipSet(options);
        Assert.Equal(["a", "b"], again.Items.Order());
    }

    [Fact]
    public async Task A_clone_of_a_derived_type_is_kept_equal_both_ways()
    {
        await using var set = new GossipSet(new GossipNodeOptions { Path = _folder["cloned.db"] });
        set.Add("before");
        await using var clone = set.Clone();
        clone.Add("from the clone");
        set.Add("from the first");
        Assert.Equal(["before", "from the clone", "from the first"], set.Items.Order());
        Assert.Equal(set.Items.Order(), clone.Items.Order());
        Assert.Equal(set.Id, clone.Id);
    }

    [Fact]
    public async Task Only_a_new_node_of_the_same_id_becomes_a_clone()
    {
        await using var node = new Recent(1);
        await using var another = new Recent(1);
        Assert.Throws<ArgumentException>(() => node.Adopt(another));
        await using var withFile = new Recent(1, new GossipNodeOptions { Id = node.Id, Path = _folder["clone.db"] });
        Assert.Throws<ArgumentException>(() => node.Adopt(withFile));
        await using var used = new Recent(1, new GossipNodeOptions { Id = node.Id });
        used.Add(1);
        Assert.Throws<ArgumentException>(() => node.Adopt(used));
    }

    [Fact]
    public async Task A_derived_type_that_retains_so_much_is_told_what_is_forgotten()
    {
        var options = new GossipNodeOptions { Path = _folder["recent.db"] };
        await using (var recent = new Recent(10, options))
        {
            Enumerable.Range(1, 10).ToList().ForEach(recent.Add);
            Assert.Equal(Enumerable.Range(1, 10), recent.Numbers);
        }

        // Fewer than the file holds: the others are forgotten when it opens.
        await using var again = new Recent(3, options);
        Assert.Equal([8, 9, 10], again.Numbers);
        var next = again.GetHistory()[0];
        again.Add(11);
        Assert.Equal([9, 10, 11], again.Numbers);
        Assert.Equal(next.Timestamp, again.GetHorizon()![again.Id]);
    }

    [Fact]
    public async Task Of_two_values_the_newest_wins_whatever_comes_first()
    {
        // A clock of its own: what is written here is stamped far ahead, and nodes with one clock do not fall behind each other.
        var time = new ManualTimeProvider();
        await using var a = new RValue(new GossipNodeOptions { Id = "a", TimeProvider = time });
        using var peer = new ScriptedPeer(a);
        peer.SaysHello();
        var ahead = (time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMilliseconds + 60_000;
        peer.Says($"""["ahead",{ahead:F0},"S"]""", """["old",5,"T"]""");
        Assert.Equal("ahead", a.Value!.Value.GetString());

        // A later write wins over it, although its time has not come.
        a.SetJson("\"after\""u8);
        Assert.Equal("after", a.Value!.Value.GetString());
        Assert.Equal(1, a.HistoryCount);
    }

    [Fact]
    public async Task A_value_speaks_with_npm_r_value()
    {
        await using var ours = new RValue(new GossipNodeOptions { Id = "ours" });
        ours.SetJson("""{"from":"ours"}"""u8);
        await using var peer = NodePeer.Start(
            npm,
            new
            {
                kind = "value",
                id = "theirs",
                listen = true,
            }
        );
        await using var connector = new GossipConnector(ours, new Uri($"tcp://127.0.0.1:{peer.Port}"));
        await connector.WaitForSyncAsync(Token);
        await Eventually.TrueAsync(() => peer.State().GetRawText() == """{"from":"ours"}""", "our first value");
        peer.Tell("set", new object[] { "theirs" });
        await Eventually.TrueAsync(() => ours.Value?.ValueKind == JsonValueKind.String, "their value");
        ours.SetJson("7"u8);
        await Eventually.TrueAsync(() => peer.State().GetRawText() == "7", "our value");
        Assert.Equal(1, peer.Count());
    }

    [Fact]
    public async Task A_document_speaks_with_npm_crdt()
    {
        await using var ours = new CrdtDoc(new GossipNodeOptions { Id = "ours" });
        ours.SetJson("a", """{"color":"red","size":1}"""u8);
        ours.SetJson("b", """{"color":"blue"}"""u8);
        await using var peer = NodePeer.Start(
            npm,
            new
            {
                kind = "doc",
                id = "theirs",
                listen = true,
                history = true,
                @do = new object[] { new { set = new object[] { "c", new { x = 1 } } } },
            }
        );
        await using var connector = new GossipConnector(ours, new Uri($"tcp://127.0.0.1:{peer.Port}"));
        await connector.WaitForSyncAsync(Token);
        await Eventually.TrueAsync(() => peer.State().TryGetProperty("b", out _), "our rows");
        Assert.Equal("""{"id":"a","color":"red","size":1}""", peer.State().GetProperty("a").GetRawText());
        Assert.Equal(1, ours["c"]["x"].GetInt32());

        // Column by column: the last write of each wins.
        peer.Tell("set", new object[] { "a", new { size = 2 } });
        await Eventually.TrueAsync(() => ours["a"]["size"].GetInt32() == 2, "their column");
        Assert.Equal("red", ours["a"]["color"].GetString());
        ours.SetJson("a", """{"color":"green"}"""u8);
        await Eventually.TrueAsync(() => peer.State().GetProperty("a").GetProperty("color").GetString() == "green", "our column");
        Assert.Equal(ours.GetHistory().Select(static u => u.ToString()), History(peer));

        ours.SetJson("b", "null"u8);
        await Eventually.TrueAsync(() => !peer.State().TryGetProperty("b", out _), "our removal");
        peer.Tell("set", new object?[] { "a", null });
        await Eventually.TrueAsync(() => ours["a"].Count == 0, "their removal");
        Assert.Equal(["c"], ours.Keys);
    }

    [Fact]
    public async Task An_expiry_model_speaks_with_npm_expiry_model()
    {
        await using var ours = new ExpiryModel(new GossipNodeOptions { Id = "ours" });
        ours.SetJson("a", """{"x":1,"y":1}"""u8);
        ours.SetJson("plain", "1"u8);
        await using var peer = NodePeer.Start(
            npm,
            new
            {
                kind = "expiry",
                id = "theirs",
                listen = true,
                @do = new object[] { new { set = new object[] { "b", "theirs" } } },
            }
        );
        await using var connector = new GossipConnector(ours, new Uri($"tcp://127.0.0.1:{peer.Port}"));
        await connector.WaitForSyncAsync(Token);
        await Eventually.TrueAsync(() => peer.State().TryGetProperty("plain", out _) && ours.Keys.Count == 3, "both sides' values");
        Assert.Equal("theirs", Value(ours, "b").GetString());

        // Objects are merged on both sides, and null removes.
        peer.Tell("set", new object[] { "a", new { y = 2, z = 2 } });
        await Eventually.TrueAsync(() => Value(ours, "a").TryGetProperty("z", out _), "their fields");
        Assert.Equal((1, 2), (Value(ours, "a").GetProperty("x").GetInt32(), Value(ours, "a").GetProperty("y").GetInt32()));
        ours.SetJson("a", """{"x":3}"""u8);
        await Eventually.TrueAsync(() => peer.State().GetProperty("a").GetProperty("x").GetInt32() == 3, "our field");
        Assert.Equal(2, peer.State().GetProperty("a").GetProperty("z").GetInt32());
        ours.SetJson("plain", "null"u8);
        await Eventually.TrueAsync(() => !peer.State().TryGetProperty("plain", out _), "our removal");
        peer.Tell("set", new object?[] { "b", null });
        await Eventually.TrueAsync(() => ours.Keys.Count == 1, "their removal");
    }

    [Fact]
    public async Task What_is_too_old_is_gone_and_not_taken()
    {
        var time = new ManualTimeProvider();
        await using var model = new ExpiryModel(
            new GossipNodeOptions { TimeProvider = time, Path = _folder["expiry.db"] },
            new EventRetention { MaxAge = TimeSpan.FromMinutes(1) }
        );
        model.SetJson("a", "1"u8);
        time.Advance(TimeSpan.FromSeconds(40));
        model.SetJson("b", "2"u8);
        Assert.Equal(["a", "b"], model.Keys.Order());
        time.Advance(TimeSpan.FromSeconds(40));
        Assert.Equal(["b"], model.Keys);
        using var peer = new ScriptedPeer(model);
        peer.SaysHello();
        var now = (time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMilliseconds;
        peer.Says($"""[["c",3],{now - 70_000:F0},"S"]""", $"""[["d",4],{now - 50_000:F0},"S"]""");
        Assert.Equal(["b", "d"], model.Keys.Order());
        Assert.Equal(2, model.HistoryCount);
    }

    [Fact]
    public async Task Merged_objects_end_up_equal_in_whatever_order_changes_come()
    {
        var time = new ManualTimeProvider();
        var now = (time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMilliseconds;
        string[] changes = ["""{"a":1,"b":1}""", "7", """{"b":3}""", """{"c":4}""", """{"b":5,"c":5}"""];
        var lines = changes.Select((change, i) => $"""[["k",{change}],{now + i:F0},"S{i}"]""").ToArray();
        var states = new HashSet<string>();
        foreach (var order in Orders(lines))
        {
            await using var model = new ExpiryModel(new GossipNodeOptions { TimeProvider = time });
            using var peer = new ScriptedPeer(model);
            peer.SaysHello();
            peer.Says([.. order]);
            states.Add(Value(model, "k").GetRawText() + model.HistoryCount);
        }

        Assert.Equal(["""{"b":5,"c":5}2"""], states);
    }

    [Theory]
    [InlineData("r-value")]
    [InlineData("crdt")]
    [InlineData("expiry-model")]
    [InlineData("set")]
    public async Task A_text_that_no_store_can_hold_ends_no_link_and_is_refused_where_it_is_set(string type)
    {
        await using var node = type == "set" ? new GossipSet() : GossipTypes.Create(type);
        using var peer = new ScriptedPeer(node);
        peer.SaysHello();
        var now = (DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch).TotalMilliseconds;
        var deep = new string('[', 400) + new string(']', 400);
        string[] odd =
        [
            "\"\\ud800\"",
            "[\"\\ud800\",{\"a\":1}]",
            "[\"r\",{\"\\udc00\":1}]",
            "[\"r\",{\"a\":\"\\ud800\"}]",
            "[\"deep\"," + deep + "]",
            "[{},{}]",
            "[]",
            "{}",
            "null",
        ];
        peer.Says([.. odd.Select((change, i) => $"[{change},{now + i:F3},\"S\"]")]);
        Assert.Equal(1, node.StreamCount);
        Assert.InRange(node.MisfitCount, 4, odd.Length);
        if (node is IGossipValues values)
        {
            Assert.ThrowsAny<Exception>(() => values.SetJson("value", "{\"a\":\"\\ud800\"}"u8));
        }
    }

    [Fact]
    public async Task A_host_that_knows_no_more_than_keys_and_values_reads_sets_and_watches_each_type()
    {
        foreach (var type in GossipTypes.Names.Where(static name => name != "events"))
        {
            await using var node = GossipTypes.Create(type, new GossipNodeOptions { Path = _folder[type + ".db"] });
            var values = Assert.IsType<IGossipValues>(node, exactMatch: false);
            Assert.Empty(values.Keys);
            await using var watching = values.WatchAsync(cancellationToken: Token).GetAsyncEnumerator(Token);
            values.SetJson("value", """{"a":1}"""u8);
            Assert.Equal(["value"], values.Keys);
            Assert.True(values.TryGet("value", out var found));
            Assert.Equal("""{"a":1}""", found.Value.GetRawText());
            Assert.True(await watching.MoveNextAsync());
            Assert.Equal("value", watching.Current.Key);
            values.Remove("value");
            Assert.Empty(values.Keys);
        }

        Assert.Throws<ArgumentException>(() => GossipTypes.Create("nothing"));
    }

    [Fact]
    public async Task Documents_end_up_equal_in_whatever_order_changes_come()
    {
        string[] lines =
        [
            """[["r",{"a":1,"b":1}],1,"S"]""",
            """[["r",{"b":2,"c":2}],2,"T"]""",
            """[["r",null],3,"U"]""",
            """[["r",{"a":4}],4,"V"]""",
            """[["r",null],2.5,"W"]""",
        ];
        var states = new HashSet<string>();
        var histories = new HashSet<string>();
        foreach (var order in Orders(lines))
        {
            await using var doc = new CrdtDoc();
            using var peer = new ScriptedPeer(doc);
            peer.SaysHello();
            peer.Says([.. order]);
            states.Add(JsonSerializer.Serialize(doc["r"]));
            histories.Add(string.Join(' ', doc.GetHistory()));
        }

        Assert.Equal(["""{"a":4}"""], states);
        Assert.Equal(["""[["r",null],3,"U"] [["r",{"a":4}],4,"V"]"""], histories);
    }

    [Fact]
    public async Task A_change_that_is_none_of_the_document_leaves_the_link_whole()
    {
        await using var doc = new CrdtDoc();
        using var peer = new ScriptedPeer(doc);
        peer.SaysHello();

        // What npm's crdt has in its history after a row was removed.
        peer.Says("""[null,1,"S"]""", """[["r",{"a":1}],2,"S"]""");
        Assert.Equal(["r"], doc.Keys);
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhiteSpace();

    private static JsonElement Value(ExpiryModel values, string key) =>
        values.TryGet(key, out var change) ? change.Value : throw new KeyNotFoundException(key);

    private static IEnumerable<IEnumerable<string>> Orders(string[] lines) =>
        lines.Length == 0
            ?
            [
                [],
            ]
            : lines.SelectMany(line => Orders([.. lines.Where(other => other != line)]).Select(rest => rest.Prepend(line)));

    private static IEnumerable<string> History(NodePeer peer)
    {
        peer.Tell("state", true);
        return peer.Wait("history").GetProperty("history").EnumerateArray().Select(static update => update.GetRawText());
    }

    /// <summary>The newest numbers, as a type that retains this many of them.</summary>
    private sealed class Recent : GossipNode
    {
        private readonly List<int> _numbers = [];

        public Recent(int most, GossipNodeOptions? options = null)
            : base(options)
        {
            Retain(new EventRetention { MaxEvents = most });
            OpenFile("recent");
        }

        public IReadOnlyList<int> Numbers => Read(() => _numbers.ToArray());

        public void Add(int number) => LocalUpdate(JsonSerializer.SerializeToUtf8Bytes(number));

        public void Adopt(Recent clone) => AdoptClone(clone);

        protected override bool Apply(GossipUpdate update)
        {
            _numbers.Add(update.GetChange().GetInt32());
            Keep(update);
            return true;
        }

        protected override void OnForgotten(GossipUpdate update) => _numbers.Remove(update.GetChange().GetInt32());
    }
}
