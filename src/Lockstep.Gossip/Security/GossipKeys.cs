using System.Security.Cryptography;

namespace Lockstep.Gossip.Security;

/// <summary>Reads keys in PEM form, with errors that say what to do and never show the text.</summary>
internal static class GossipKeys
{
    public static void Import(AsymmetricAlgorithm key, ReadOnlySpan<char> pem, string what)
    {
        try
        {
            key.ImportFromPem(pem);
        }
        catch (Exception error) when (error is ArgumentException or CryptographicException)
        {
            var hint = pem.Contains("OPENSSH PRIVATE KEY", StringComparison.Ordinal)
                ? "Convert it from OpenSSH's own form with 'ssh-keygen -p -m PEM -f <file>'."
                : "Give a PEM file that is not encrypted, with one key of the scheme.";
            throw new GossipSecurityException($"The {what} key cannot be read.", hint, error);
        }
    }
}
