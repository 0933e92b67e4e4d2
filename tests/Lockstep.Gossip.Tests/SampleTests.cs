using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Samples;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

/// <summary>The data types in <c>examples/gossip</c>, with nothing but what the library gives to any derived type.</summary>
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

        // Fewer than the file holds: forgotten as it is opened.
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
        // A clock of its own: what is written here is stamped far ahead, and nodes of one clock do not fall behind each other.
        var time = new ManualTimeProvider();
        await using var a = new RValue(new GossipNodeOptions { Id = "a", TimeProvider = time });
        using var peer = new ScriptedPeer(a);
        peer.SaysHello();
        var ahead = (time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMilliseconds + 60_000;
        peer.Says($"""["ahead",{ahead:F0},"S"]""", """["old",5,"T"]""");
        Assert.Equal("ahead", a.Value!.Value.GetString());

        // What is written after it wins over it, although its time has not come.
        a.Set("after");
        Assert.Equal("after", a.Value!.Value.GetString());
        Assert.Equal(1, a.HistoryCount);
    }

    [Fact]
    public async Task A_value_speaks_with_npm_r_value()
    {
        await using var ours = new RValue(new GossipNodeOptions { Id = "ours" });
        ours.Set(new { from = "ours" });
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
        ours.Set(7);
        await Eventually.TrueAsync(() => peer.State().GetRawText() == "7", "our value");
        Assert.Equal(1, peer.Count());
    }

    [Fact]
    public async Task A_document_speaks_with_npm_crdt()
    {
        await using var ours = new CrdtDoc(new GossipNodeOptions { Id = "ours" });
        ours.Set("a", new { color = "red", size = 1 });
        ours.Set("b", new { color = "blue" });
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

        // Column by column: each side's last one wins.
        peer.Tell("set", new object[] { "a", new { size = 2 } });
        await Eventually.TrueAsync(() => ours["a"]["size"].GetInt32() == 2, "their column");
        Assert.Equal("red", ours["a"]["color"].GetString());
        ours.Set("a", new { color = "green" });
        await Eventually.TrueAsync(() => peer.State().GetProperty("a").GetProperty("color").GetString() == "green", "our column");
        Assert.Equal(ours.GetHistory().Select(static u => u.ToString()), History(peer));

        ours.Remove("b");
        await Eventually.TrueAsync(() => !peer.State().TryGetProperty("b", out _), "our removal");
        peer.Tell("set", new object?[] { "a", null });
        await Eventually.TrueAsync(() => ours["a"].Count == 0, "their removal");
        Assert.Equal(["c"], ours.RowIds);
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

        // What npm's crdt has in its history where a row was removed.
        peer.Says("""[null,1,"S"]""", """[["r",{"a":1}],2,"S"]""");
        Assert.Equal(["r"], doc.RowIds);
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhiteSpace();

    private static IEnumerable<IEnumerable<string>> Orders(IReadOnlyList<string> lines) =>
        lines.Count == 0
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

    /// <summary>The newest numbers, as a type that retains so many of them.</summary>
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
