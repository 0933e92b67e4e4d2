using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Lockstep.Gossip.Security;

/// <summary>
/// ECDSA on P-256 with SHA-256 (FIPS 186-5), for nodes that agree on it in their headers; npm scuttlebutt does not know it. Updates written
/// here have only a modern signature. P-256, because .NET has no Ed25519 without a package. A signature is the two numbers of 32 bytes each
/// (IEEE P1363); an id is the SHA-256 of the public key's SubjectPublicKeyInfo in base64. May be used from any thread.
/// </summary>
public sealed class EcdsaSecurity : GossipSecurity, IDisposable
{
    private const string P256 = "1.2.840.10045.3.1.7";
    private readonly ECDsa _private;
    private readonly ConcurrentDictionary<string, ECDsa> _keys = new(StringComparer.Ordinal);

    /// <summary>A node's private key in PEM form; the public key follows from it.</summary>
    /// <exception cref="GossipSecurityException">The key cannot be read or is not on P-256.</exception>
    public EcdsaSecurity(string privateKeyPem)
    {
        ArgumentNullException.ThrowIfNull(privateKeyPem);
        _private = Read(privateKeyPem, "private");
        PublicKeyPem = _private.ExportSubjectPublicKeyInfoPem();
        Id = Trust(PublicKeyPem);
    }

    /// <inheritdoc/>
    public override string Id { get; }

    /// <inheritdoc/>
    public override string Scheme => "ecdsa-p256-sha256";

    /// <inheritdoc/>
    public override bool Seals => true;

    /// <inheritdoc/>
    public override bool SignsSealed => false;

    /// <summary>The public key, for nodes that should trust this one.</summary>
    public string PublicKeyPem { get; }

    /// <summary>Reads the private key from a PEM file.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="GossipSecurityException">The key cannot be read.</exception>
    public static EcdsaSecurity FromFile(string privateKeyPath) => new(File.ReadAllText(privateKeyPath));

    /// <summary>A new private key in PEM form.</summary>
    public static string CreatePrivateKeyPem()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return key.ExportPkcs8PrivateKeyPem();
    }

    /// <summary>Accepts updates signed by the owner of this public key.</summary>
    /// <returns>The owner's id.</returns>
    /// <exception cref="GossipSecurityException">The key cannot be read or is not on P-256.</exception>
    public string Trust(string publicKeyPem)
    {
        var key = Read(publicKeyPem, "public");
        var id = Convert.ToBase64String(SHA256.HashData(key.ExportSubjectPublicKeyInfo()));
        _keys[id] = key;
        OnKeysChanged();
        return id;
    }

    /// <inheritdoc/>
    public override string Sign(ReadOnlySpan<byte> text)
    {
        lock (_private)
        {
            return Convert.ToBase64String(
                _private.SignData(text, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation)
            );
        }
    }

    /// <inheritdoc/>
    public override bool Verify(string source, ReadOnlySpan<byte> text, string signature)
    {
        var bytes = new byte[signature.Length];
        if (!_keys.TryGetValue(source, out var key) || !Convert.TryFromBase64String(signature, bytes, out var length))
        {
            return false;
        }

        lock (key)
        {
            return key.VerifyData(
                text,
                bytes.AsSpan(0, length),
                HashAlgorithmName.SHA256,
                DSASignatureFormat.IeeeP1363FixedFieldConcatenation
            );
        }
    }

    /// <inheritdoc/>
    public override string Seal(ReadOnlySpan<byte> text) => Sign(text);

    /// <inheritdoc/>
    public override bool VerifySeal(string source, ReadOnlySpan<byte> text, string signature) => Verify(source, text, signature);

    /// <summary>Disposes the keys.</summary>
    public void Dispose()
    {
        _private.Dispose();
        foreach (var key in _keys.Values)
        {
            key.Dispose();
        }
    }

    private static ECDsa Read(string pem, string what)
    {
        var key = ECDsa.Create();
        GossipKeys.Import(key, pem, what);
        return key.ExportParameters(false).Curve.Oid.Value == P256
            ? key
            : throw new GossipSecurityException(
                $"The {what} key is not on the curve P-256.",
                "Make one with 'openssl ecparam -name prime256v1 -genkey -noout'."
            );
    }
}
