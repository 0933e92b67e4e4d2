using System.CommandLine;
using System.Net;
using Lockstep.Engine.Feed;

namespace Lockstep.Cli.Commands;

/// <summary>The options with which a command authenticates to a feed; secrets come from the environment.</summary>
internal sealed class CredentialOptions
{
    private readonly Option<string[]> _header = new("--header", "-H")
    {
        Description = "A request header; may be given more than once.",
        HelpName = "NAME:VALUE",
    };

    private readonly Option<FileInfo?> _headerFile = new("--header-file")
    {
        Description = "A file of secret request headers, NAME:VALUE, one per line; LOCKSTEP_HEADER may also hold such lines.",
        HelpName = "FILE",
    };

    private readonly Option<string?> _user = new("--user", "-u")
    {
        Description = "User name for Basic authentication; the password comes from LOCKSTEP_PASSWORD.",
        HelpName = "NAME",
    };

    private readonly Option<bool> _allowOpen = new("--allow-unencrypted-authentication")
    {
        Description = "Allow credentials over plain http to another host.",
    };

    private readonly Option<bool> _skipCheck = new("--skip-certificate-check") { Description = "Accept any server certificate." };

    private readonly Option<FileInfo?> _authority = new("--certificate-authority")
    {
        Description = "A PEM file of certificate authorities to trust for this server, instead of the system's.",
        HelpName = "FILE",
    };

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_header, _headerFile, _user, _allowOpen, _authority, _skipCheck])
            command.Options.Add(option);
    }

    /// <summary>The bearer token; null for none.</summary>
    public static string? Token => Environment.GetEnvironmentVariable("LOCKSTEP_TOKEN");

    /// <exception cref="ArgumentException">A header is malformed.</exception>
    public List<KeyValuePair<string, string>> HeadersOf(ParseResult result) =>
        SyncCommand.Pairs(WithSecret(result.GetValue(_header), result.GetValue(_headerFile), "LOCKSTEP_HEADER"), ':');

    /// <summary>
    /// The values from the command line, followed by the lines of a file and of an environment variable, which others cannot see.
    /// </summary>
    public static string[] WithSecret(string[]? open, FileInfo? file, string variable) =>
        [
            .. open ?? [],
            .. Lines(file is null ? null : File.ReadAllText(file.FullName)),
            .. Lines(Environment.GetEnvironmentVariable(variable)),
        ];

    private static string[] Lines(string? text) =>
        (text ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    public NetworkCredential? CredentialOf(ParseResult result) =>
        result.GetValue(_user) is { } name ? new NetworkCredential(name, Environment.GetEnvironmentVariable("LOCKSTEP_PASSWORD")) : null;

    public bool AllowsUnencrypted(ParseResult result) => result.GetValue(_allowOpen);

    public string? AuthorityOf(ParseResult result) => result.GetValue(_authority)?.FullName;

    public bool SkipsCheck(ParseResult result) => result.GetValue(_skipCheck);

    /// <summary>A feed as these options reach it.</summary>
    /// <exception cref="ArgumentException">A header is malformed.</exception>
    public FeedOptions Reach(Uri uri, ParseResult result) =>
        new()
        {
            Uri = uri,
            Headers = HeadersOf(result),
            Credential = CredentialOf(result),
            BearerToken = Token,
            AllowUnencryptedAuthentication = AllowsUnencrypted(result),
            SkipCertificateCheck = SkipsCheck(result),
            CertificateAuthority = AuthorityOf(result),
        };
}
