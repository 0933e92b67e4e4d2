using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Gossip.Wire;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

/// <summary>What a peer can take from a node, each limit tried by a peer that wants more.</summary>
public sealed class LimitTests
{
    private static readonly IPEndPoint Loopback = new(IPAddress.Loopback, 0);
    private readonly ManualTimeProvider _time = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string, long> Limits =>
        new()
        {
            { "PeerBuffer.Budget.MaxBytes", PeerBuffer.Budget.MaxBytes },
            { "GossipMessageParser.MaxMetaBytes", GossipMessageParser.MaxMetaBytes },
            { "GossipHeader.LargeBytes", GossipHeader.LargeBytes },
            { "GossipNodeOptions.MaxSources", new GossipNodeOptions().MaxSources },
            { "SourceIndex.MaxBytes", SourceIndex.MaxBytes },
            { "Strangers.Budget.MaxBytes", Strangers.Budget.MaxBytes },
            { "GossipStreamOptions.MaxLineBytes", new GossipStreamOptions().MaxLineBytes >> 20 },
            { "GossipNodeOptions.MaxHeldUpdates", new GossipNodeOptions().MaxHeldUpdates },
            { "HoldBook.MaxBytes", HoldBook<object>.MaxBytes },
            { "HoldBook.MaxSources", HoldBook<object>.MaxSources },
            { "HoldBook.MaxBytesInAll", HoldBook<object>.MaxBytesInAll },
            { "HoldBook.MaxSourcesInAll", HoldBook<object>.MaxSourcesInAll },
            { "GossipSession.MaxHellosPerMinute", GossipSession.MaxHellosPerMinute },
            { "HelloBook.MostPerAddress", HelloBook.MostPerAddress },
            { "HelloBook.Most", HelloBook.Most },
            { "GossipListenerOptions.MaxPeers", new GossipListenerOptions().MaxPeers },
            { "GossipListenerOptions.MaxPeersPerAddress", new GossipListenerOptions().MaxPeersPerAddress },
            { "PeerPlaces.Silence", (long)PeerPlaces.Silence.TotalMinutes },
        };

    [Theory]
    [MemberData(nameof(Limits))]
    public void A_limit_in_the_document_is_that_of_the_code(string name, long value) => Assert.Equal(value, DocumentedLimits.Of(name));

    [Fact]
    public async Task Ten_thousand_sources_that_are_ahead_come_due_at_once()
    {
        await using var node = new LockstepModel(new GossipNodeOptions { TimeProvider = _time, MaxHeldUpdates = 20_000 });
        using var peer = new ScriptedPeer(node);
        peer.SaysHello();
        var ahead = (_time.GetUtcNow() - DateTimeOffset.UnixEpoch + node.Options.MaxFuture).TotalMilliseconds + 1000;
        var lines = Enumerable.Range(0, HoldBook<string>.MaxSources);
        peer.Says([.. lines.Select(i => string.Create(CultureInfo.InvariantCulture, $"[[\"k{i}\",1],{ahead:F0},\"S{i}\"]"))]);
        Assert.Equal(0, node.HistoryCount);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(HoldBook<string>.MaxSources, node.HistoryCount);
        Assert.Empty(node.GetHeld());
    }

    [Fact]
    public async Task A_peer_that_reads_nothing_costs_a_piece_of_the_header_and_the_whole_one_has_what_came_meanwhile()
    {
        const int count = 30_000;
        await using var node = new LockstepModel(new GossipNodeOptions { TimeProvider = _time });
        using var other = new ScriptedPeer(node);
        other.SaysHello("other");
        other.Says([.. Enumerable.Range(0, count).Select(static i => $"[[\"k\",1],{i + 1},\"made up {i}\"]")]);

        using var peer = new ScriptedPeer(node);
        var header = new ArrayBufferWriter<byte>();
        peer.Session.Produce(header);
        Assert.InRange(header.WrittenCount, 1, 2 * GossipSession.BatchBytes);
        var before = GC.GetAllocatedBytesForCurrentThread();
        peer.SaysHello();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4 * GossipSession.BatchBytes);

        other.Says("""[["l",1],5,"came meanwhile"]""");
        while (header.WrittenSpan[^1] != (byte)'\n')
        {
            var written = header.WrittenCount;
            Assert.True(peer.Session.Produce(header));
            Assert.InRange(header.WrittenCount - written, 1, 2 * GossipSession.BatchBytes);
        }

