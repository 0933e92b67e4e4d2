using System.Globalization;

namespace Lockstep.Engine.Feed;

/// <summary>
/// The options of a requested link that must not be shown when the server repeats them: secrets and cursors, by their names or looks (D7).
/// </summary>
internal static class LinkSecrets
{
    /// <summary>Anything shorter may be a word of the error.</summary>
    private const int Shortest = 6;

    /// <summary>From here on, letters mixed with digits are a cursor, whatever its name.</summary>
    private const int ShortestOpaque = 12;
    private static readonly string[] CursorNames = ["cursor", "continu", "skip", "after", "marker", "delta", "next", "page"];

    /// <summary>The values to hide, as they stand in the link and unescaped.</summary>
    /// <param name="link">What was requested.</param>
    /// <param name="own">Values that the user gave, which may be shown unless their names say that they are secrets.</param>
    public static IEnumerable<string> Of(Uri link, IReadOnlyCollection<string> own)
    {
        foreach (var (name, raw) in Options(link))
        {
            var value = Uri.UnescapeDataString(raw);
            if (value.Length < Shortest || !(SecretNames.Contain(name) || (!own.Contains(value) && IsCursor(name, value))))
                continue;
            yield return value;
            yield return raw;
        }
    }

    /// <summary>The values of a URI's query, unescaped.</summary>
    public static IEnumerable<string> Values(Uri uri) => Options(uri).Select(option => Uri.UnescapeDataString(option.Raw));

    private static IEnumerable<(string Name, string Raw)> Options(Uri uri) =>
        uri
            .Query.TrimStart('?')
            .Split('&')
            .Select(option => option.Split('=', 2))
            .Where(parts => parts.Length == 2)
            .Select(parts => (Uri.UnescapeDataString(parts[0]), parts[1]));

    /// <summary>A number or a time reveals nothing, and says what the server complains of.</summary>
    private static bool IsCursor(string name, string value) =>
        !decimal.TryParse(value, NumberStyles.Number, CultureInfo.InvariantCulture, out _)
        && !DateTimeOffset.TryParse(value, CultureInfo.InvariantCulture, out _)
        && (CursorNames.Any(mark => name.Contains(mark, StringComparison.OrdinalIgnoreCase)) || IsOpaque(value));

    private static bool IsOpaque(string value) =>
        value.Length >= ShortestOpaque && value.Any(char.IsAsciiDigit) && value.Any(char.IsAsciiLetter) && !value.Any(char.IsWhiteSpace);
}
