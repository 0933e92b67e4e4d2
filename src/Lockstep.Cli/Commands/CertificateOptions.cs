using System.CommandLine;
using Lockstep.Cli.Serving;

namespace Lockstep.Cli.Commands;

/// <summary>The TLS certificate of a command that listens.</summary>
internal sealed class CertificateOptions
{
    private readonly Option<FileInfo?> _certificate = new("--certificate")
    {
        Description =
            "Use TLS with this certificate: PEM with --certificate-key, or PKCS #12, its password in "
            + $"{CertificateFile.PasswordVariable}.",
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
    public CertificateFile? Load(ParseResult result)
    {
        var key = result.GetValue(_key)?.FullName;
        if (result.GetValue(_certificate) is { } file)
            return CertificateFile.Load(file.FullName, key);
        return key is null ? null : throw new ArgumentException("--certificate-key needs a --certificate.");
    }
}
