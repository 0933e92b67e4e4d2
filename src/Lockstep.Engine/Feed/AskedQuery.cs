using System.Security.Cryptography;
using System.Text;

namespace Lockstep.Engine.Feed;

/// <summary>
/// A digest of the query options sent to a feed in addition to its address, as a table keeps it: it tells one query from another, but
/// reveals neither the query nor any secret in it (I9).
/// </summary>
internal static class AskedQuery
{
    /// <summary>Computes the digest, which ignores the order of the options and any option whose name marks it as a secret.</summary>
    public static string Digest(IEnumerable<KeyValuePair<string, string>> query)
    {
        var pairs = query
            .Where(pair => !SecretNames.Contain(pair.Key))
            .Select(pair => $"{Uri.EscapeDataString(pair.Key)}={Uri.EscapeDataString(pair.Value)}")
            .Order(StringComparer.Ordinal);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('&', pairs))));
    }
}
