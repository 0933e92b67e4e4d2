using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Lockstep.Cli.Serving;

/// <summary>Reads a TLS certificate with its private key.</summary>
internal static class CertificateFile
{
    /// <summary>Holds the password of the file or the key.</summary>
    public const string PasswordVariable = "LOCKSTEP_CERTIFICATE_PASSWORD";

    /// <param name="path">PEM, or PKCS #12.</param>
    /// <param name="key">The private key, PEM; null if it is in the same file.</param>
    /// <exception cref="ArgumentException">There is no key, it is not a certificate, or a file cannot be read.</exception>
    public static X509Certificate2 Load(string path, string? key)
    {
        try
        {
            var password = Environment.GetEnvironmentVariable(PasswordVariable);
            if (X509Certificate2.GetCertContentType(path) == X509ContentType.Pkcs12)
                return X509CertificateLoader.LoadPkcs12FromFile(path, password);
            return password is null
                ? X509Certificate2.CreateFromPemFile(path, key ?? path)
                : X509Certificate2.CreateFromEncryptedPemFile(path, password, key ?? path);
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new ArgumentException($"The certificate in '{path}' cannot be used: {e.Message}");
        }
    }
}
