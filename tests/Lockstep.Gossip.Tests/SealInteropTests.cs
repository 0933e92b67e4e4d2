using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Gossip.Security;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

/// <summary>Modern signatures with nodes of npm's scuttlebutt taking part: between two of ours, with keys and without.</summary>
public sealed class SealInteropTests(NpmScuttlebutt npm) : IClassFixture<NpmScuttlebutt>, IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly List<IDisposable> _keys = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _keys.ForEach(static key => key.Dispose());
        _folder.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_modern_node_wrote_is_taken_by_another_through_npms_node_between_them(bool npmHasKeys)
    {
        var (writer, reader, theirs) = (NewPair("writer"), NewPair("reader"), NewPair("theirs"));
        await using var written = new LockstepModel(Modern(writer));
        await using var read = new LockstepModel(Modern(reader, writer, theirs));
        written.SetJson("k", "{\"b\":1.0,\"2\":[]}"u8);
        written.SetJson("k", "{\"b\":2.0,\"2\":[\"é+/\"]}"u8);
        await using var peer = Between(npmHasKeys, theirs, writer, reader);
        await using var first = new GossipConnector(written, new Uri($"tcp://127.0.0.1:{peer.Port}"));
        await using var second = new GossipConnector(read, new Uri($"tcp://127.0.0.1:{peer.Port}"));
        await Eventually.TrueAsync(() => read["k"] is not null, "what was written before");
        written.SetJson("live", "1"u8);
        await Eventually.TrueAsync(() => read["live"] is not null, "what was written while both were there");
        Assert.Equal(written.GetHistory().Select(static u => u.ToString()), read.GetHistory().Select(static u => u.ToString()));
        Assert.All(read.GetHistory(), static update => Assert.NotNull(update.Number));
        Assert.Empty(read.GetMissing());
        Assert.Equal("""{"k":{"2":["é+/"],"b":2},"live":1}""", peer.State().GetRawText());
    }

    [Fact]
    public async Task What_npms_node_signed_is_taken_by_a_node_that_takes_either_and_by_no_modern_one_behind_it()
    {
        var (writer, reader, theirs) = (NewPair("writer"), NewPair("reader"), NewPair("theirs"));
        await using var either = new LockstepModel(Modern(writer, reader, theirs) with { ModernOnly = false });
        await using var modern = new LockstepModel(Modern(reader, writer, theirs));
        await using var peer = Between(true, theirs, writer, reader);
        peer.Tell("set", new object[] { "theirs", 1 });
        await using var connector = new GossipConnector(either, new Uri($"tcp://127.0.0.1:{peer.Port}"));
        await Eventually.TrueAsync(() => either["theirs"] is not null, "what npm's node signed");
        either.SetJson("ours", "2"u8);
        StreamPair.Connect(either, modern);
        await Eventually.TrueAsync(() => modern["ours"] is not null, "what is signed the modern way");
        Assert.Null(modern["theirs"]);
        Assert.Equal(peer.Id, Assert.Single(modern.GetHeld()).Source);
        await Eventually.TrueAsync(() => peer.State().TryGetProperty("ours", out _), "ours at npm's node");
    }

    private NodePeer Between(bool hasKeys, KeyPair own, params KeyPair[] trusted) =>
        NodePeer.Start(
            npm,
            new
            {
                kind = "model",
                listen = true,
                security = hasKeys
                    ? new
                    {
                        @private = own.PrivateFile,
                        @public = own.PublicFile,
                        trusted = trusted.Select(static key => key.PublicFile).ToArray(),
                    }
                    : null,
            }
        );

    private GossipNodeOptions Modern(KeyPair own, params KeyPair[] trusted)
    {
        var keys = RsaSha1Security.FromFiles(own.PrivateFile, own.PublicFile);
        _keys.Add(keys);
        foreach (var other in trusted)
        {
            keys.Trust(File.ReadAllText(other.PublicFile));
        }

        return new GossipNodeOptions
        {
            Security = keys,
            SharedName = "m",
            ModernOnly = true,
        };
    }

    private KeyPair NewPair(string name)
    {
        var (privateKey, publicKey) = SecurityTests.NewRsaPair();
        File.WriteAllText(_folder[name], privateKey);
        File.WriteAllText(_folder[name + ".pem"], publicKey);
        return new KeyPair(_folder[name], _folder[name + ".pem"]);
    }

    private sealed record KeyPair(string PrivateFile, string PublicFile);
}
