using Lockstep.Engine;
using Lockstep.Serving.Hosting;

namespace Lockstep.Parameters;

/// <summary>Turns -AllowedHost and -AllowedOrigin into a server's rules.</summary>
internal static class SiteParameters
{
    /// <exception cref="InvalidOptionException">A value is not a name or an origin.</exception>
    public static SiteRules Read(string[] hosts, string[] origins)
    {
        try
        {
            return new SiteRules { AllowedHosts = hosts, AllowedOrigins = origins }.Checked();
        }
        catch (ArgumentException e)
        {
            throw new InvalidOptionException(PlainText.MessageOf(e), "Correct -AllowedHost or -AllowedOrigin.");
        }
    }
}
