using System.Net;
using Lockstep.Serving;

namespace Lockstep.Cli.Serving;

/// <summary>What a server's options do that their author may not expect.</summary>
internal static class ServeNotices
{
    /// <param name="options">The options.</param>
    /// <param name="isFile">Whether they come from a configuration file, whose words the notices then use.</param>
    public static IEnumerable<string> Of(FeedServerOptions options, bool isFile = false)
    {
        var (certificate, hosts) = isFile ? ("listen.certificate", "listen.allowedHosts") : ("--certificate", "--allowed-host");
        var isPublic = !IPAddress.IsLoopback(options.Address);
        if (options.Credentials.Count > 0 && options.Certificate is null && isPublic)
        {
            yield return "passwords and tokens cross the network unencrypted; "
                + $"give a certificate with {certificate}, or have a proxy speak TLS.";
        }

        if (options.Credentials.Count == 0 && options.AllowedHosts.Count == 0 && isPublic)
            yield return $"anyone may read, so only requests to an IP address are answered; allow the server's names with {hosts}.";

        if (options.ShareUpdates && options.Credentials.Count > 0)
            yield return "updates are not shared: a cache keeps nothing that needs a credential, so clients get the stream.";
    }
}
