using System.Security.Cryptography;
using System.Text;
using Lockstep.Gossip.Json;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Security;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

public sealed class SecurityTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static (string Private, string Public) NewRsaPair()
    {
        using var key = RSA.Create(2048);
        return (key.ExportRSAPrivateKeyPem(), key.ExportRSAPublicKeyPem() + "\n");
    }

    [Fact]
    public async Task Signed_updates_are_applied_by_those_who_trust_the_key_and_passed_on_with_the_signature()
    {
        using var a = new EcdsaSecurity(EcdsaSecurity.CreatePrivateKeyPem());
        using var b = new EcdsaSecurity(EcdsaSecurity.CreatePrivateKeyPem());
        using var c = new EcdsaSecurity(EcdsaSecurity.CreatePrivateKeyPem());
        b.Trust(a.PublicKeyPem);
        c.Trust(a.PublicKeyPem);
        await using var nodeA = new LockstepModel(new GossipNodeOptions { Security = a });
        await using var nodeB = new LockstepModel(new GossipNodeOptions { Security = b });
        await using var nodeC = new LockstepModel(new GossipNodeOptions { Security = c });
        Assert.Equal(a.Id, nodeA.Id);
        nodeA.Set(
            "k",
            new Dictionary<string, object>
            {
                ["b"] = 1.0,
                ["10"] = 2,
                ["9"] = "x",
            }
        );
        nodeB.Set("mine", 1);
        using var ab = new SimulatedLink(nodeA, nodeB);
        using var bc = new SimulatedLink(nodeB, nodeC);
        ab.Settle();
        bc.Settle();
        Assert.Equal("""{"9":"x","10":2,"b":1}""", nodeC["k"]!.Value.GetRawText());

        // Nobody trusts B.
        Assert.Null(nodeA["mine"]);
        Assert.Null(nodeC["mine"]);
        a.Trust(b.PublicKeyPem);
        Assert.Equal(1, nodeA["mine"]!.Value.GetInt32());
        await Task.CompletedTask;
    }

    [Fact]
    public async Task A_changed_update_is_refused()
    {
        using var a = new EcdsaSecurity(EcdsaSecurity.CreatePrivateKeyPem());
        using var b = new EcdsaSecurity(EcdsaSecurity.CreatePrivateKeyPem());
        b.Trust(a.PublicKeyPem);
        await using var nodeA = new LockstepModel(new GossipNodeOptions { Security = a });
        await using var nodeB = new LockstepModel(new GossipNodeOptions { Security = b });
        var line = nodeA.Set("amount", 10).ToString();
        using var peer = new ScriptedPeer(nodeB);
        peer.Says(line.Replace("10", "99", StringComparison.Ordinal));
        Assert.Empty(nodeB.Keys);
        using var honest = new ScriptedPeer(nodeB);

        // Whitespace and escapes are not covered; what they stand for is.
        honest.Says(line.Replace("\"amount\"", " \"\\u0061mount\" ", StringComparison.Ordinal));
        Assert.Equal(10, nodeB["amount"]!.Value.GetInt32());
        Assert.Equal(line, nodeB.GetHistory().Single().ToString());
    }

    [Fact]
    public async Task Nodes_that_do_not_agree_on_the_scheme_part()
    {
        using var modern = new EcdsaSecurity(EcdsaSecurity.CreatePrivateKeyPem());
        await using var node = new LockstepModel(new GossipNodeOptions { Security = modern });
        await using var plain = new LockstepModel();
        var (left, _) = StreamPair.Connect(node, plain);
        await Assert.ThrowsAsync<GossipSecurityException>(() => left.Completion.WaitAsync(Token));
    }

    [Fact]
    public void Ids_follow_from_the_public_key()
    {
        var (privateKey, publicKey) = NewRsaPair();
        using var security = new RsaSha1Security(privateKey, publicKey);
        Assert.Equal(RsaSha1Security.IdOf(publicKey), security.Id);
        Assert.Equal(20, Convert.FromBase64String(security.Id).Length);
        using var modern = new EcdsaSecurity(EcdsaSecurity.CreatePrivateKeyPem());
        Assert.Equal(32, Convert.FromBase64String(modern.Id).Length);
        Assert.Throws<GossipIdentityException>(() => new LockstepModel(new GossipNodeOptions { Id = "other", Security = security }));
    }

    [Fact]
    public void Keys_come_from_files_and_a_bad_one_is_named_without_its_text()
    {
        using var folder = new TempFolder();
        var (privateKey, publicKey) = NewRsaPair();
        File.WriteAllText(folder["id"], privateKey);
        File.WriteAllText(folder["id.pem"], publicKey);
        using var security = RsaSha1Security.FromFiles(folder["id"], folder["id.pem"]);
        Assert.True(security.Verify(security.Id, "text"u8, security.Sign("text"u8)));
        Assert.False(security.Verify(security.Id, "tex"u8, security.Sign("text"u8)));
        Assert.False(security.Verify(security.Id, "text"u8, "no base64!"));
        Assert.False(security.Verify("unknown", "text"u8, security.Sign("text"u8)));

        var secret = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----";
        var error = Assert.Throws<GossipSecurityException>(() => new RsaSha1Security(secret, publicKey));
        Assert.Contains("ssh-keygen", error.RecommendedAction, StringComparison.Ordinal);
        Assert.DoesNotContain("c2VjcmV0", error.ToString(), StringComparison.Ordinal);
        Assert.Throws<GossipSecurityException>(() => new RsaSha1Security(NewRsaPair().Private, publicKey));
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Assert.Throws<GossipSecurityException>(() => new EcdsaSecurity(other.ExportPkcs8PrivateKeyPem()));
    }

    [Theory]
    [InlineData("1.0", "1")]
    [InlineData("-0", "0")]
    [InlineData("1e21", "1e+21")]
    [InlineData("1E20", "100000000000000000000")]
    [InlineData("123456789012345678901234", "1.2345678901234569e+23")]
    [InlineData("0.00001", "0.00001")]
    [InlineData("0.000001", "0.000001")]
    [InlineData("0.0000001", "1e-7")]
    [InlineData("1.5e-9", "1.5e-9")]
    [InlineData("5e-324", "5e-324")]
    [InlineData("1.7976931348623157e308", "1.7976931348623157e+308")]
    [InlineData("9007199254740993", "9007199254740992")]
    [InlineData("1795260686958.001", "1795260686958.001")]
    [InlineData("1e999", "null")]
    [InlineData("\"\\u0041\\/\\u2028\\u007f\\u001f\\n\"", "\"A/\u2028\u007f\\u001f\\n\"")]
    [InlineData("\"\\ud800\"", "\"\\ud800\"")]
    [InlineData("\"\\ud83d\\ude00\"", "\"😀\"")]
    [InlineData(
        "{\"b\":1,\"2\":2,\"1\":3,\"a\":4,\"01\":5,\"-1\":6,\"4294967295\":7,\"4294967294\":8}",
        "{\"1\":3,\"2\":2,\"4294967294\":8,\"b\":1,\"a\":4,\"01\":5,\"-1\":6,\"4294967295\":7}"
    )]
    [InlineData("{\"1\\u0000\":1,\"1\":2}", "{\"1\":2,\"1\\u0000\":1}")]
    [InlineData("{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}")]
    [InlineData(" [ true , false , null , { } , [ ] ] ", "[true,false,null,{},[]]")]
    public void A_signature_covers_what_JavaScript_would_write(string json, string expected)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        GossipJson.WriteCanonical(Encoding.UTF8.GetBytes(json), output);
        Assert.Equal(expected, Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Theory]
    [InlineData(" { \"a\" : [ 1 , 2.50 , \"x y\\n\" ] , \"b\" : { } , \"a\" : null } ", "{\"a\":[1,2.50,\"x y\\n\"],\"b\":{},\"a\":null}")]
    [InlineData("\n17\n", "17")]
    public void An_unsigned_value_is_only_put_on_one_line(string json, string expected)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        GossipJson.WriteCompact(Encoding.UTF8.GetBytes(json), output);
        Assert.Equal(expected, Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Theory]
    [InlineData("1,2")]
    [InlineData("")]
    [InlineData("1],[2")]
    public async Task What_is_not_one_JSON_value_is_refused(string json)
    {
        await using var model = new LockstepModel();
        await using var emitter = new LockstepEmitter();
        Assert.ThrowsAny<System.Text.Json.JsonException>(() => model.SetJson("k", Encoding.UTF8.GetBytes(json)));
        Assert.ThrowsAny<System.Text.Json.JsonException>(() => emitter.EmitJson("e", [Encoding.UTF8.GetBytes(json)]));
        Assert.Equal(0, model.HistoryCount);
    }
}
