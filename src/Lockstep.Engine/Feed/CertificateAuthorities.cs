using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Lockstep.Engine.Feed;

/// <summary>Certificates from a PEM file that vouch for a server's certificate, in place of those the system trusts.</summary>
internal sealed class CertificateAuthorities : IDisposable
{
    private readonly X509Certificate2Collection? _certificates;

    /// <param name="path">The file; null for the system's own authorities.</param>
    public CertificateAuthorities(string? path)
    {
        if (path is null)
            return;
        _certificates = [];
        try
        {
            _certificates.ImportFromPemFile(path);
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            // Callers check IsEmpty.
        }
    }

    /// <summary>Whether a file was given, but no certificate could be read from it.</summary>
    public bool IsEmpty => _certificates is { Count: 0 };

    /// <summary>Makes TLS connections trust these authorities.</summary>
    public void ApplyTo(SslClientAuthenticationOptions options)
    {
        if (_certificates is null)
            return;
        // Private authorities publish no revocation lists.
        options.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
        };
        options.CertificateChainPolicy.CustomTrustStore.AddRange(_certificates);
    }

    public void Dispose()
    {
        foreach (var certificate in _certificates ?? [])
            certificate.Dispose();
    }
}
