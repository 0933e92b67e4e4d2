using Lockstep.Engine;
using Lockstep.Serving.Hosting;

namespace Lockstep.Parameters;

/// <summary>Makes of -AllowedHost and -AllowedOrigin the rules of a server.</summary>
internal static class SiteParameters
{
    /// <exception cref="InvalidOptionException">A value is no name or origin.</exception>
    public static SiteRules Read(string[] hosts, string[] origins)
    {
        try
        {
            return new SiteRules { AllowedHosts = hosts, AllowedOrigins = origins }.Checked();
        }
        catch (ArgumentException e)
        {
            throw new InvalidOptionException(e.Message, "Correct -AllowedHost or -AllowedOrigin.");
        }
    }
}
