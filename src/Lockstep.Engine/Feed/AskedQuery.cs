using System.Security.Cryptography;
using System.Text;

namespace Lockstep.Engine.Feed;

/// <summary>
/// The query that a feed is asked with besides its address, as a table keeps it: a digest, which tells one query from another but reveals
/// neither the query nor any secret in it (I9).
/// </summary>
internal static class AskedQuery
{
    /// <summary>The digest. The order of the options does not count, nor do options that are secrets by their names.</summary>
    public static string Digest(IEnumerable<KeyValuePair<string, string>> query)
    {
        var pairs = query
            .Where(pair => !SecretNames.Contain(pair.Key))
            .Select(pair => $"{Uri.EscapeDataString(pair.Key)}={Uri.EscapeDataString(pair.Value)}")
            .Order(StringComparer.Ordinal);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('&', pairs))));
    }
}
