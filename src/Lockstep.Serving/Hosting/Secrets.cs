using Lockstep.Engine;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// Removes the secrets from what a server shows of a request (I9). It decides by name, since a server cannot know what a value means.
/// </summary>
internal static class Secrets
{
    private const string Hidden = "***";

    public static Dictionary<string, string> Hide(IHeaderDictionary headers)
    {
        Dictionary<string, string> shown = new(StringComparer.OrdinalIgnoreCase);
        foreach ((var name, var values) in headers)
            shown[name] = SecretNames.Contain(name) ? HideValue(name, values.ToString()) : values.ToString();
        return shown;
    }

    public static string Hide(QueryString query) => SecretNames.Replace(query.Value ?? "", name => $"{name}={Hidden}");

    private static string HideValue(string name, string value)
    {
        var space = name.EndsWith("authorization", StringComparison.OrdinalIgnoreCase) ? value.IndexOf(' ', StringComparison.Ordinal) : -1;
        return space > 0 ? value[..(space + 1)] + Hidden : Hidden;
    }
}
