using System.Security.Cryptography;
using System.Text;

namespace Lockstep.Serving;

/// <summary>
/// A secret that lets a client read: user and password, or a bearer token. Keeps only a digest of it, which no member shows (I9).
/// Immutable.
/// </summary>
public sealed class FeedCredential
{
    private readonly byte[] _digest;

    private FeedCredential(bool isBearer, string secret, IReadOnlyCollection<string>? feeds)
    {
        IsBearer = isBearer;
        _digest = Digest(secret);
        Feeds = feeds;
    }

    /// <summary>The names of the feeds that it opens; null for all.</summary>
    public IReadOnlyCollection<string>? Feeds { get; }

    internal bool IsBearer { get; }

    /// <summary>A user with a password, for Basic authentication (RFC 7617). The user name contains no colon.</summary>
    public static FeedCredential Basic(string user, string password, IReadOnlyCollection<string>? feeds = null)
    {
        ArgumentNullException.ThrowIfNull(user);
        if (user.Contains(':', StringComparison.Ordinal))
            throw new ArgumentException("A user name cannot contain a colon.", nameof(user));
        return new FeedCredential(isBearer: false, $"{user}:{password}", feeds);
    }

    /// <summary>A bearer token (RFC 6750).</summary>
    public static FeedCredential Bearer(string token, IReadOnlyCollection<string>? feeds = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(token);
        return new FeedCredential(isBearer: true, token, feeds);
    }

    internal bool Opens(string feed) => Feeds?.Contains(feed) != false;

    /// <summary>Takes the same time whatever the secrets are: digests of equal length are compared in full.</summary>
    internal bool Matches(bool isBearer, ReadOnlySpan<byte> digest) =>
        CryptographicOperations.FixedTimeEquals(digest, _digest) & (isBearer == IsBearer);

    internal static byte[] Digest(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));
}
