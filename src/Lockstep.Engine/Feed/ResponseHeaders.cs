using System.Collections.Frozen;

namespace Lockstep.Engine.Feed;

/// <summary>A response's headers as a dictionary; names ignore case, and several values of one name are joined by a comma.</summary>
internal static class ResponseHeaders
{
    /// <summary>A browser's session is nobody's business here (I9).</summary>
    private const string Secret = "Set-Cookie";

    public static readonly IReadOnlyDictionary<string, string> None = FrozenDictionary<string, string>.Empty;

    public static IReadOnlyDictionary<string, string> Of(HttpResponseMessage response)
    {
        var all = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach ((var name, var values) in response.Headers.NonValidated.Concat(response.Content.Headers.NonValidated))
        {
            if (!name.Equals(Secret, StringComparison.OrdinalIgnoreCase))
                all[name] = string.Join(", ", values);
        }

        return all;
    }
}
