using System.Management.Automation;
using Lockstep.Parameters;

namespace Lockstep.Tables;

/// <summary>What is meant by a table's name, which may be a pattern.</summary>
internal static class TableNames
{
    /// <summary>
    /// The tables that are called exactly so, brackets included; where there are none, those that the name matches as a pattern.
    /// </summary>
    public static IReadOnlyList<T> Matching<T>(string name, IReadOnlyList<T> tables, Func<T, string> nameOf)
    {
        // What PowerShell would escape may come escaped: web`[1`].
        var plain = WildcardPattern.ContainsWildcardCharacters(name) ? name : WildcardPattern.Unescape(name);
        T[] literal = [.. tables.Where(table => string.Equals(nameOf(table), plain, StringComparison.OrdinalIgnoreCase))];
        if (literal.Length > 0 || !WildcardPattern.ContainsWildcardCharacters(name))
            return literal;
        var pattern = WildcardPattern.Get(name, PatternOptions.AnyCase);
        return [.. tables.Where(table => pattern.IsMatch(nameOf(table)))];
    }

    /// <summary>
    /// Whether a name can only be meant as a pattern, which may match nothing without an error. Brackets may be a part of it.
    /// </summary>
    public static bool IsPattern(string name) => name.AsSpan().ContainsAny('*', '?');
}
