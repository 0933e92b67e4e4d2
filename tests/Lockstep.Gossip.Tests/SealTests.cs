using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Security;
using Lockstep.Samples;
using Lockstep.Testing;
using Microsoft.Data.Sqlite;

namespace Lockstep.Gossip.Tests;

/// <summary>Modern signatures: what they cover, what a relay without a key can do about them, and what their count shows.</summary>
public sealed class SealTests : IDisposable
{
    private static readonly JsonSerializerOptions AsJavaScript = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly string WriterKey = EcdsaSecurity.CreatePrivateKeyPem();
    private readonly TempFolder _folder = new();
    private readonly List<IDisposable> _keys = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _keys.ForEach(static key => key.Dispose());
        _folder.Dispose();
    }

    [Fact]
    public async Task An_update_that_is_signed_for_one_model_is_not_taken_in_another()
    {
        await using var writer = new LockstepModel(Writer("a"));
        await using var same = new LockstepModel(Reader("a"));
        await using var other = new LockstepModel(Reader("b"));
        await using var unnamed = new LockstepModel(Reader(null) with { ModernOnly = false });
        await using var events = new LockstepEmitter(Reader("a"));
        writer.Set("k", 1);
        var seen = new RecordingObserver();
        using var _ = other.Subscribe(seen);
        foreach (var node in new GossipNode[] { same, other, unnamed, events })
        {
            using var relay = new ScriptedPeer(node);
            relay.Says(Lines(writer));
        }

        Assert.Equal(writer.Id, Assert.Single(seen.Unverified).Source);

        Assert.Equal(1, same["k"]!.Value.GetInt32());
        Assert.Equal((0, 0, 0), (other.HistoryCount, unnamed.HistoryCount, events.HistoryCount));
    }

    [Fact]
    public async Task Nodes_that_sign_for_different_names_say_so_and_part()
    {
        await using var a = new LockstepModel(Writer("a"));
        await using var b = new LockstepModel(Reader("b"));
        var (left, right) = StreamPair.Connect(a, b);
        var error = await Assert.ThrowsAsync<GossipSecurityException>(() => right.Completion.WaitAsync(Token));
        Assert.Contains("'b'", error.Message, StringComparison.Ordinal);
        Assert.Contains("'a'", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAnyAsync<Exception>(() => left.Completion.WaitAsync(Token));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_update_that_lost_any_of_its_signatures_on_the_way_is_not_taken(bool modernOnly)
    {
        var (privateKey, publicKey) = SecurityTests.NewRsaPair();
        using var writing = new RsaSha1Security(privateKey, publicKey);
        await using var writer = new LockstepModel(new GossipNodeOptions { Security = writing, SharedName = "m" });
        await using var reader = new LockstepModel(
            new GossipNodeOptions
            {
                Security = Trusting(publicKey),
                SharedName = "m",
                ModernOnly = modernOnly,
            }
        );
        var update = JsonNode.Parse(writer.Set("k", 1).ToString())!.AsArray();
        Assert.Equal(5, update.Count);
        foreach (var stripped in new[] { Without(update, 3), Without(update, 4), Without(Without(update, 4), 3) })
        {
            using var relay = new ScriptedPeer(reader);
            relay.SaysHello();
            relay.Says(Text(stripped));
            Assert.Equal(0, reader.HistoryCount);
        }

        // The same with another count, or with another statement of what came before.
        foreach (var (place, value) in new (int, JsonNode)[] { (0, 2), (2, "1") })
        {
            var changed = update.DeepClone().AsArray();
            changed[3]![place] = value;
            using var relay = new ScriptedPeer(reader);
            relay.SaysHello();
            relay.Says(Text(changed));
            Assert.Equal(0, reader.HistoryCount);
        }

        using var honest = new ScriptedPeer(reader);
        honest.Says(Text(update));
        Assert.Equal(Text(update), reader.GetHistory().Single().ToString());
    }

    [Fact]
    public async Task A_node_set_to_modern_takes_nothing_that_was_signed_the_old_way_whoever_passes_it_on()
    {
        var key = Key(WriterKey);
        var old = new GossipUpdate("[\"k\",1]"u8.ToArray(), 5, key.Id, null);
        var line = new GossipUpdate("[\"k\",1]"u8.ToArray(), 5, key.Id, key.Sign(old.TextToSign())).ToString();
        await using var either = new LockstepModel(Reader("m") with { ModernOnly = false });
        await using var modern = new LockstepModel(Reader("m"));
        using (var peer = new ScriptedPeer(either))
        {
            peer.Says(line);
        }

        Assert.Equal(1, either["k"]!.Value.GetInt32());
        using var link = new SimulatedLink(either, modern);
        link.Settle();
        Assert.Equal(0, modern.HistoryCount);
        Assert.Equal(key.Id, Assert.Single(modern.GetHeld()).Source);
    }

    [Fact]
    public async Task What_was_replaced_or_came_already_is_not_taken_when_it_is_said_again()
    {
        await using var writer = new LockstepModel(Writer("m"));
        await using var reader = new LockstepModel(Reader("m"));
        var first = writer.Set("k", 1).ToString();
        var second = writer.Set("k", 2).ToString();
        using var relay = new ScriptedPeer(reader);
        relay.Says(first, second);
        var seen = new RecordingObserver();
        using var _ = reader.Subscribe(seen);
        relay.Says(first, second);
        Assert.Equal(2, reader["k"]!.Value.GetInt32());
        Assert.Empty(seen.Updates);
        Assert.Equal(2, seen.Old.Count);
        Assert.Empty(reader.GetMissing());
    }

    [Fact]
    public async Task What_a_relay_drops_is_reported_asked_of_the_others_and_taken_when_it_comes()
    {
        var time = new ManualTimeProvider();
        await using var writer = new LockstepModel(Writer("m"));
        await using var reader = new LockstepModel(Reader("m") with { TimeProvider = time });
        await using var honest = new LockstepModel(Reader("m"));
        var seen = new RecordingObserver();
        using var _ = reader.Subscribe(seen);
        using var link = new SimulatedLink(honest, reader);
        link.Settle();
        writer.Set("a", 1);
        writer.Set("b", 2);
        writer.Set("c", 3);
        var lines = Lines(writer);

        // It forwards only the newest.
        using var censor = new ScriptedPeer(reader);
        Greet(censor);
        censor.Hears();
        censor.Says(lines[^1]);
        Assert.Equal(["c"], reader.Keys);
        Assert.Equal(new GossipMissing(writer.Id, 2, "1-2"), Assert.Single(seen.Missing));
        Assert.Equal(seen.Missing, reader.GetMissing());
        // It is not asked itself.
        Assert.DoesNotContain(censor.Hears(), static line => line.StartsWith("{\"id\"", StringComparison.Ordinal));

        // The honest one is asked with an earlier clock, and has nothing yet; then it does.
        link.Settle();
        Assert.Equal(2, link.SentByRight.Count(static line => line.StartsWith("{\"id\"", StringComparison.Ordinal)));
        using var source = new SimulatedLink(writer, honest);
        source.Settle();
        link.Settle();
        Assert.Equal(["a", "b", "c"], reader.Keys.Order());
        Assert.Empty(reader.GetMissing());
        Assert.Equal(writer.GetHistory().Select(static update => update.ToString()), reader.GetHistory().Select(static u => u.ToString()));
        Assert.Single(seen.Missing);
    }

    [Fact]
    public async Task An_event_that_was_held_back_reaches_who_reads_the_events_when_it_comes()
    {
        await using var writer = new LockstepEmitter(Writer("m"));
        await using var reader = new LockstepEmitter(Reader("m"));
        writer.EmitJson("first", []);
        writer.EmitJson("second", []);
        writer.EmitJson("third", []);
        var lines = Lines(writer);
        await using var events = reader.ReceiveAsync(includeExisting: true, Token).GetAsyncEnumerator(Token);
        using var relay = new ScriptedPeer(reader);
        relay.Says(lines[0], lines[2]);
        Assert.Equal(["first", "third"], [await Next(events), await Next(events)]);
        Assert.Equal("2", Assert.Single(reader.GetMissing()).Numbers);
        relay.Says(lines);
        Assert.Equal("second", await Next(events));
        Assert.Equal(["first", "second", "third"], reader.GetEvents().Select(static e => e.Name));

        static async Task<string> Next(IAsyncEnumerator<GossipEvent> events)
        {
            Assert.True(await events.MoveNextAsync());
            return events.Current.Name;
        }
    }

    [Fact]
    public async Task What_comes_late_without_a_right_signature_fills_no_gap()
    {
        await using var writer = new LockstepEmitter(Writer("m"));
        await using var reader = new LockstepEmitter(Reader("m"));
        writer.EmitJson("first", []);
        writer.EmitJson("second", []);
        var lines = Lines(writer);
        using var relay = new ScriptedPeer(reader);
        relay.Says(lines[1]);
        relay.Says(lines[0].Replace("first", "false", StringComparison.Ordinal));
        Assert.Equal(["second"], reader.GetEvents().Select(static e => e.Name));
        Assert.Single(reader.GetMissing());
    }

    [Fact]
    public async Task What_its_writer_replaced_or_forgot_is_not_missed()
    {
        await using var values = new LockstepModel(Writer("m"));
        await using var events = new LockstepEmitter(Writer("m"), new EventRetention { MaxEvents = 3 });
        await using var value = new RValue(Writer("m"));
        for (var i = 0; i < 10; i++)
        {
            values.Set("k" + (i % 3), i);
            events.EmitJson("e", []);
            value.SetJson(System.Text.Encoding.UTF8.GetBytes($"{i}"));
        }

        await using var readValues = new LockstepModel(Reader("m"));
        await using var readEvents = new LockstepEmitter(Reader("m"));
        await using var readValue = new RValue(Reader("m"));
        foreach (var (writer, reader) in new (GossipNode, GossipNode)[] { (values, readValues), (events, readEvents), (value, readValue) })
        {
            using var link = new SimulatedLink(writer, reader);
            link.Settle();
            Assert.Equal(writer.HistoryCount, reader.HistoryCount);
            Assert.Empty(reader.GetMissing());
        }

        Assert.Equal(9, readValue.Value!.Value.GetInt32());
    }

    [Fact]
    public async Task What_its_writer_replaced_meanwhile_is_missed_no_longer()
    {
        await using var writer = new LockstepModel(Writer("m"));
        await using var reader = new LockstepModel(Reader("m"));
        writer.Set("a", 1);
        var second = writer.Set("b", 1).ToString();
        using var relay = new ScriptedPeer(reader);
        relay.Says(second);
        Assert.Single(reader.GetMissing());
        relay.Says(writer.Set("a", 2).ToString());
        Assert.Empty(reader.GetMissing());
    }

    [Fact]
    public async Task The_count_and_what_is_missing_are_in_the_file()
    {
        var options = Writer("m") with { Path = _folder["writer.db"] };
        await using (var writer = new LockstepModel(options))
        {
            Assert.Equal(1, writer.Set("a", 1).Number);
            Assert.Equal(2, writer.Set("a", 2).Number);
        }

        var reading = Reader("m") with { Path = _folder["reader.db"] };
        string[] lines;
        await using (var writer = new LockstepModel(options with { Security = Key(WriterKey) }))
        await using (var reader = new LockstepModel(reading))
        {
            Assert.Equal(3, writer.Set("b", 3).Number);
            lines = Lines(writer);
            using var censor = new ScriptedPeer(reader);
            censor.Says(lines[1]);
        }

        await using var again = new LockstepModel(reading);
        Assert.Equal("2", Assert.Single(again.GetMissing()).Numbers);
        using var peer = new ScriptedPeer(again);
        Assert.Equal("{}", JsonDocument.Parse(peer.Hears()[0]).RootElement.GetProperty("clock").GetRawText());
        peer.Says(lines);
        Assert.Equal(["a", "b"], again.Keys.Order());
        Assert.Empty(again.GetMissing());
    }

    [Fact]
    public async Task A_file_from_before_there_were_numbers_is_taken_over()
    {
        var path = _folder["old.db"];
        await using (var node = new LockstepModel(new GossipNodeOptions { Id = Key(WriterKey).Id, Path = path }))
        {
            node.Set("k", 1);
        }

        Execute(
            path,
            "ALTER TABLE gossip_clock DROP COLUMN number; ALTER TABLE gossip_clock DROP COLUMN missing; "
                + "ALTER TABLE gossip_clock DROP COLUMN whole; PRAGMA user_version = 1"
        );
        await using (var node = new LockstepModel(Writer("m") with { Path = path }))
        {
            Assert.Equal(1, node["k"]!.Value.GetInt32());
            Assert.Equal(1, node.Set("l", 2).Number);
        }

        // And what is signed in it is valid for one model only.
        var error = Assert.Throws<GossipStoreException>(() => new LockstepModel(Writer("n") with { Path = path }));
        Assert.Contains("'m'", error.Message, StringComparison.Ordinal);
        await using var again = new LockstepModel(Writer("m") with { Path = path });
        Assert.Equal(2, again.Set("k", 3).Number);
    }

    [Fact]
    public async Task A_clone_goes_on_with_the_count()
    {
        await using var first = new LockstepModel(Writer("m") with { Path = _folder["cloned.db"] });
        first.Set("a", 1);
        await using var clone = first.Clone();
        clone.Set("b", 2);
        first.Set("c", 3);
        await using var reader = new LockstepModel(Reader("m"));
        using var link = new SimulatedLink(clone, reader);
        link.Settle();
        Assert.Equal([1, 2, 3], reader.GetHistory().Select(static update => update.Number));
        Assert.Empty(reader.GetMissing());
    }

    [Fact]
    public void Modern_only_needs_keys_and_a_name()
    {
        Assert.Throws<GossipSecurityException>(() => new LockstepModel(new GossipNodeOptions { ModernOnly = true, SharedName = "m" }));
        Assert.Throws<GossipSecurityException>(() => new LockstepModel(Writer(null) with { ModernOnly = true }));
    }

    [Fact]
    public async Task A_node_that_cannot_sign_changes_nothing()
    {
        var (_, publicKey) = SecurityTests.NewRsaPair();
        using var reading = new RsaSha1Security(null, publicKey);
        await using var node = new LockstepModel(new GossipNodeOptions { Security = reading, SharedName = "m" });
        Assert.Throws<GossipSecurityException>(() => node.Set("k", 1));
        Assert.Equal(0, node.HistoryCount);
    }

    [Theory]
    [InlineData("[1,1,\"\"]")]
    [InlineData("[0,1,\"\",\"x\"]")]
    [InlineData("[1.5,1,\"\",\"x\"]")]
    [InlineData("[3,1,\"3\",\"x\"]")]
    [InlineData("[9,1,\"2-1\",\"x\"]")]
    [InlineData("[9,1,\"1,2\",\"x\"]")]
    [InlineData("[9,3,\"2\",\"x\"]")]
    [InlineData("[9,1,\"01\",\"x\"]")]
    [InlineData("[9,1,\"1-2-3\",\"x\"]")]
    [InlineData("[9,1,\"\",\"x\",1]")]
    [InlineData("[9,1,[[1]],\"x\"]")]
    [InlineData("[]")]
    public async Task What_is_no_signature_is_ignored_and_counted(string seal)
    {
        await using var node = new LockstepModel();
        using var peer = new ScriptedPeer(node);
        peer.SaysHello();
        peer.Says($"""[["k",1],5,"S",{seal},"sig"]""");
        Assert.Equal(1, node.IgnoredLineCount);
        Assert.Equal("""[["k",1],5,"S"]""", node.GetHistory().Single().ToString());
    }

    [Fact]
    public void Ranges_of_numbers_are_a_set()
    {
        var random = new Random(5);
        for (var round = 0; round < 200; round++)
        {
            var ranges = new NumberRanges();
            var set = new SortedSet<long>();
            for (var i = 0; i < 60; i++)
            {
                var number = random.Next(1, 40);
                if (random.Next(3) > 0)
                {
                    ranges.Add(number);
                    set.Add(number);
                }
                else
                {
                    ranges.Remove(number);
                    set.Remove(number);
                }
            }

            var (low, high) = (random.Next(1, 20), random.Next(20, 40));
            Assert.Equal(set, Numbers(ranges));
            Assert.Equal(set.GetViewBetween(low, high), Numbers(ranges.Between(low, high)));
            Assert.Equal(ranges.ToString(), NumberRanges.TryParse(ranges.ToString(), 1)!.ToString());
            Assert.Equal(
                set.Union(Enumerable.Range(low, high - low + 1).Select(static n => (long)n)).Order(),
                Numbers(Or(ranges, low, high))
            );
        }

        static NumberRanges Or(NumberRanges ranges, long first, long last) => ranges.Or(NumberRanges.TryParse($"{first}-{last}", 1)!);

        static IEnumerable<long> Numbers(NumberRanges ranges) => Enumerable.Range(0, 60).Select(static n => (long)n).Where(ranges.Contains);
    }

    [Fact]
    public void Of_too_many_ranges_the_lowest_are_not_told()
    {
        var ranges = new NumberRanges();
        for (var number = 1L; number <= 101; number += 2)
        {
            ranges.Add(number);
        }

        Assert.Equal(NumberRanges.MaxRanges, ranges.Count);
        Assert.Equal(38, ranges.Floor);
        Assert.False(ranges.Contains(37));
        Assert.True(ranges.Contains(39));
        ranges.Add(3);
        Assert.False(ranges.Contains(3));
    }

    private static JsonArray Without(JsonArray update, int place)
    {
        var stripped = update.DeepClone().AsArray();
        stripped.RemoveAt(place);
        return stripped;
    }

    private static string Text(JsonNode node) => node.ToJsonString(AsJavaScript);

    /// <summary>A node without a key claims that it has it.</summary>
    private static void Greet(ScriptedPeer relay) =>
        relay.Says("""{"id":"relay","clock":{},"meta":{"kind":"model","signature":"ecdsa-p256-sha256"}}""");

    private static string[] Lines(GossipNode node) => [.. node.GetHistory().Select(static update => update.ToString())];

    private static void Execute(string path, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private EcdsaSecurity Key(string pem)
    {
        var key = new EcdsaSecurity(pem);
        _keys.Add(key);
        return key;
    }

    /// <summary>Another node's keys, which trust the first's.</summary>
    private RsaSha1Security Trusting(string trusted)
    {
        var (privateKey, publicKey) = SecurityTests.NewRsaPair();
        var other = new RsaSha1Security(privateKey, publicKey);
        _keys.Add(other);
        other.Trust(trusted);
        return other;
    }

    private GossipNodeOptions Writer(string? name) => new() { Security = Key(WriterKey), SharedName = name };

    private GossipNodeOptions Reader(string? name)
    {
        var key = Key(EcdsaSecurity.CreatePrivateKeyPem());
        key.Trust(Key(WriterKey).PublicKeyPem);
        return new GossipNodeOptions
        {
            Security = key,
            SharedName = name,
            ModernOnly = true,
        };
    }
}
