using System.Security.Cryptography;
using System.Text;

namespace Lockstep.Engine.Feed;

/// <summary>
/// What a feed is asked beside its address, as a table keeps it: a digest, which tells one query from another and neither what it was nor
/// any secret in it (I9).
/// </summary>
internal static class AskedQuery
{
    /// <summary>The digest; the order of the options and those that are secrets by their names do not count.</summary>
    public static string Digest(IEnumerable<KeyValuePair<string, string>> query)
    {
        var pairs = query
            .Where(pair => !SecretNames.Contain(pair.Key))
            .Select(pair => $"{Uri.EscapeDataString(pair.Key)}={Uri.EscapeDataString(pair.Value)}")
            .Order(StringComparer.Ordinal);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('&', pairs))));
    }
}
