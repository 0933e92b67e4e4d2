using System.Collections.Frozen;

namespace Lockstep.Engine.Feed;

/// <summary>The headers of a response as a dictionary, names in any case; several values of one name are joined by a comma.</summary>
internal static class ResponseHeaders
{
    /// <summary>A session of a browser is none of anybody's business here (I9).</summary>
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
