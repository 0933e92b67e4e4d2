using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Lockstep.Gossip.Peers;

/// <summary>Which certificates of peers are accepted beyond those that the system trusts.</summary>
public static class GossipTrust
{
    /// <summary>Options to reach a peer whose certificate, or its issuer's, is one of these. Its name must still match.</summary>
    /// <param name="trusted">The certificates, without private keys. They are in use as long as the result is.</param>
    /// <param name="skipCheck">Accepts any certificate, including that of an impostor.</param>
    public static GossipDialOptions Dial(X509Certificate2Collection trusted, bool skipCheck)
    {
        ArgumentNullException.ThrowIfNull(trusted);
        if (trusted.Count == 0 && !skipCheck)
        {
            return new GossipDialOptions();
        }

        RemoteCertificateValidationCallback check = (_, certificate, _, errors) => skipCheck || IsTrusted(certificate, errors, trusted);
        return new GossipDialOptions
        {
            Tls = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = check },
            WebSocket = options => options.RemoteCertificateValidationCallback = check,
        };
    }

    private static bool IsTrusted(X509Certificate? certificate, SslPolicyErrors errors, X509Certificate2Collection trusted)
    {
        if (errors is SslPolicyErrors.None)
        {
            return true;
        }

        if (errors is not SslPolicyErrors.RemoteCertificateChainErrors || certificate is not X509Certificate2 theirs)
        {
            return false;
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(trusted);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return chain.Build(theirs);
    }
}
