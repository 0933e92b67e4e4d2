using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace Lockstep.Gossip.Security;

/// <summary>
/// The signatures of npm <c>scuttlebutt/security</c>: RSA (PKCS #1 v1.5) with SHA-1, and ids that are the SHA-1 of the public key's PEM
/// text in base64. Legacy: SHA-1 is broken for collisions, so use it only if npm nodes take part, and <see cref="EcdsaSecurity"/>
/// everywhere else. Updates written here also have a modern signature, RSASSA-PSS with SHA-256 (RFC 8017) by the same key, so that trusting
/// a node takes only one key. May be used from any thread.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Security",
    "CA5350",
    Justification = "The wire format of npm scuttlebutt's security is RSA-SHA1."
)]
public sealed class RsaSha1Security : GossipSecurity, IDisposable
{
    private const int LeastBits = 1024;
    private readonly RSA? _private;
    private readonly ConcurrentDictionary<string, RSA> _keys = new(StringComparer.Ordinal);

    /// <summary>A node's keys in PEM form.</summary>
    /// <param name="privateKeyPem">The private key, or null for a node that writes nothing.</param>
    /// <param name="publicKeyPem">The public key, the whole text of its file: the id depends on every byte of that text.</param>
    /// <exception cref="GossipSecurityException">A key cannot be read, or the two do not belong together.</exception>
    public RsaSha1Security(string? privateKeyPem, string publicKeyPem)
    {
        ArgumentNullException.ThrowIfNull(publicKeyPem);
        Id = Trust(publicKeyPem);
        if (privateKeyPem is null)
        {
            return;
        }

        _private = RSA.Create();
        GossipKeys.Import(_private, privateKeyPem, "private");
        if (!_private.ExportRSAPublicKey().AsSpan().SequenceEqual(_keys[Id].ExportRSAPublicKey()))
        {
            throw new GossipSecurityException("The private and the public key do not belong together.", "Give the two of one pair.");
        }

        if (_private.KeySize < LeastBits)
        {
            throw new GossipSecurityException(
                $"The private key has {_private.KeySize} bits; the minimum is {LeastBits}.",
                "Make another with 'openssl genrsa 2048'."
            );
        }
    }

    /// <inheritdoc/>
    public override string Id { get; }

    /// <summary>Null: npm nodes announce no scheme.</summary>
    public override string? Scheme => null;

    /// <summary>Reads the keys from two PEM files.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="GossipSecurityException">A key cannot be read.</exception>
    public static RsaSha1Security FromFiles(string? privateKeyPath, string publicKeyPath) =>
        new(privateKeyPath is null ? null : File.ReadAllText(privateKeyPath), File.ReadAllText(publicKeyPath));

    /// <summary>The id of a public key.</summary>
    public static string IdOf(string publicKeyPem) => Convert.ToBase64String(SHA1.HashData(Encoding.UTF8.GetBytes(publicKeyPem)));

    /// <summary>Accepts updates signed by the owner of this public key.</summary>
    /// <returns>The owner's id.</returns>
    /// <exception cref="GossipSecurityException">The key cannot be read.</exception>
    public string Trust(string publicKeyPem)
    {
        var key = RSA.Create();
        GossipKeys.Import(key, publicKeyPem, "public");
        var id = IdOf(publicKeyPem);
        _keys[id] = key;
        OnKeysChanged();
        return id;
    }

    /// <inheritdoc/>
    public override bool Seals => true;

    /// <inheritdoc/>
    public override void RequireSigningKey() => _ = SigningKey;

    private RSA SigningKey =>
        _private ?? throw new GossipSecurityException("This node has no private key, so it cannot write.", "Give it one.");

    /// <inheritdoc/>
    public override string Sign(ReadOnlySpan<byte> text) => Sign(text, HashAlgorithmName.SHA1, RSASignaturePadding.Pkcs1);

    /// <inheritdoc/>
    public override bool Verify(string source, ReadOnlySpan<byte> text, string signature) =>
        Verify(source, text, signature, HashAlgorithmName.SHA1, RSASignaturePadding.Pkcs1);

    /// <inheritdoc/>
    public override string Seal(ReadOnlySpan<byte> text) => Sign(text, HashAlgorithmName.SHA256, RSASignaturePadding.Pss);

    /// <inheritdoc/>
    public override bool VerifySeal(string source, ReadOnlySpan<byte> text, string signature) =>
        Verify(source, text, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pss);

    private string Sign(ReadOnlySpan<byte> text, HashAlgorithmName hash, RSASignaturePadding padding)
    {
        var key = SigningKey;
        lock (key)
        {
            return Convert.ToBase64String(key.SignData(text, hash, padding));
        }
    }

    private bool Verify(string source, ReadOnlySpan<byte> text, string signature, HashAlgorithmName hash, RSASignaturePadding padding)
    {
        var bytes = new byte[signature.Length];
        if (!_keys.TryGetValue(source, out var key) || !Convert.TryFromBase64String(signature, bytes, out var length))
        {
            return false;
        }

        lock (key)
        {
            return key.VerifyData(text, bytes.AsSpan(0, length), hash, padding);
        }
    }

    /// <summary>Disposes the keys.</summary>
    public void Dispose()
    {
        _private?.Dispose();
        foreach (var key in _keys.Values)
        {
            key.Dispose();
        }
    }
}
