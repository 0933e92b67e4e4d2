using System.CommandLine;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Lockstep.Cli.Commands;

/// <summary>The TLS certificate of a command that listens.</summary>
internal sealed class CertificateOptions
{
    private const string PasswordVariable = "LOCKSTEP_CERTIFICATE_PASSWORD";

    private readonly Option<FileInfo?> _certificate = new("--certificate")
    {
        Description = $"Use TLS with this certificate: PEM with --certificate-key, or PKCS #12, its password in {PasswordVariable}.",
        HelpName = "FILE",
    };
    private readonly Option<FileInfo?> _key = new("--certificate-key")
    {
        Description = "The certificate's private key, PEM; by default it is in the same file.",
        HelpName = "FILE",
    };

    public void AddTo(Command command)
    {
        command.Options.Add(_certificate);
        command.Options.Add(_key);
    }

    /// <summary>The certificate with its key; null for none.</summary>
    /// <exception cref="ArgumentException">There is no key, or it is not a certificate.</exception>
    public X509Certificate2? Load(ParseResult result)
    {
        if (result.GetValue(_certificate) is not { } file)
            return null;
        try
        {
            var password = Environment.GetEnvironmentVariable(PasswordVariable);
            if (X509Certificate2.GetCertContentType(file.FullName) == X509ContentType.Pkcs12)
                return X509CertificateLoader.LoadPkcs12FromFile(file.FullName, password);
            var key = (result.GetValue(_key) ?? file).FullName;
            return password is null
                ? X509Certificate2.CreateFromPemFile(file.FullName, key)
                : X509Certificate2.CreateFromEncryptedPemFile(file.FullName, password, key);
        }
        catch (CryptographicException e)
        {
            throw new ArgumentException($"The certificate in '{file}' cannot be used: {e.Message}");
        }
    }
}
