using System.Management.Automation;
using Lockstep.Parameters;

namespace Lockstep.Tables;

/// <summary>Matches a table's name, which may be a pattern.</summary>
internal static class TableNames
{
    /// <summary>The tables with exactly that name, brackets included; if there are none, those that match the name as a pattern.</summary>
    public static IReadOnlyList<T> Matching<T>(string name, IReadOnlyList<T> tables, Func<T, string> nameOf)
    {
        // The name may arrive escaped as PowerShell would escape it: web`[1`].
        var plain = WildcardPattern.ContainsWildcardCharacters(name) ? name : WildcardPattern.Unescape(name);
        T[] literal = [.. tables.Where(table => string.Equals(nameOf(table), plain, StringComparison.OrdinalIgnoreCase))];
        if (literal.Length > 0 || !WildcardPattern.ContainsWildcardCharacters(name))
            return literal;
        var pattern = WildcardPattern.Get(name, PatternOptions.AnyCase);
        return [.. tables.Where(table => pattern.IsMatch(nameOf(table)))];
    }

    /// <summary>Whether a name can only be a pattern, which may match nothing without an error. Brackets may be part of a name.</summary>
    public static bool IsPattern(string name) => name.AsSpan().ContainsAny('*', '?');
}
