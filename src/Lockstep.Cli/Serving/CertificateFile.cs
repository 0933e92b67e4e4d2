using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Lockstep.Cli.Serving;

/// <summary>Reads a TLS certificate with its private key, and the certificates of authorities that are in the same file.</summary>
/// <param name="Certificate">With its private key.</param>
/// <param name="Chain">The others.</param>
internal sealed record CertificateFile(X509Certificate2 Certificate, X509Certificate2Collection Chain)
{
    /// <summary>Holds the password of the file or the key.</summary>
    public const string PasswordVariable = "LOCKSTEP_CERTIFICATE_PASSWORD";

    /// <param name="path">PEM, or PKCS #12.</param>
    /// <param name="key">The private key, PEM; null if it is in the same file.</param>
    /// <exception cref="ArgumentException">There is no key, it is not a certificate, or a file cannot be read.</exception>
    public static CertificateFile Load(string path, string? key)
    {
        try
        {
            var password = Environment.GetEnvironmentVariable(PasswordVariable);
            var all = new X509Certificate2Collection();
            if (X509Certificate2.GetCertContentType(path) == X509ContentType.Pkcs12)
            {
                all = X509CertificateLoader.LoadPkcs12CollectionFromFile(path, password);
                return Of(all.FirstOrDefault(one => one.HasPrivateKey) ?? throw new CryptographicException("It has no private key."), all);
            }

            all.ImportFromPemFile(path);
            return Of(
                password is null
                    ? X509Certificate2.CreateFromPemFile(path, key ?? path)
                    : X509Certificate2.CreateFromEncryptedPemFile(path, password, key ?? path),
                all
            );
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new ArgumentException($"The certificate in '{path}' cannot be used: {e.Message}");
        }
    }

    private static CertificateFile Of(X509Certificate2 certificate, X509Certificate2Collection all) =>
        new(certificate, [.. all.Where(one => one.Thumbprint != certificate.Thumbprint)]);
}
