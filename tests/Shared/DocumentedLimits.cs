using System.Globalization;
using System.Text.RegularExpressions;

namespace Lockstep.Testing;

/// <summary>The limits in docs/SECURITY.md: the last number before a name in brackets.</summary>
internal static partial class DocumentedLimits
{
    public static long? Of(string name)
    {
        var text = WhiteSpace().Replace(File.ReadAllText(RepositoryFile.PathOf("docs/SECURITY.md")), " ");
        var at = text.IndexOf($"(`{name}`)", StringComparison.Ordinal);
        return at > 0
            ? long.Parse(Number().Matches(text[..at])[^1].Value.Replace(",", "", StringComparison.Ordinal), CultureInfo.InvariantCulture)
            : null;
    }

    [GeneratedRegex(@"\d[\d,]*")]
    private static partial Regex Number();

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhiteSpace();
}
