using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Lockstep.TestServer.Requests;

/// <summary>Takes the secrets out of what a request log keeps (I9). It goes by names, since a test server cannot know what a value means.</summary>
internal static class Secrets
{
    private const string Hidden = "***";
    private static readonly string[] Marks = ["authorization", "cookie", "token", "secret", "password", "passwd", "credential", "signature", "api-key", "api_key", "apikey", "access_key"];

    public static Dictionary<string, string> Hide(IHeaderDictionary headers)
    {
        Dictionary<string, string> shown = new(StringComparer.OrdinalIgnoreCase);
        foreach ((string name, StringValues values) in headers)
            shown[name] = IsSecret(name) ? HideValue(name, values.ToString()) : values.ToString();
        return shown;
    }

    public static string Hide(QueryString query)
    {
        if (query.Value is not { Length: > 1 } text)
            return "";
        string[] pairs = text[1..].Split('&');
        for (int i = 0; i < pairs.Length; i++)
        {
            int equals = pairs[i].IndexOf('=', StringComparison.Ordinal);
            if (equals >= 0 && IsSecret(Uri.UnescapeDataString(pairs[i][..equals])))
                pairs[i] = pairs[i][..(equals + 1)] + Hidden;
        }
        return "?" + string.Join('&', pairs);
    }

    private static bool IsSecret(string name) =>
        Marks.Any(mark => name.Contains(mark, StringComparison.OrdinalIgnoreCase)) || name.Equals("sig", StringComparison.OrdinalIgnoreCase);

    private static string HideValue(string name, string value)
    {
        int space = name.EndsWith("authorization", StringComparison.OrdinalIgnoreCase) ? value.IndexOf(' ', StringComparison.Ordinal) : -1;
        return space > 0 ? value[..(space + 1)] + Hidden : Hidden;
    }
}
