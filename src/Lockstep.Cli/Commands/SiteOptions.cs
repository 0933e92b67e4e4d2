using System.CommandLine;
using Lockstep.Serving.Hosting;

namespace Lockstep.Cli.Commands;

/// <summary>The names under which clients, and the web pages from which browsers, may send requests to a server.</summary>
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

    /// <exception cref="ArgumentException">A value is not a name or an origin.</exception>
    public SiteRules Read(ParseResult result) =>
        new SiteRules { AllowedHosts = result.GetValue(_host) ?? [], AllowedOrigins = result.GetValue(_origin) ?? [] }.Checked();
}
