using System.CommandLine;
using Lockstep.Serving.Hosting;

namespace Lockstep.Cli.Commands;

/// <summary>Under which names a server may be asked for, and by which web pages.</summary>
internal sealed class SiteOptions
{
    private readonly Option<string[]> _host = new("--allowed-host")
    {
        Description =
            "A host name that the server answers to; may be given several times. IP addresses are always allowed, as is "
            + "localhost if it listens on loopback.",
        HelpName = "NAME",
    };
    private readonly Option<string[]> _origin = new("--allowed-origin")
    {
        Description = "The origin of a web site whose pages may send requests; may be given several times.",
        HelpName = "ORIGIN",
    };

    public void AddTo(Command command)
    {
        command.Options.Add(_host);
        command.Options.Add(_origin);
    }

    /// <exception cref="ArgumentException">A value is no name or origin.</exception>
    public SiteRules Read(ParseResult result) =>
        new SiteRules { AllowedHosts = result.GetValue(_host) ?? [], AllowedOrigins = result.GetValue(_origin) ?? [] }.Checked();
}
