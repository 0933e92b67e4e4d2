using System.Buffers;
using System.Globalization;
using System.Text;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Wire;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

/// <summary>What made-up sources cost a node, and what it does with those beyond its limit.</summary>
public sealed class SourceLimitTests : IDisposable
{
    private readonly ManualTimeProvider _time = new();
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_peer_that_has_read_everything_costs_almost_nothing_for_a_source()
    {
        const int sources = 20_000;
        const int peers = 64;
        await using var node = new LockstepModel(new GossipNodeOptions { TimeProvider = _time });
        using var other = new ScriptedPeer(node);
        other.SaysHello("other");
        other.Says([.. Enumerable.Range(0, sources).Select(static i => Line($"k{i}", i + 1, $"made up {i}"))]);

        var sessions = new List<GossipSession>();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var output = new ArrayBufferWriter<byte>(256 * 1024);
        for (var i = 0; i < peers; i++)
        {
            var session = new GossipSession(node, new GossipStreamOptions());
            node.Register(session);
            session.Receive(Encoding.UTF8.GetBytes($"{{\"id\":\"peer {i}\",\"clock\":{{}}}}\n"));
            while (session.Produce(output))
            {
                output.ResetWrittenCount();
            }

            sessions.Add(session);
        }

        Assert.All(sessions, static session => Assert.InRange(session.PeerClock.OwnPages, 0, 16));

        // About 80 bytes for each source and peer are 100 MB. Other tests may take some meanwhile.
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 30_000_000);
        Assert.All(sessions, static session => Assert.True(session.SyncSent));
    }

    [Fact]
    public async Task What_comes_after_a_peer_shares_the_clock_is_sent_once_to_it()
    {
        const int sources = 5_000;
        await using var node = new LockstepModel(new GossipNodeOptions { TimeProvider = _time });
        using var other = new ScriptedPeer(node);
        other.SaysHello("other");
        other.Says([.. Enumerable.Range(0, sources).Select(static i => Line($"k{i}", i + 1, $"S{i}"))]);
        using var peer = new ScriptedPeer(node);
        peer.SaysHello();
        Assert.Equal(sources + 2, peer.Hears().Count);
        Assert.InRange(peer.Session.PeerClock.OwnPages, 0, 16);
        other.Says(Line("k7", 9_000, "S7"), Line("new", 9_001, "T"), Line("k8", 9_002, "S7"));
        Assert.Equal([Line("k7", 9_000, "S7"), Line("new", 9_001, "T"), Line("k8", 9_002, "S7")], peer.Hears());
        Assert.Empty(peer.Hears());
        peer.Says(Line("k9", 9_003, "U"));
        Assert.Empty(peer.Hears());
        Assert.Equal([Line("k9", 9_003, "U")], other.Hears().Where(static line => line.StartsWith("[[\"k9\"", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_full_node_refuses_new_sources_and_loses_nothing_of_those_it_knows()
    {
        var path = _folder["node"];
        await using (
            var node = new LockstepModel(
                new GossipNodeOptions
                {
                    Path = path,
                    MaxSources = 3,
                    TimeProvider = _time,
                }
            )
        )
        {
            var observer = new RecordingObserver();
            using var observing = node.Subscribe(observer);
            using var peer = new ScriptedPeer(node);
            peer.SaysHello();
            peer.Says(Line("a", 1, "A"), Line("b", 1, "B"), Line("c", 1, "C"), Line("d", 1, "D"), Line("a", 2, "A"), Line("d", 2, "D"));
            node.Set("own", 1);
            peer.Says(Line("c", 3, "C"));
            Assert.Equal([("A", 2.0), ("B", 1.0), ("C", 3.0)], Others(node));
            Assert.Equal(["D", "D"], observer.Refused.Select(static update => update.Source));
            Assert.Equal(2, node.RefusedUpdateCount);
            Assert.Null(node["d"]);
            Assert.Null(peer.Failure);
        }

        // A file with more than the limit is read whole.
        await using (
            var node = new LockstepModel(
                new GossipNodeOptions
                {
                    Path = path,
                    MaxSources = 2,
                    TimeProvider = _time,
                }
            )
        )
        {
            Assert.Equal([("A", 2.0), ("B", 1.0), ("C", 3.0)], Others(node));
            using var peer = new ScriptedPeer(node);
            peer.SaysHello();
            peer.Says(Line("b", 4, "B"));
            Assert.Equal(4, node.GetClock()["B"]);
        }

        await using (var node = new LockstepModel(new GossipNodeOptions { Path = path, TimeProvider = _time }))
        {
            using var peer = new ScriptedPeer(node);
            Assert.DoesNotContain("\"D\"", peer.Hears()[0]);
            peer.SaysHello();
            peer.Says(Line("d", 1, "D"), Line("d", 2, "D"));
            Assert.Equal(2, node.GetClock()["D"]);
        }
    }

    [Fact]
    public async Task What_was_held_is_refused_too_if_its_source_is_one_too_many_when_it_is_due()
    {
        await using var node = new LockstepModel(new GossipNodeOptions { MaxSources = 1, TimeProvider = _time });
        using var peer = new ScriptedPeer(node);
        peer.SaysHello();
        var ahead = (int)TimeSpan.FromHours(2).TotalMilliseconds;
        var time = (_time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMilliseconds + ahead;
        peer.Says(string.Create(CultureInfo.InvariantCulture, $"[[\"h\",1],{time:F0},\"H\"]"), Line("a", 1, "A"));
        _time.Advance(TimeSpan.FromHours(3));
        Assert.Equal([("A", 1.0)], Others(node));
        Assert.Empty(node.GetHeld());
        Assert.Equal(1, node.RefusedUpdateCount);
    }

    [Fact]
    public async Task The_ids_of_all_sources_fit_into_a_header_that_peers_accept()
    {
        await using var node = new LockstepEmitter(new GossipNodeOptions { TimeProvider = _time }, new EventRetention { MaxEvents = 2 });
        using var peer = new ScriptedPeer(node);
        peer.SaysHello();
        var id = new string('x', 1 << 20);
        for (var i = 0; i < 20; i++)
        {
            peer.Says(Line("e", i + 1, id + i));
        }

        using var next = new ScriptedPeer(node);
        var header = Assert.Single(next.Hears());
        Assert.InRange(header.Length, 5 << 20, new GossipStreamOptions().MaxLineBytes);
        Assert.NotNull(new GossipMessageParser().Parse(Encoding.UTF8.GetBytes(header), true).Header);
        Assert.InRange(node.RefusedUpdateCount, 12, 14);
    }

    [Fact]
    public async Task Sources_that_peers_only_name_take_so_much_in_all_and_it_is_free_again_when_they_leave()
    {
        await using var node = new LockstepModel(new GossipNodeOptions { TimeProvider = _time });
        var peers = new List<ScriptedPeer>();
        const int named = 5_000;
        for (var i = 0; i < 40; i++)
        {
            var peer = new ScriptedPeer(node);
            peers.Add(peer);
            var names = string.Join(',', Enumerable.Range(0, named).Select(number => $"\"{i:X}{number}\":9"));
            peer.SaysHello($"peer {i}", $"{{{names}}}");
        }

        var kept = peers.Sum(static peer => (long)peer.Session.PeerClock.Count);
        Assert.InRange(kept, Strangers.Budget.MaxBytes / 200, Strangers.Budget.MaxBytes / 128);
        Assert.Equal(named, peers[0].Session.PeerClock.Count);
        Assert.Empty(peers[^1].Session.PeerClock);

        peers[0].Dispose();
        peers[0].SaysHello("late");
        Assert.Empty(peers[0].Session.PeerClock);
        using var another = new ScriptedPeer(node);
        another.SaysHello("another", "{\"x\":9}");
        Assert.Single(another.Session.PeerClock);

        // It has what it named, and who named nothing that could be kept is sent it.
        another.Says(Line("x", 9, "x"));
        Assert.DoesNotContain(Line("x", 9, "x"), another.Hears());
        Assert.Contains(Line("x", 9, "x"), peers[^1].Hears());
        peers.ForEach(static peer => peer.Dispose());
    }

    [Fact]
    public void Clocks_that_share_pages_are_independent()
    {
        for (var seed = 0; seed < 50; seed++)
        {
            var random = new Random(seed);
            var sources = new SourceIndex();
            var budget = new Strangers.Budget();
            var clocks = Enumerable.Range(0, 4).Select(i => i == 0 ? new GossipClock(sources) : new GossipClock(sources, budget)).ToArray();
            var expected = clocks.Select(static _ => new Dictionary<string, double>(StringComparer.Ordinal)).ToArray();
            for (var step = 0; step < 2_000; step++)
            {
                var which = random.Next(clocks.Length);
                var source = $"S{random.Next(300)}";
                var time = random.Next(4);
                var before = expected[which].GetValueOrDefault(source, double.NegativeInfinity);
                switch (random.Next(20))
                {
                    case 0 when which > 0:
                        clocks[which].Share(clocks[0], static (_, _) => false);
                        break;
                    case 1 when which > 0 && step % 10 == 0:
                        clocks[which].Clear();
                        expected[which].Clear();
                        break;
                    case 2 when which > 0:
                        foreach (var (name, newest) in expected[0])
                        {
                            expected[which][name] = Math.Max(newest, expected[which].GetValueOrDefault(name, double.NegativeInfinity));
                        }

                        clocks[which].Advance(clocks[0]);
                        break;
                    case 3 when sources.Find(source) is not null && time < before:
                        clocks[which].Lower(source, time);
                        expected[which][source] = time;
                        break;
                    default:
                        clocks[which].Advance(source, time);
                        expected[which][source] = Math.Max(time, before);
                        break;
                }
            }

            for (var i = 0; i < clocks.Length; i++)
            {
                Assert.Equal(
                    expected[i].OrderBy(static entry => entry.Key, StringComparer.Ordinal),
                    clocks[i].OrderBy(static entry => entry.Key, StringComparer.Ordinal)
                );
                Assert.All(expected[i], entry => Assert.Equal(entry.Value, clocks[i][entry.Key]));
                clocks[i].Clear();
            }

            Assert.Equal(0, budget.Taken);
        }
    }

    private static IEnumerable<(string Source, double Time)> Others(LockstepModel node) =>
        node.GetClock()
            .Where(entry => entry.Key != node.Id)
            .Select(static entry => (entry.Key, entry.Value))
            .OrderBy(static entry => entry.Key, StringComparer.Ordinal);

    private static string Line(string key, int time, string source) =>
        string.Create(CultureInfo.InvariantCulture, $"[[\"{key}\",1],{time},\"{source}\"]");
}
