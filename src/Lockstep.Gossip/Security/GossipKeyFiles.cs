namespace Lockstep.Gossip.Security;

/// <summary>How updates are signed.</summary>
public enum GossipSignature
{
    /// <summary>ECDSA on P-256 with SHA-256, see <see cref="EcdsaSecurity"/>: if all nodes use Lockstep.</summary>
    EcdsaP256,

    /// <summary>npm scuttlebutt's RSA with SHA-1, see <see cref="RsaSha1Security"/>. Legacy: only if npm nodes take part.</summary>
    RsaSha1,
}

/// <summary>A node's keys as files in PEM form.</summary>
public sealed record GossipKeyFiles
{
    /// <summary>How updates are signed. All nodes of a model sign the same way.</summary>
    public GossipSignature Signature { get; init; }

    /// <summary>The private key's file. Null only with <see cref="GossipSignature.RsaSha1"/>, for a node that writes nothing.</summary>
    public string? PrivateKey { get; init; }

    /// <summary>
    /// The public key's file, which <see cref="GossipSignature.RsaSha1"/> needs: its text determines the node's id. With
    /// <see cref="GossipSignature.EcdsaP256"/> the key is derived from the private one.
    /// </summary>
    public string? PublicKey { get; init; }

    /// <summary>The files of the public keys whose owners' updates are accepted, besides the node's own.</summary>
    public IReadOnlyList<string> Trusted { get; init; } = [];

    /// <summary>Reads the keys. The caller disposes the result, which is an <see cref="IDisposable"/>, after the node.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="GossipSecurityException">A key is missing or cannot be read.</exception>
    public GossipSecurity Load()
    {
        if (Signature == GossipSignature.RsaSha1)
        {
            var rsa = RsaSha1Security.FromFiles(
                PrivateKey,
                PublicKey ?? throw Missing("public", "RSA-SHA1 makes the node's id from the public key's file.")
            );
            TrustEach(rsa.Trust);
            return rsa;
        }

        var ecdsa = EcdsaSecurity.FromFile(
            PrivateKey
                ?? throw Missing(
                    "private",
                    "Make one with 'openssl ecparam -name prime256v1 -genkey -noout', or sign with RSA-SHA1 where npm nodes take part."
                )
        );
        TrustEach(ecdsa.Trust);
        return ecdsa;
    }

    private void TrustEach(Func<string, string> trust)
    {
        foreach (var file in Trusted)
        {
            trust(File.ReadAllText(file));
        }
    }

    private static GossipSecurityException Missing(string key, string why) => new($"The {key} key's file was not named.", why);
}
