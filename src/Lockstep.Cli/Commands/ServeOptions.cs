using System.CommandLine;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Lockstep.TestServer.Serving;

namespace Lockstep.Cli.Commands;

/// <summary>The options of a server: where it listens, and whom it lets in. Secrets come from files or the environment: a command line is for all to see.</summary>
internal sealed class ServeOptions
{
    private const string PasswordVariable = "LOCKSTEP_SERVER_PASSWORD";
    private const string TokenVariable = "LOCKSTEP_SERVER_TOKEN";
    private const string CertificateVariable = "LOCKSTEP_CERTIFICATE_PASSWORD";

    private readonly Option<int> _port = new("--port") { Description = "The port; 0 picks a free one.", HelpName = "N", DefaultValueFactory = _ => 4567 };
    private readonly Option<string> _address = new("--listen-address") { Description = "The address to listen on.", HelpName = "ADDRESS", DefaultValueFactory = _ => "127.0.0.1" };
    private readonly Option<string?> _user = new("--user", "-u") { Description = $"Let in this user (Basic authentication); the password comes from --password-file or {PasswordVariable}.", HelpName = "NAME" };
    private readonly Option<FileInfo?> _passwordFile = new("--password-file") { Description = "A file that holds the user's password.", HelpName = "FILE" };
    private readonly Option<FileInfo?> _tokenFile = new("--token-file") { Description = $"A file of bearer tokens to let in, one a line. {TokenVariable} holds one as well.", HelpName = "FILE" };
    private readonly Option<FileInfo?> _certificate = new("--certificate") { Description = $"Speak TLS with this certificate: PEM with --certificate-key, or PKCS #12, its password in {CertificateVariable}.", HelpName = "FILE" };
    private readonly Option<FileInfo?> _certificateKey = new("--certificate-key") { Description = "The certificate's private key, PEM; by default it is in the same file.", HelpName = "FILE" };
    private readonly Option<double> _heartbeat = new("--heartbeat-sec") { Description = "The longest silence on a feed.", HelpName = "SECONDS", DefaultValueFactory = _ => 15 };
    private readonly Option<string?> _instance = new("--instance-name") { Description = "A name for this server, which clients are told.", HelpName = "NAME" };

    private readonly Option<bool> _noStatusPage = new("--no-status-page") { Description = "Leave out the page at /_lockstep/ that shows clients, rates and the newest records." };

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_port, _address, _user, _passwordFile, _tokenFile, _certificate, _certificateKey, _heartbeat, _instance, _noStatusPage]) command.Options.Add(option);
    }

    /// <exception cref="ArgumentException">A value cannot be, or a secret is missing.</exception>
    public FeedServerOptions Read(ParseResult result, X509Certificate2? certificate) => new()
    {
        Port = result.GetValue(_port),
        Address = IPAddress.TryParse(result.GetValue(_address), out IPAddress? address) ? address : throw new ArgumentException("--listen-address takes an IP address."),
        HeartbeatInterval = result.GetValue(_heartbeat) is > 0 and <= 86400 and var seconds ? TimeSpan.FromSeconds(seconds) : throw new ArgumentException("--heartbeat-sec takes seconds, above 0 and up to a day."),
        InstanceName = result.GetValue(_instance),
        StatusPage = !result.GetValue(_noStatusPage),
        Certificate = certificate,
        Credentials = [.. Credentials(result)],
    };

    /// <summary>The certificate with its key; null for plain http.</summary>
    /// <exception cref="ArgumentException">There is no key, or it is no certificate.</exception>
    public X509Certificate2? LoadCertificate(ParseResult result)
    {
        if (result.GetValue(_certificate) is not { } file) return null;
        try
        {
            string? password = Environment.GetEnvironmentVariable(CertificateVariable);
            if (X509Certificate2.GetCertContentType(file.FullName) == X509ContentType.Pkcs12) return X509CertificateLoader.LoadPkcs12FromFile(file.FullName, password);
            string key = (result.GetValue(_certificateKey) ?? file).FullName;
            return password is null ? X509Certificate2.CreateFromPemFile(file.FullName, key) : X509Certificate2.CreateFromEncryptedPemFile(file.FullName, password, key);
        }
        catch (CryptographicException e)
        {
            throw new ArgumentException($"The certificate in '{file}' cannot be used: {e.Message}");
        }
    }

    private IEnumerable<FeedCredential> Credentials(ParseResult result)
    {
        if (result.GetValue(_user) is { } user)
        {
            string password = result.GetValue(_passwordFile) is { } file ? File.ReadAllText(file.FullName).TrimEnd('\r', '\n')
                : Environment.GetEnvironmentVariable(PasswordVariable) ?? throw new ArgumentException($"--user needs a password: in --password-file or {PasswordVariable}.");
            yield return FeedCredential.Basic(user, password);
        }
        else if (result.GetValue(_passwordFile) is not null)
        {
            throw new ArgumentException("--password-file needs a --user.");
        }

        string[] tokens = result.GetValue(_tokenFile) is { } lines ? [.. File.ReadAllLines(lines.FullName).Select(line => line.Trim()).Where(line => line.Length > 0)] : [];

        // An empty file that was to keep people out must not let everybody in.
        if (result.GetValue(_tokenFile) is { } empty && tokens.Length == 0) throw new ArgumentException($"There is no token in '{empty}'.");
        foreach (string token in tokens) yield return FeedCredential.Bearer(token);
        if (Environment.GetEnvironmentVariable(TokenVariable) is { Length: > 0 } one) yield return FeedCredential.Bearer(one);
    }
}
