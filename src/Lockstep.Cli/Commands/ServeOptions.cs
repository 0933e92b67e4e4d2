using System.CommandLine;
using System.Net;
using Lockstep.Cli.Serving;
using Lockstep.Serving;
using Lockstep.Serving.Hosting;

namespace Lockstep.Cli.Commands;

/// <summary>
/// The options of a server: where it listens, and who may read. Secrets come from files or the environment, because everybody can see a
/// command line.
/// </summary>
internal sealed class ServeOptions
{
    private const string PasswordVariable = "LOCKSTEP_SERVER_PASSWORD";
    public const string TokenVariable = "LOCKSTEP_SERVER_TOKEN";

    private readonly Option<int> _port = new("--port")
    {
        Description = "The port; 0 picks a free one.",
        HelpName = "N",
        DefaultValueFactory = _ => 4567,
    };
    private readonly Option<string> _address = new("--listen-address")
    {
        Description = "The address to listen on.",
        HelpName = "ADDRESS",
        DefaultValueFactory = _ => "127.0.0.1",
    };
    private readonly Option<string?> _user = new("--user", "-u")
    {
        Description = $"Accept this user (Basic authentication); the password comes from --password-file or {PasswordVariable}.",
        HelpName = "NAME",
    };
    private readonly Option<FileInfo?> _passwordFile = new("--password-file")
    {
        Description = "A file that holds the user's password.",
        HelpName = "FILE",
    };
    private readonly Option<FileInfo?> _tokenFile = new("--token-file")
    {
        Description = $"A file of bearer tokens to accept, one per line. {TokenVariable} may also hold one.",
        HelpName = "FILE",
    };
    private readonly Option<double> _heartbeat = new("--heartbeat-sec")
    {
        Description = "The longest silence on a feed.",
        HelpName = "SECONDS",
        DefaultValueFactory = _ => 15,
    };
    private readonly Option<string?> _instance = new("--instance-name")
    {
        Description = "A name for this server, sent to clients.",
        HelpName = "NAME",
    };

    private readonly Option<int> _connections = new("--connection-limit")
    {
        Description = "The most connections; others are told to come back later. Fewer if the process may not open that many files.",
        HelpName = "N",
        DefaultValueFactory = _ => new ConnectionLimits().Most,
    };
    private readonly Option<int> _perAddress = new("--connection-limit-per-address")
    {
        Description = "The most connections from one address; all clients behind a proxy have its address.",
        HelpName = "N",
        DefaultValueFactory = _ => new ConnectionLimits().MostPerAddress,
    };
    private readonly Option<bool> _noStatusPage = new("--no-status-page")
    {
        Description = "Leave out the page at /_lockstep/ that shows clients, rates and the newest records.",
    };

    private readonly Option<bool> _compress = new("--compress")
    {
        Description = "Compress answers for clients that ask for it (br, gzip). Not where secrets lie beside rows that others may write.",
    };

    private readonly Option<bool> _shareUpdates = new("--share-updates")
    {
        Description = "Send live updates in pages that a cache in front of the server keeps and requests once for all clients.",
    };

    private readonly SiteOptions _site = new();

    public CertificateOptions Certificate { get; } = new();

    public void AddTo(Command command)
    {
        foreach (
            var option in (Option[])
                [
                    _port,
                    _address,
                    _user,
                    _passwordFile,
                    _tokenFile,
                    _heartbeat,
                    _instance,
                    _noStatusPage,
                    _compress,
                    _shareUpdates,
                    _connections,
                    _perAddress,
                ]
        )
        {
            command.Options.Add(option);
        }

        _site.AddTo(command);
        Certificate.AddTo(command);
    }

    /// <exception cref="ArgumentException">A value is invalid, or a secret is missing.</exception>
    public FeedServerOptions Read(ParseResult result, CertificateFile? certificate) =>
        new()
        {
            Port = OptionValue.Port(result, _port),
            Address = IPAddress.TryParse(result.GetValue(_address), out var address)
                ? address
                : throw new ArgumentException("--listen-address takes an IP address."),
            HeartbeatInterval = OptionValue.UpToADay(result, _heartbeat),
            InstanceName = result.GetValue(_instance),
            StatusPage = !result.GetValue(_noStatusPage),
            Compress = result.GetValue(_compress),
            ShareUpdates = result.GetValue(_shareUpdates),
            Certificate = certificate?.Certificate,
            CertificateChain = certificate?.Chain ?? [],
            Connections = new ConnectionLimits
            {
                Most = OptionValue.AtLeast(1, result, _connections),
                MostPerAddress = OptionValue.AtLeast(1, result, _perAddress),
            },
            AllowedHosts = _site.Read(result).AllowedHosts,
            AllowedOrigins = _site.Read(result).AllowedOrigins,
            Credentials = [.. Credentials(result)],
            LoggerFactory = LogOptions.ForServer(result),
        };

    private IEnumerable<FeedCredential> Credentials(ParseResult result)
    {
        if (result.GetValue(_user) is { } user)
        {
            var password = result.GetValue(_passwordFile) is { } file
                ? File.ReadAllText(file.FullName).TrimEnd('\r', '\n')
                : Environment.GetEnvironmentVariable(PasswordVariable)
                    ?? throw new ArgumentException($"--user needs a password: in --password-file or {PasswordVariable}.");
            yield return FeedCredential.Basic(user, password);
        }
        else if (result.GetValue(_passwordFile) is not null)
        {
            throw new ArgumentException("--password-file needs a --user.");
        }

        string[] tokens = result.GetValue(_tokenFile) is { } lines
            ? [.. File.ReadAllLines(lines.FullName).Select(line => line.Trim()).Where(line => line.Length > 0)]
            : [];

        // An empty file meant to keep people out must not let everybody in.
        if (result.GetValue(_tokenFile) is { } empty && tokens.Length == 0)
            throw new ArgumentException($"There is no token in '{empty}'.");
        foreach (var token in tokens)
            yield return FeedCredential.Bearer(token);
        if (Environment.GetEnvironmentVariable(TokenVariable) is { Length: > 0 } one)
            yield return FeedCredential.Bearer(one);
    }
}
