using System.Text;
using System.Text.Json;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

public sealed class StreamTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_nodes_sync_and_then_follow_each_other()
    {
        await using var a = new LockstepModel();
        await using var b = new LockstepModel();
        a.Set("fromA", 1);
        b.Set("fromB", new { deep = new[] { 1, 2 } });
        var (left, right) = StreamPair.Connect(a, b);
        await left.Synced.WaitAsync(Token);
        await right.Synced.WaitAsync(Token);
        Assert.Equal(b.Id, left.Peer!.Id);
        Assert.Equal("""{"deep":[1,2]}""", a["fromB"]!.Value.GetRawText());
        Assert.Equal(1, b["fromA"]!.Value.GetInt32());

        a.Set("later", "ä€😀");
        await Eventually.TrueAsync(() => b["later"]?.GetString() == "ä€😀", "the live update");
        b.Remove("fromA");
        await Eventually.TrueAsync(() => a["fromA"] is null, "the removal");
        Assert.True(a.TryGet("fromA", out var removed) && removed.IsRemoved);
    }

    [Fact]
    public async Task Meta_and_header_reach_the_peer_and_its_observers()
    {
        await using var a = new LockstepModel(new GossipNodeOptions { Id = "A" });
        await using var b = new LockstepModel(new GossipNodeOptions { Id = "B" });
        var seen = new RecordingObserver();
        using var subscription = b.Subscribe(seen);
        var (left, right) = StreamPair.Connect(a, b, new GossipStreamOptions { Meta = JsonSerializer.SerializeToElement(new { hi = 1 }) });
        await Task.WhenAll(left.Synced, right.Synced).WaitAsync(Token);
        Assert.Equal("A", Assert.Single(seen.Headers).Id);
        Assert.Equal("""{"hi":1,"kind":"model"}""", seen.Headers[0].Meta!.Value.GetRawText());
        await Eventually.TrueAsync(() => seen.Synced == 1, "synced");
    }

    [Fact]
    public async Task A_send_only_stream_takes_nothing_and_a_receive_only_one_gives_nothing()
    {
        await using var sender = new LockstepModel();
        await using var receiver = new LockstepModel();
        sender.Set("s", 1);
        receiver.Set("r", 1);
        var (left, right) = StreamPair.Connect(
            sender,
            receiver,
            new GossipStreamOptions { Direction = GossipDirection.SendOnly },
            new GossipStreamOptions { Direction = GossipDirection.ReceiveOnly }
        );
        await Task.WhenAll(left.Synced, right.Synced).WaitAsync(Token);
        sender.Set("s2", 2);
        receiver.Set("r2", 2);
        await Eventually.TrueAsync(() => receiver["s2"] is not null, "the live update");
        Assert.Equal(["s", "s2"], sender.Keys.Order());
    }

    [Fact]
    public async Task A_send_only_stream_ignores_the_updates_of_a_peer_that_speaks_both_ways()
    {
        await using var sender = new LockstepModel();
        await using var other = new LockstepModel();
        other.Set("o", 1);
        var (left, right) = StreamPair.Connect(sender, other, new GossipStreamOptions { Direction = GossipDirection.SendOnly });
        await Task.WhenAll(left.Synced).WaitAsync(Token);
        sender.Set("s", 1);
        await Eventually.TrueAsync(() => other["s"] is not null, "the live update");
        Assert.Equal(["s"], sender.Keys);
        await right.DisposeAsync();
    }

    [Fact]
    public async Task A_receive_only_stream_that_sends_its_clock_gets_only_what_it_lacks()
    {
        await using var node = new LockstepModel();
        node.Set("old", 1);
        var (ours, theirs) = StreamPair.Create();
        await using var attached = node.Attach(ours, new GossipStreamOptions { Direction = GossipDirection.ReceiveOnly });
        using var reader = new StreamReader(theirs);
        var header = await reader.ReadLineAsync(Token);
        Assert.Contains(node.Id, header, StringComparison.Ordinal);
        await theirs.WriteAsync("{\"id\":\"x\",\"clock\":{}}\n"u8.ToArray(), Token);
        Assert.Equal("\"SYNC\"", await reader.ReadLineAsync(Token));
    }

    [Fact]
    public async Task Without_tail_a_stream_ends_when_both_sides_have_synced()
    {
        await using var a = new LockstepModel();
        await using var b = new LockstepModel();
        a.Set("a", 1);
        b.Set("b", 1);
        var (left, right) = StreamPair.Connect(a, b, new GossipStreamOptions { Tail = false });
        await left.Completion.WaitAsync(Token);
        await right.Completion.WaitAsync(Token);
        Assert.Equal(a.Keys.Order(), b.Keys.Order());
        Assert.Equal(0, a.StreamCount);
        Assert.Equal(0, b.StreamCount);
    }

    [Fact]
    public async Task Dispose_ends_all_streams_and_the_counts_say_so()
    {
        await using var a = new LockstepModel();
        await using var b = new LockstepModel();
        await using var c = new LockstepModel();
        var seen = new RecordingObserver();
        using var subscription = a.Subscribe(seen);
        var (_, toB) = StreamPair.Connect(a, b);
        var (_, toC) = StreamPair.Connect(a, c);
        await Task.WhenAll(toB.Synced, toC.Synced).WaitAsync(Token);
        Assert.Equal(2, a.StreamCount);
        await a.DisposeAsync();
        await toB.Completion.WaitAsync(Token);
        await toC.Completion.WaitAsync(Token);
        // Whoever delivers notifications also delivers those of others, and may not have reached the last.
        await Eventually.TrueAsync(() => seen.StreamCounts.Count == 4, "the last count");
        Assert.Equal([1, 2, 1, 0], seen.StreamCounts);
        Assert.Throws<ObjectDisposedException>(() => a.Set("k", 1));
        b.Set("k", 1);
    }

    [Fact]
    public async Task A_malformed_line_closes_its_stream_with_an_error_and_the_node_goes_on()
    {
        await using var node = new LockstepModel();
        await using var good = new LockstepModel();
        var (left, _) = StreamPair.Connect(node, good);
        var (ours, theirs) = StreamPair.Create();
        var bad = node.Attach(ours);
        await theirs.WriteAsync("{\"id\":\"x\",\"clock\":{}}\n[[\"k\",1],2,\"x\"]\nnonsense\n"u8.ToArray(), Token);
        await Assert.ThrowsAsync<GossipProtocolException>(() => bad.Completion.WaitAsync(Token));
        Assert.Equal(1, node["k"]!.Value.GetInt32());
        await left.Synced.WaitAsync(Token);
        node.Set("still", true);
        await Eventually.TrueAsync(() => good["still"] is not null && good["k"] is not null, "the other stream goes on");
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("[1,[2]]")]
    [InlineData("{\"a\":[1]}")]
    [InlineData("\"text\"")]
    [InlineData("1.5")]
    [InlineData("true")]
    [InlineData("null")]
    public async Task A_value_of_any_kind_is_taken_from_a_peer(string json)
    {
        await using var a = new LockstepModel();
        await using var b = new LockstepModel();
        a.SetJson("key", System.Text.Encoding.UTF8.GetBytes(json));
        var (left, right) = StreamPair.Connect(a, b);
        await Task.WhenAll(left.Synced, right.Synced).WaitAsync(Token);
        Assert.True(b.TryGet("key", out var change));
        Assert.Equal(json, change.Value.GetRawText());
    }

    [Theory]
    [InlineData("[]", true)]
    [InlineData("[\"key\"]", true)]
    [InlineData("[\"key\",1,2]", false)]
    [InlineData("[\"key\",[],2]", false)]
    [InlineData("[[],2]", false)]
    [InlineData("\"key\"", true)]
    public async Task An_odd_change_in_a_file_ends_no_import(string change, bool isMisfit)
    {
        await using var node = new LockstepModel();
        using var lines = new MemoryStream(
            System.Text.Encoding.UTF8.GetBytes($"{{\"id\":\"x\",\"clock\":{{}}}}\n[{change},1,\"x\"]\n\"SYNC\"\n")
        );
        await GossipFile.ImportAsync(node, lines, Token);
        Assert.Equal(1, node.HistoryCount);
        Assert.Equal(isMisfit ? 1 : 0, node.MisfitCount);
    }

    [Fact]
    public async Task A_line_beyond_the_limit_closes_the_stream()
    {
        await using var node = new LockstepModel();
        var (ours, theirs) = StreamPair.Create();
        var stream = node.Attach(ours, new GossipStreamOptions { MaxLineBytes = 100_000 });
        _ = theirs.WriteAsync(Encoding.UTF8.GetBytes("[[\"k\",\"" + new string('x', 1_000_000)), Token).AsTask();
        var error = await Assert.ThrowsAsync<GossipProtocolException>(() => stream.Completion.WaitAsync(Token));
        Assert.Contains("100000", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(200)]
    [InlineData(70_000)]
    [InlineData(100_000)]
    public async Task A_line_of_the_greatest_length_is_taken_and_one_byte_more_is_not(int limit)
    {
        await using var node = new LockstepModel();
        var options = new GossipStreamOptions { MaxLineBytes = limit };
        var (ours, theirs) = StreamPair.Create();
        var stream = node.Attach(ours, options);
        _ = DrainAsync(theirs);
        await theirs.WriteAsync(LineOf(limit, "a"), Token);
        await theirs.WriteAsync(LineOf(limit, "b"), Token);
        await Eventually.TrueAsync(() => node.Keys.Count == 2, "both lines");
        await theirs.WriteAsync(LineOf(limit + 1, "c"), Token);
        await Assert.ThrowsAsync<GossipProtocolException>(() => stream.Completion.WaitAsync(Token));
        Assert.Equal(["a", "b"], node.Keys);

        static byte[] LineOf(int length, string key)
        {
            var around = $"[[\"{key}\",\"\"],1,\"{key}\"]";
            return Encoding.UTF8.GetBytes(around.Insert(7, new string('x', length - around.Length)) + "\n");
        }

        static async Task DrainAsync(Stream stream) => await stream.CopyToAsync(Stream.Null, Token);
    }

    [Fact]
    public async Task A_change_that_makes_a_longer_line_than_peers_take_is_refused()
    {
        await using var node = new LockstepModel(new GossipNodeOptions { Id = "A", MaxUpdateBytes = 1000 });
        var length = node.Set("k", "").ToString().Length;
        var most = new string('x', 1000 - length);
        Assert.Equal(1000, node.Set("k", most).ToString().Length);
        Assert.Throws<GossipChangeException>(() => node.Set("k", most + "x"));
        Assert.Equal(most, node["k"]!.Value.GetString());

        // By default what other nodes accept by default.
        await using var usual = new LockstepModel();
        Assert.Throws<GossipChangeException>(() => usual.Set("k", new string('x', GossipStreamOptions.DefaultMaxLineBytes)));
        Assert.Equal(0, usual.HistoryCount);
        usual.Set("k", 1);
    }

    [Fact]
    public async Task A_stream_that_is_cut_after_any_number_of_bytes_is_made_up_for_by_the_next()
    {
        // Both directions together, byte by byte: in a header, a line, "SYNC", and live updates.
        for (var bytes = 0; ; bytes++)
        {
            await using var a = new LockstepModel(new GossipNodeOptions { Id = "A" });
            await using var b = new LockstepModel(new GossipNodeOptions { Id = "B" });
            a.Set("a", "ä");
            b.Set("b", 1);
            var (left, right) = StreamPair.Create();
            var atB = b.Attach(right);
            var atA = a.Attach(new CutStream(left, bytes));
            await Task.WhenAny(Task.WhenAll(atA.Synced, atB.Synced), atA.Completion).WaitAsync(Token);
            a.Set("live", 2);
            await atA.DisposeAsync();
            await atB
                .Completion.WaitAsync(Token)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            Assert.Equal((0, 0), (a.StreamCount, b.StreamCount));
            Assert.True(atB.Completion.Exception?.InnerException is null or IOException, atB.Completion.Exception?.ToString());

            var (again, other) = StreamPair.Connect(
                a,
                b,
                new GossipStreamOptions { Tail = false },
                new GossipStreamOptions { Tail = false }
            );
            await Task.WhenAll(again.Completion, other.Completion).WaitAsync(Token);
            Assert.Equal(["a", "b", "live"], a.Keys.Order());
            Assert.Equal(
                a.GetHistory().Select(static update => update.ToString()),
                b.GetHistory().Select(static update => update.ToString())
            );
            if (atA.Synced.IsCompletedSuccessfully && atB.Synced.IsCompletedSuccessfully)
            {
                // Two headers, two updates and two times "SYNC" have passed completely.
                Assert.True(bytes > 100, $"{bytes}");
                return;
            }
        }
    }

    [Fact]
    public async Task A_stream_that_is_cut_in_a_line_says_so_and_applies_nothing_of_it()
    {
        await using var node = new LockstepModel();
        var (ours, theirs) = StreamPair.Create();
        var stream = node.Attach(ours);
        await theirs.WriteAsync("[[\"k\",1],2,\"x\"]\n[[\"l\",1],3,"u8.ToArray(), Token);
        await theirs.DisposeAsync();
        await Assert.ThrowsAsync<EndOfStreamException>(() => stream.Completion.WaitAsync(Token));
        Assert.Equal(["k"], node.Keys);
    }

    [Fact]
    public async Task Lines_may_come_in_pieces_of_any_size()
    {
        await using var node = new LockstepModel();
        var (ours, theirs) = StreamPair.Create();
        await using var stream = node.Attach(ours);
        var bytes = Encoding.UTF8.GetBytes("{\"id\":\"x\",\"clock\":{}}\r\n\n[[\"ключ\",\"€\"],2,\"x\"]\n\"SYNC\"\n");
        foreach (var b in bytes)
        {
            await theirs.WriteAsync(new[] { b }, Token);
        }

        await stream.Synced.WaitAsync(Token);
        Assert.Equal("€", node["ключ"]!.Value.GetString());
    }

    [Fact]
    public async Task A_clone_has_the_same_id_and_is_equal_at_once()
    {
        await using var model = new LockstepModel(new GossipNodeOptions { Id = "A" });
        model.Set("k", 1);
        var seen = new RecordingObserver();
        using var subscription = model.Subscribe(seen);
        await using (var clone = model.Clone())
        {
            Assert.Equal("A", clone.Id);
            Assert.Equal(1, clone["k"]!.Value.GetInt32());
            clone.Set("c", 2);
            Assert.Equal(2, model["c"]!.Value.GetInt32());
            model.Set("k", 3);
            Assert.Equal(3, clone["k"]!.Value.GetInt32());

            // A peer of the clone gets what the original wrote, in one sequence.
            await using var peer = new LockstepModel();
            var (left, _) = StreamPair.Connect(clone, peer);
            await left.Synced.WaitAsync(Token);
            model.Set("x", 1);
            clone.Set("y", 1);
            model.Set("z", 1);
            await Eventually.TrueAsync(() => peer.Keys.Count == 5, "all of both");
        }

        model.Set("after", 1);
        Assert.Equal([1, 0], seen.CloneCounts);
    }

    [Fact]
    public async Task A_data_type_of_ones_own_needs_one_operation()
    {
        await using var a = new GossipSet();
        await using var b = new GossipSet();
        a.Add("x");
        b.Add("x");
        b.Add("y");
        var (left, right) = StreamPair.Connect(a, b);
        await Task.WhenAll(left.Synced, right.Synced).WaitAsync(Token);
        Assert.Equal(["x", "y"], a.Items);
        Assert.Equal(["x", "y"], b.Items);
    }

    [Fact]
    public async Task Watching_a_model_yields_what_is_there_and_then_what_comes()
    {
        await using var model = new LockstepModel();
        model.Set("a", 1);
        await using var changes = model.WatchAsync(includeExisting: true, Token).GetAsyncEnumerator(Token);
        Assert.True(await changes.MoveNextAsync());
        Assert.Equal("a", changes.Current.Key);
        var next = changes.MoveNextAsync().AsTask();
        Assert.False(next.IsCompleted);
        model.Remove("a");
        Assert.True(await next);
        Assert.True(changes.Current.IsRemoved);
    }

    [Fact]
    public async Task Observers_may_write_and_see_everything_in_order()
    {
        await using var model = new LockstepModel();
        var seen = new RecordingObserver();
        using var subscription = model.Subscribe(seen);
        using var writing = model.Subscribe(new Echo(model));
        model.Set("a", 1);
        Assert.Equal(["a", "a2"], model.Keys.Order());
        Assert.Equal(2, seen.Updates.Count);
    }

    private sealed class Echo(LockstepModel model) : IGossipObserver
    {
        public void OnUpdate(GossipUpdate update)
        {
            if (update.GetChange()[0].GetString() == "a")
            {
                model.Set("a2", 1);
            }
        }
    }

    private sealed class GossipSet(GossipNodeOptions? options = null) : GossipNode(options)
    {
        private readonly SortedSet<string> _items = new(StringComparer.Ordinal);

        public IReadOnlyList<string> Items
        {
            get
            {
                using (Batch())
                {
                    return [.. _items];
                }
            }
        }

        public void Add(string item) => LocalUpdate(JsonSerializer.SerializeToUtf8Bytes(item));

        protected override bool Apply(GossipUpdate update)
        {
            if (!_items.Add(update.GetChange().GetString()!))
            {
                return false;
            }

            Keep(update);
            return true;
        }
    }
}
