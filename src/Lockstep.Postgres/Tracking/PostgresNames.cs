using System.Security.Cryptography;
using System.Text;

namespace Lockstep.Postgres.Tracking;

/// <summary>Names of objects created for a table.</summary>
internal static class PostgresNames
{
    /// <summary>PostgreSQL's limit for a name, in bytes of UTF-8; it truncates longer ones silently.</summary>
    private const int MaxBytes = 63;

    /// <summary>A name with a suffix; if that is too long, its beginning and a digest of the whole name.</summary>
    public static string Shorten(string name, string suffix = "")
    {
        var whole = name + suffix;
        if (Encoding.UTF8.GetByteCount(whole) <= MaxBytes)
            return whole;
        var digest = "~" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)))[..8] + suffix;
        var kept = name.Length;
        while (Encoding.UTF8.GetByteCount(name.AsSpan(0, kept)) > MaxBytes - digest.Length || char.IsHighSurrogate(name[kept - 1]))
            kept--;
        return name[..kept] + digest;
    }

    /// <summary>The quoted schema of a quoted name.</summary>
    public static string SchemaOf(string sqlName)
    {
        var quoted = false;
        for (var i = 0; i < sqlName.Length; i++)
        {
            if (sqlName[i] == '"')
                quoted = !quoted;
            else if (sqlName[i] == '.' && !quoted)
                return sqlName[..i];
        }

        throw new ArgumentException("The name has no schema.", nameof(sqlName));
    }
}
