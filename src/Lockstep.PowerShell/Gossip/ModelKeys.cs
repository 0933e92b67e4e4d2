using System.Management.Automation;
using Lockstep.Gossip.Security;
using Lockstep.Parameters;

namespace Lockstep.Gossip;

/// <summary>Hides the engine's keys from public types.</summary>
internal static class ModelKeys
{
    /// <summary>The keys in the files named by a user; null if none is named.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="GossipSecurityException">A key cannot be read, or one is missing.</exception>
    public static GossipSecurity? Load(
        PathIntrinsics paths,
        ModelSignature signature,
        string? privateKey,
        string? publicKey,
        string[] trusted
    )
    {
        if (privateKey is null && publicKey is null && trusted.Length == 0)
            return null;

        var keys = new GossipKeyFiles
        {
            Signature = (GossipSignature)signature,
            PrivateKey = privateKey is null ? null : FileSystemPath.ResolveLiteral(paths, privateKey),
            PublicKey = publicKey is null ? null : FileSystemPath.ResolveLiteral(paths, publicKey),
            Trusted = [.. trusted.SelectMany(path => FileSystemPath.Resolve(paths, path))],
        };
        return keys.Load();
    }
}