        var clock = new GossipMessageParser().Parse(header.WrittenSpan[..^1], true).Header!.Clock;
        Assert.Equal(count + 1, clock.Count);
        Assert.Equal(5, clock["came meanwhile"]);
        Assert.Equal(count, clock[$"made up {count - 1}"]);
    }

    [Fact]
    public async Task A_header_in_pieces_is_one_message_of_a_stream_of_messages()
    {
        await using var node = new LockstepModel(new GossipNodeOptions { TimeProvider = _time });
        using var other = new ScriptedPeer(node);
        other.SaysHello("other");
        other.Says([.. Enumerable.Range(0, 10_000).Select(static i => $"[[\"k\",1],{i + 1},\"made up {i}\"]")]);
        var message = new MemoryStream();
        await using var stream = new DuplexStream(
            new MemoryStream(Encoding.UTF8.GetBytes("{\"id\":\"x\",\"clock\":{}}\n\"SYNC\"\n")),
            new MemoryStream()
        )
        {
            BeginMessage = () => message,
        };
        await node.RunAsync(stream, new GossipStreamOptions { Tail = false }, Token);
        var line = message.ToArray().AsSpan();
        Assert.Equal(line.Length - 1, line.IndexOf((byte)'\n'));
        Assert.Equal(10_000, new GossipMessageParser().Parse(line[..^1], true).Header!.Clock.Count);
    }

    [Fact]
    public async Task What_comes_after_the_hello_is_sent_after_SYNC()
    {
        await using var node = new LockstepModel(new GossipNodeOptions { TimeProvider = _time });
        using var other = new ScriptedPeer(node);
        other.SaysHello("other");
        other.Says("""[["before",1],5,"S"]""");
        using var peer = new ScriptedPeer(node);
        peer.SaysHello();
        other.Says("""[["after",1],6,"S"]""", """[["stranger",1],4,"T"]""");
        Assert.Equal(
            ["""[["before",1],5,"S"]""", "\"SYNC\"", """[["stranger",1],4,"T"]""", """[["after",1],6,"S"]"""],
            peer.Hears().Skip(1)
        );
    }

    [Fact]
    public async Task Of_a_large_header_only_what_the_node_knows_is_kept()
    {
        await using var node = new LockstepModel(new GossipNodeOptions { Id = "me", TimeProvider = _time });
        using var other = new ScriptedPeer(node);
        other.SaysHello("other");
        other.Says("""[["k",1],5,"known"]""", """[["l",1],5,"behind"]""");
        using var peer = new ScriptedPeer(node);
        var strangers = string.Join(',', Enumerable.Range(0, 20_000).Select(static i => $"\"stranger {i}\":9"));
        peer.SaysHello("peer", $$"""{{{strangers}},"known":5}""");
        Assert.Equal("known", Assert.Single(peer.Session.PeerClock).Key);
        Assert.Equal(["""[["l",1],5,"behind"]"""], peer.Hears().Where(static line => line[0] == '['));
    }

    [Fact]
    public async Task A_meta_that_is_too_long_ends_the_stream()
    {
        await using var node = new LockstepModel();
        using var peer = new ScriptedPeer(node);
        var meta = new string('m', GossipMessageParser.MaxMetaBytes);
        Assert.Throws<GossipProtocolException>(() => peer.Says($$"""{"id":"x","clock":{},"meta":"{{meta}}"}"""));
    }

    [Fact]
    public async Task Many_short_lines_are_taken_in_parts()
    {
        await using var node = new LockstepModel();
        using var peer = new ScriptedPeer(node);
        const int count = (3 * GossipSession.MaxInbox) + 5;
        peer.SaysHello();
        peer.Says([.. Enumerable.Range(1, count).Select(static i => $"[[\"k{i}\",1],{i},\"S\"]")]);
        Assert.Equal(count, node.HistoryCount);
        Assert.True(peer.Session.InboxCapacity <= GossipSession.MaxInbox);
    }

    [Fact]
    public void Unfinished_lines_of_all_peers_take_so_much_and_a_finished_one_gives_its_room_back()
    {
        const int line = 1 << 20;
        var budget = new PeerBuffer.Budget(8 * line);
        var buffers = new List<PeerBuffer>();
        try
        {
            while (HasRoom(line)) { }

            Assert.InRange(buffers.Count, 5, 10);
            var refused = buffers[^1];
            Assert.Throws<GossipProtocolException>(() => Fill(refused, line));
            buffers[0].Drop(buffers[0].Length);
            Assert.True(buffers[0].Room().Length <= 2 * GossipSession.BatchBytes);
            Fill(refused, refused.Length + GossipSession.BatchBytes);
        }
        finally
        {
            buffers.ForEach(static buffer => buffer.Dispose());
        }

        bool HasRoom(int bytes)
        {
            var buffer = new PeerBuffer(budget);
            buffers.Add(buffer);
            try
            {
                Fill(buffer, bytes);
                return true;
            }
            catch (GossipProtocolException)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task A_large_value_is_sent_from_where_it_is_kept_and_not_copied_for_each_peer()
    {
        await using var node = new LockstepModel();
        node.Set("large", new string('x', 1 << 20));
        var change = node.GetHistory().Single().Change;
        var written = new List<ReadOnlyMemory<byte>>();
        await using var stream = new DuplexStream(
            new MemoryStream(Encoding.UTF8.GetBytes("{\"id\":\"x\",\"clock\":{}}\n\"SYNC\"\n")),
            new WritesSeen(written)
        );
        await node.RunAsync(stream, new GossipStreamOptions { Tail = false }, Token);
        Assert.True(MemoryMarshal.TryGetArray(change, out var kept));
        Assert.Equal(change.Length, written.Where(IsKept).Sum(static piece => piece.Length));
        Assert.True(written.Where(piece => !IsKept(piece)).Sum(static piece => piece.Length) < 1000);

        bool IsKept(ReadOnlyMemory<byte> piece) => MemoryMarshal.TryGetArray(piece, out var of) && of.Array == kept.Array;
    }

    [Fact]
    public async Task Who_comes_and_says_nothing_is_let_go()
    {
        await using var node = new LockstepModel(new GossipNodeOptions { TimeProvider = _time });
        var hub = new GossipHub(KeyValuePair.Create<string, GossipNode>("m", node));
        var (silent, theirs) = StreamPair.Create();
        var speaking = hub.RunAsync(theirs, cancellationToken: Token);
        await Eventually.TrueAsync(() => node.StreamCount == 1, "its stream");
        await Eventually.TrueAsync(
            () =>
            {
                _time.Advance(TimeSpan.FromSeconds(31));
                return speaking.IsCompleted;
            },
            "its end"
        );
        await Assert.ThrowsAsync<GossipProtocolException>(() => speaking);
        Assert.Equal(0, node.StreamCount);
        await silent.DisposeAsync();
    }

    [Fact]
    public async Task A_listener_has_so_many_places_for_an_address_and_together()
    {
        await using var node = new LockstepModel();
        var failures = new List<Exception>();
        await using var listener = Listen(node, failures, 2);
        using var first = await ConnectAsync(listener);
        using var second = await ConnectAsync(listener);
        await Eventually.TrueAsync(() => node.StreamCount == 2, "both");
        using var third = await ConnectAsync(listener);
        Assert.Equal(0, await ReadAsync(third, new byte[1]));
        await Eventually.TrueAsync(() => failures.Count == 1, "the word on it");
        Assert.IsType<IOException>(failures[0]);
        first.Close();
        await Eventually.TrueAsync(IsLetInAsync, "the place of the one that left");

        async Task<bool> IsLetInAsync()
        {
            using var another = await ConnectAsync(listener);
            try
            {
                await SayAsync(another, "{\"id\":\"y\",\"clock\":{}}\n");
                return await ReadAsync(another, new byte[1]) > 0;
            }
            catch (IOException)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task Who_has_been_silent_for_long_makes_room_and_who_has_spoken_does_not()
    {
        await using var node = new LockstepModel();
        var failures = new List<Exception>();
        await using var listener = Listen(node, failures, 10, 2);
        using var silent = await ConnectAsync(listener);
        using var talking = await ConnectAsync(listener);
        await SayAsync(silent, "{\"id\":\"x\",\"clock\":{}}\n[[\"a\",1],5,\"S\"]\n");
        await SayAsync(talking, "{\"id\":\"x\",\"clock\":{}}\n[[\"b\",1],5,\"T\"]\n");
        await Eventually.TrueAsync(() => node.HistoryCount == 2, "what both said");
        _time.Advance(PeerPlaces.Silence);
        await SayAsync(talking, "[[\"c\",1],6,\"T\"]\n");
        await Eventually.TrueAsync(() => node.HistoryCount == 3, "what the one said later");
        using var newcomer = await ConnectAsync(listener);
        var rest = new byte[4096];
        while (await ReadAsync(silent, rest) > 0) { }

        await Eventually.TrueAsync(() => failures.Count == 1, "the word on it");
        await SayAsync(newcomer, "{\"id\":\"y\",\"clock\":{}}\n");
        Assert.NotEqual(0, await ReadAsync(newcomer, rest));

        // Now nobody has been silent for long.
        using var another = await ConnectAsync(listener);
        Assert.Equal(0, await ReadAsync(another, rest));
    }

    [Fact]
    public void Hellos_are_counted_for_an_address_and_together_and_forgotten_after_a_minute()
    {
        var book = new HelloBook();
        for (var i = 0; i < HelloBook.MostPerAddress; i++)
        {
            book.Note(IPAddress.Parse($"2001:db8::{i % 9}"), _time);
        }

        Assert.Throws<GossipProtocolException>(() => book.Note(IPAddress.Parse("2001:db8::ffff"), _time));
        for (var i = HelloBook.MostPerAddress; i < HelloBook.Most; i++)
        {
            book.Note(IPAddress.Parse($"10.0.{i % 200}.1"), _time);
        }

        Assert.Throws<GossipProtocolException>(() => book.Note(IPAddress.Loopback, _time));
        Assert.Throws<GossipProtocolException>(() => book.Note(null, _time));
        _time.Advance(TimeSpan.FromMinutes(1));
        book.Note(IPAddress.Parse("2001:db8::1"), _time);
    }

    [Fact]
    public async Task Who_comes_again_and_again_for_the_history_is_let_go()
    {
        await using var node = new LockstepModel(new GossipNodeOptions { TimeProvider = _time });
        var hub = new GossipHub([new("m", node)]);
        for (var i = 0; i <= HelloBook.MostPerAddress; i++)
        {
            var speaking = hub.RunAsync(
                new HelloOnly(i),
                options: new GossipStreamOptions { From = IPAddress.Loopback },
                cancellationToken: Token
            );
            if (i < HelloBook.MostPerAddress)
            {
                await speaking;
            }
            else
            {
                await Assert.ThrowsAsync<GossipProtocolException>(() => speaking);
            }
        }
    }

    private static void Fill(PeerBuffer buffer, int bytes)
    {
        while (buffer.Length < bytes)
        {
            buffer.Advance(buffer.Room().Length);
        }
    }

    private static Task SayAsync(TcpClient peer, string lines) =>
        peer.GetStream().WriteAsync(Encoding.UTF8.GetBytes(lines), Token).AsTask();

    private static Task<int> ReadAsync(TcpClient peer, byte[] into) =>
        peer.GetStream().ReadAsync(into, Token).AsTask().WaitAsync(Eventually.Deadline, Token);

    private static async Task<TcpClient> ConnectAsync(GossipListener listener)
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, listener.Uri.Port, Token);
        return client;
    }

    private GossipListener Listen(LockstepModel node, List<Exception> failures, int perAddress, int together = 10) =>
        GossipListener.Start(
            Loopback,
            new GossipHub(KeyValuePair.Create<string, GossipNode>("m", node)),
            new GossipListenerOptions
            {
                MaxPeers = together,
                MaxPeersPerAddress = perAddress,
                TimeProvider = _time,
                ConnectionFailed = (_, error) =>
                {
                    lock (failures)
                    {
                        failures.Add(error);
                    }
                },
            }
        );

    private sealed class HelloOnly(int id) : MemoryStream(Encoding.UTF8.GetBytes($"{{\"id\":\"{id}\",\"clock\":{{}}}}\n"))
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            ValueTask.CompletedTask;
    }

    private sealed class WritesSeen(List<ReadOnlyMemory<byte>> written) : MemoryStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            written.Add(buffer);
            return ValueTask.CompletedTask;
        }
    }
}
