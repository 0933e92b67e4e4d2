using System.Globalization;
using System.Text;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Json;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Testing;
using Microsoft.Data.Sqlite;

namespace Lockstep.Gossip.Tests;

public sealed class PersistenceTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_model_takes_up_its_id_clock_and_content_from_its_file()
    {
        string id;
        GossipClock clock;
        await using (var model = new LockstepModel(new GossipNodeOptions { Path = _folder["m.db"] }))
        {
            id = model.Id;
            model.Set("a", 1);
            model.Set("a", 2);
            model.Set("b", "x");
            model.Remove("b");
            using var peer = new ScriptedPeer(model);

            // It loses to what is there, and leaves only its clock entry.
            peer.Says("""[["a",0],5,"S"]""");
            clock = model.GetClock();
        }

        await using var again = new LockstepModel(new GossipNodeOptions { Path = _folder["m.db"] });
        Assert.Equal(id, again.Id);
        Assert.Equal(["a"], again.Keys);
        Assert.Equal(2, again["a"]!.Value.GetInt32());
        Assert.Equal(2, again.HistoryCount);
        Assert.Equal(clock.OrderBy(static entry => entry.Key), again.GetClock().OrderBy(static entry => entry.Key));
        Assert.True(again.Set("c", 1).Timestamp > clock[id]);
    }

    [Fact]
    public async Task A_file_of_a_newer_format_is_refused_by_name_and_stays_as_it_is()
    {
        var path = _folder["m.db"];
        await using (var model = new LockstepModel(new GossipNodeOptions { Path = path }))
            model.Set("a", 1);
        await using (var connection = new SqliteConnection($"Data Source={path};Pooling=False"))
        {
            await connection.OpenAsync(Token);
            await using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA user_version = 7; ALTER TABLE gossip_node RENAME TO gossip_self; PRAGMA journal_mode = DELETE";
            await command.ExecuteNonQueryAsync(Token);
        }

        var before = await File.ReadAllBytesAsync(path, Token);
        var error = Assert.Throws<GossipStoreException>(() => new LockstepModel(new GossipNodeOptions { Path = path }));

        Assert.Contains("was written by a newer Lockstep (format 7, this one reads up to 2)", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllBytesAsync(path, Token));
    }

    [Fact]
    public async Task What_was_set_is_in_the_file_at_once()
    {
        await using var model = new LockstepModel(new GossipNodeOptions { Path = _folder["m.db"] });
        model.Set("a", 1);

        // As a crash at this instant would leave it: the files as they are, opened by another node.
        File.Copy(_folder["m.db"], _folder["copy.db"]);
        File.Copy(_folder["m.db-wal"], _folder["copy.db-wal"]);
        await using var copy = new LockstepModel(new GossipNodeOptions { Path = _folder["copy.db"] });
        Assert.Equal(1, copy["a"]!.Value.GetInt32());
        Assert.Equal(model.GetClock()[model.Id], copy.GetClock()[model.Id]);
    }

    [Fact]
    public async Task A_peer_never_has_an_update_that_the_file_has_not()
    {
        await using var model = new LockstepModel(new GossipNodeOptions { Path = _folder["m.db"] });
        using var peer = new ScriptedPeer(model);
        peer.SaysHello();
        peer.Hears();
        using (var broken = new SqliteConnection($"Data Source={_folder["m.db"]};Pooling=False"))
        {
            broken.Open();
            using var command = broken.CreateCommand();
            command.CommandText = "DROP TABLE gossip_update";
            command.ExecuteNonQuery();
        }

        Assert.Throws<GossipStoreException>(() => model.Set("k", 1));
        Assert.ThrowsAny<GossipException>(() => peer.Hears());
        Assert.Throws<GossipStoreException>(() => model.Set("k", 2));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_value_is_as_deep_as_the_file_and_peers_take_it_and_no_deeper(bool signed)
    {
        static byte[] Deep(int depth) =>
            Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("[", depth)) + string.Concat(Enumerable.Repeat("]", depth)));
        var options = new GossipNodeOptions { Path = _folder["deep.db"], Security = signed ? new TestSecurity("A") : null };
        await using (var model = new LockstepModel(options))
        {
            model.SetJson("deep", Deep(GossipJson.MaxValueDepth));
            Assert.Throws<GossipChangeException>(() => model.SetJson("deeper", Deep(GossipJson.MaxValueDepth + 1)));
            Assert.ThrowsAny<System.Text.Json.JsonException>(() =>
                model.SetJson("broken", Deep(GossipJson.MaxValueDepth + 1).AsSpan()[..^1])
            );
            await using var emitter = new LockstepEmitter();
            Assert.Throws<GossipChangeException>(() => emitter.EmitJson("deeper", [Deep(GossipJson.MaxValueDepth + 1)]));
            using var peer = new ScriptedPeer(model);
            peer.SaysHello();
            await using var other = new LockstepModel(
                new GossipNodeOptions { Security = options.Security is null ? null : new TestSecurity("B") }
            );
            using var link = new SimulatedLink(model, other);
            link.Settle();
            Assert.Equal(["deep"], other.Keys);
        }

        await using var again = new LockstepModel(options);
        Assert.Equal(["deep"], again.Keys);
    }

    [Fact]
    public async Task Ids_of_any_letters_come_back_from_the_file()
    {
        string[] ids = ["a\0b", "", "\U0001f511 \n\u2028\"", "constructor"];
        await using (var model = new LockstepModel(new GossipNodeOptions { Path = _folder["m.db"], Id = "i\0d" }))
        {
            using var peer = new ScriptedPeer(model);
            foreach (var id in ids)
            {
                peer.Says($"[[\"of {ids.IndexOf(id)}\",1],5,{System.Text.Json.JsonSerializer.Serialize(id)}]");
            }
        }

        await using var again = new LockstepModel(new GossipNodeOptions { Path = _folder["m.db"], Id = "i\0d" });
        Assert.Equal(ids.Order(StringComparer.Ordinal), again.GetClock().Select(static entry => entry.Key).Order(StringComparer.Ordinal));
        Assert.Equal(ids.Length, again.HistoryCount);
    }

    [Fact]
    public async Task A_second_process_cannot_open_the_file()
    {
        await using var model = new LockstepModel(new GossipNodeOptions { Path = _folder["m.db"] });
        Assert.Throws<GossipStoreException>(() => new LockstepModel(new GossipNodeOptions { Path = _folder["m.db"] }));
    }

    [Fact]
    public async Task Another_id_another_type_and_another_kind_of_file_are_refused()
    {
        await using (new LockstepModel(new GossipNodeOptions { Path = _folder["m.db"], Id = "A" })) { }

        Assert.Throws<GossipIdentityException>(() => new LockstepModel(new GossipNodeOptions { Path = _folder["m.db"], Id = "B" }));
        Assert.Throws<GossipStoreException>(() => new LockstepEmitter(new GossipNodeOptions { Path = _folder["m.db"] }));
        await File.WriteAllTextAsync(
            _folder["text.db"],
            "this is a text and no database at all, and long enough to be looked at".PadRight(4096),
            Token
        );
        Assert.Throws<GossipStoreException>(() => new LockstepModel(new GossipNodeOptions { Path = _folder["text.db"] }));
    }

    [Fact]
    public async Task An_emitter_keeps_its_events_and_its_horizon()
    {
        var options = new GossipNodeOptions { Path = _folder["e.db"] };
        double horizon;
        await using (var emitter = new LockstepEmitter(options, new EventRetention { MaxEvents = 3 }))
        {
            for (var i = 0; i < 5; i++)
            {
                emitter.Emit("e", i);
            }

            horizon = emitter.GetHorizon()![emitter.Id];
        }

        await using var again = new LockstepEmitter(options, new EventRetention { MaxEvents = 2 });
        Assert.Equal([3, 4], again.GetEvents().Select(static e => e.Arguments[0].GetInt32()));
        Assert.True(again.GetHorizon()![again.Id] > horizon);
    }

    [Fact]
    public async Task A_killed_process_leaves_its_file_with_clock_and_content_in_step()
    {
        // What a peer sent in one piece is one transaction: cut the log of it at every length and check that each state is consistent.
        var wal = _folder["m.db-wal"];
        await using (var model = new LockstepModel(new GossipNodeOptions { Path = _folder["m.db"], Id = "A" }))
        {
            using var peer = new ScriptedPeer(model);
            for (var i = 1; i <= 6; i++)
            {
                peer.Says(
                    string.Create(CultureInfo.InvariantCulture, $"[[\"k\",{i}],{i},\"S\"]"),
                    string.Create(CultureInfo.InvariantCulture, $"[[\"l{i}\",{i}],{i}.5,\"S\"]")
                );
            }

            File.Copy(_folder["m.db"], _folder["base.db"]);
            File.Copy(wal, _folder["base.wal"]);
        }

        var log = await File.ReadAllBytesAsync(_folder["base.wal"], Token);
        for (var length = 0; length <= log.Length; length += 2048)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"cut{length}.db");
            File.Copy(_folder["base.db"], _folder[name]);
            await File.WriteAllBytesAsync(_folder[name + "-wal"], log[..length], Token);
            await using var model = new LockstepModel(new GossipNodeOptions { Path = _folder[name], Id = "A" });
            var known = model.GetClock()["S"];
            var whole = double.IsNegativeInfinity(known) ? 0 : (int)known;
            Assert.Equal(whole == 0 ? known : whole + 0.5, known);
            Assert.Equal(whole == 0 ? 0 : whole + 1, model.Keys.Count);
            Assert.Equal(whole == 0 ? null : whole, model["k"]?.GetInt32());
        }
    }

    [Fact]
    public async Task Export_and_import_carry_everything_over()
    {
        await using var a = new LockstepModel();
        a.Set("k", "ключ");
        a.Set("gone", 1);
        a.Remove("gone");
        await GossipFile.ExportAsync(a, _folder["a.ndjson"], Token);
        var lines = await File.ReadAllLinesAsync(_folder["a.ndjson"], Token);
        Assert.Equal(4, lines.Length);
        Assert.Equal("\"SYNC\"", lines[^1]);

        await using var b = new LockstepModel();
        await GossipFile.ImportAsync(b, _folder["a.ndjson"], Token);
        Assert.Equal(a.GetHistory().Select(static update => update.ToString()), b.GetHistory().Select(static update => update.ToString()));

        // One's own file too, into a node with the same id.
        await using var restored = new LockstepModel(new GossipNodeOptions { Id = a.Id });
        await GossipFile.ImportAsync(restored, _folder["a.ndjson"], Token);
        Assert.Equal("ключ", restored["k"]!.Value.GetString());
    }

    [Fact]
    public async Task A_torn_file_gives_what_was_whole_and_an_error()
    {
        await using var model = new LockstepModel();
        using var file = new MemoryStream(Encoding.UTF8.GetBytes("{\"id\":\"x\",\"clock\":{}}\n[[\"k\",1],1,\"x\"]\n[[\"l\","));
        await Assert.ThrowsAsync<EndOfStreamException>(() => GossipFile.ImportAsync(model, file, Token));
        Assert.Equal(["k"], model.Keys);
        Assert.True(file.CanRead);
    }
}
