using System.Collections;
using System.Management.Automation;
using System.Net;
using Lockstep.Engine;
using Lockstep.Engine.Feed;
using Lockstep.Errors;
using Lockstep.Parameters;
using Lockstep.Sync;

namespace Lockstep.Bases;

/// <summary>Turns a cmdlet's parameters for reaching a feed into the engine's options.</summary>
internal static class FeedSettings
{
    /// <exception cref="InvalidOptionException">It is not the URI of a feed.</exception>
    public static void Require(Uri uri)
    {
        if (!uri.IsAbsoluteUri || uri.Scheme is not ("http" or "https"))
            throw new InvalidOptionException("A feed's URI begins with http:// or https://.", "Give the whole URI with -Uri.");
    }

    /// <exception cref="InvalidOptionException">The parameters contradict each other.</exception>
    /// <param name="cmdlet">The cmdlet.</param>
    /// <param name="uri">The feed.</param>
    /// <param name="supplied">What takes precedence over the cmdlet's own; null for nothing.</param>
    public static FeedOptions Of(FeedCmdlet cmdlet, Uri uri, SuppliedAccess? supplied = null)
    {
        Require(uri);
        if (cmdlet.Authentication == FeedAuthentication.Basic && cmdlet.Credential is null)
            throw new InvalidOptionException("Basic authentication needs a user name and a password.", "Give them with -Credential.");
        if (cmdlet.Authentication == FeedAuthentication.Bearer && cmdlet.Token is null && cmdlet.TokenProvider is null)
        {
            throw new InvalidOptionException(
                "Bearer authentication needs a token.",
                "Give one with -Token, or a script that gets one with -TokenProvider."
            );
        }

        if (cmdlet.Proxy is { IsAbsoluteUri: false })
        {
            throw new InvalidOptionException(
                "A proxy's address begins with http:// or a similar scheme.",
                "Give the whole URI with -Proxy, or leave it out."
            );
        }

        var options = new FeedOptions
        {
            Uri = uri,
            CursorStyle = (Engine.Feed.CursorStyle)cmdlet.CursorStyle,
            Query = Pairs(cmdlet.Query),
            Headers = Pairs(cmdlet.Headers),
            Credential = cmdlet.Authentication == FeedAuthentication.Bearer ? null : cmdlet.Credential?.GetNetworkCredential(),
            BearerToken =
                supplied?.Token
                ?? (
                    cmdlet.Token is null || cmdlet.Authentication == FeedAuthentication.Basic
                        ? null
                        : new NetworkCredential("", cmdlet.Token).Password
                ),
            ConnectionTimeout = OptionCheck.Timeout(cmdlet.ConnectionTimeoutSeconds),
            OperationTimeout = OptionCheck.Timeout(cmdlet.OperationTimeoutSeconds),
            AllowUnencryptedAuthentication = cmdlet.AllowUnencryptedAuthentication,
            SkipCertificateCheck = cmdlet.SkipCertificateCheck,
            CertificateAuthority = cmdlet.CertificateAuthority is { } authority
                ? FileSystemPath.ResolveLiteral(cmdlet.SessionState.Path, authority)
                : null,
            Certificate = cmdlet.Certificate,
            NoProxy = cmdlet.NoProxy,
            Proxy = cmdlet.Proxy is null
                ? null
                : new WebProxy(cmdlet.Proxy)
                {
                    UseDefaultCredentials = cmdlet.ProxyUseDefaultCredentials,
                    Credentials = cmdlet.ProxyUseDefaultCredentials
                        ? CredentialCache.DefaultCredentials
                        : cmdlet.ProxyCredential?.GetNetworkCredential(),
                },
        };
        options.Validate(CmdletWords.Say);
        return options.With(null, supplied?.Uri, supplied?.Headers);
    }

    /// <summary>
    /// The names among texts, some of which may be empty or null: a feed read from a CSV file has empty ones, and nulls where its line is
    /// short.
    /// </summary>
    public static string[] Named(string?[]? names) => [.. (names ?? []).Where(name => !string.IsNullOrEmpty(name)).Select(name => name!)];

    private static KeyValuePair<string, string>[] Pairs(IDictionary? dictionary) =>
        dictionary is null
            ? []
            :
            [
                .. dictionary
                    .Cast<DictionaryEntry>()
                    .Select(entry =>
                        KeyValuePair.Create(
                            LanguagePrimitives.ConvertTo<string>(entry.Key),
                            LanguagePrimitives.ConvertTo<string>(entry.Value)
                        )
                    ),
            ];
}
