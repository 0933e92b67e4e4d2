using System.Globalization;

namespace Lockstep.Engine.Dialects;

/// <summary>
/// The key in an OData address, by which deletions identify their records: <c>accounts(17)</c>, <c>https://host/People('O''Neil')</c>.
/// </summary>
internal static class EntityId
{
    /// <summary>The key in an address; null if the text is not an address, or its key has several parts.</summary>
    public static (string Text, bool IsQuoted)? KeyOf(string text)
    {
        var set = LastSegment(text);
        var open = set.IndexOf('(', StringComparison.Ordinal);
        if (open <= 0 || !set.EndsWith(')') || !set.AsSpan(0, open).ContainsOnlyName())
            return null;
        var key = Uri.UnescapeDataString(set[(open + 1)..^1]);
        if (key.Length >= 2 && key[0] == '\'' && key[^1] == '\'')
            return (key[1..^1].Replace("''", "'", StringComparison.Ordinal), IsQuoted: true);
        return key.Length > 0 && !key.Contains('=') && !key.Contains('\'') ? (key, IsQuoted: false) : null;
    }

    /// <summary>What follows the last slash that is not within quotes.</summary>
    private static string LastSegment(string text)
    {
        var (start, isQuoted) = (0, false);
        for (var i = 0; i < text.Length; i++)
        {
            isQuoted ^= text[i] == '\'';
            if (text[i] == '/' && !isQuoted)
                start = i + 1;
        }

        return text[start..];
    }

    /// <summary>Whether a key without quotes is an OData number.</summary>
    public static bool IsInteger(string key) => long.TryParse(key, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _);

    private static bool ContainsOnlyName(this ReadOnlySpan<char> text)
    {
        foreach (var c in text)
        {
            if (!char.IsLetterOrDigit(c) && c is not ('_' or '.'))
                return false;
        }

        return true;
    }
}
