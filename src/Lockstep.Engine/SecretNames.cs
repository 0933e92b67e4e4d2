namespace Lockstep.Engine;

/// <summary>Decides by the name of a header or query option whether its value is a secret (I9): there is nothing else to go by.</summary>
internal static class SecretNames
{
    private static readonly string[] Marks =
    [
        "authorization",
        "cookie",
        "token",
        "secret",
        "password",
        "passwd",
        "credential",
        "signature",
        "api-key",
        "api_key",
        "apikey",
        "access_key",
        "access-key",
        "accesskey",
        "subscription-key",
        "jwt",
        "bearer",
        "passphrase",
        "session",
    ];

    /// <summary>Names that mark a secret only as a whole.</summary>
    private static readonly string[] Whole = ["sig", "sign", "hmac", "pwd", "pass", "auth", "code", "key", "sas"];

    /// <summary>Likewise, however their words are separated, with an <c>X-</c> or without.</summary>
    private static readonly string[] WholeWords = ["appkey", "userkey", "licensekey", "pat", "otp"];

    /// <summary>Whether the value under this name is a secret.</summary>
    public static bool Contain(string name) =>
        Marks.Any(mark => name.Contains(mark, StringComparison.OrdinalIgnoreCase))
        || Whole.Contains(name, StringComparer.OrdinalIgnoreCase)
        || WholeWords.Contains(WordsOf(name), StringComparer.OrdinalIgnoreCase);

    private static string WordsOf(string name) =>
        (name.StartsWith("x-", StringComparison.OrdinalIgnoreCase) ? name[2..] : name)
            .Replace("-", "", StringComparison.Ordinal)
            .Replace("_", "", StringComparison.Ordinal);

    /// <summary>
    /// A URI's query with each option that is a secret replaced by what <paramref name="replace"/> makes of it, or left out where that is
    /// null.
    /// </summary>
    /// <param name="query">The query, with its question mark, or empty.</param>
    /// <param name="replace">Gets the option's name as it stands in the query.</param>
    public static string Replace(string query, Func<string, string?> replace) =>
        ReplaceValues(query, (pair, _) => replace(pair[..pair.IndexOf('=', StringComparison.Ordinal)]));

    /// <summary>The same, for a function that gets each secret option as it stands, and its value.</summary>
    public static string ReplaceValues(string query, Func<string, string, string?> replace)
    {
        if (query.Length <= 1)
            return "";
        var shown = query[1..]
            .Split('&')
            .Select(pair =>
            {
                var equals = pair.IndexOf('=', StringComparison.Ordinal);
                return equals >= 0 && Contain(Uri.UnescapeDataString(pair[..equals])) ? replace(pair, pair[(equals + 1)..]) : pair;
            })
            .OfType<string>();
        var rest = string.Join('&', shown);
        return rest.Length == 0 ? "" : "?" + rest;
    }
}
