using System.Text.RegularExpressions;
using Lockstep.Engine.Tables;

namespace Lockstep.Postgres.Tables;

/// <summary>A value to which a filter compares.</summary>
/// <param name="Text">As text.</param>
/// <param name="IsText">Whether it is text, not a number.</param>
internal readonly record struct FilterValue(string Text, bool IsText);

/// <summary>The values in a filter: literals, and parameters as they are bound for a table file.</summary>
internal sealed partial class FilterValues(IReadOnlyDictionary<string, object?> parameters)
{
    /// <summary>The value of these tokens; null unless both databases interpret it alike.</summary>
    public FilterValue? Read(ReadOnlySpan<FilterToken> tokens)
    {
        if (tokens is [var sign, { Kind: FilterTokenKind.Number } number] && sign.IsSign("-"))
            return Number("-" + number.Value);
        if (tokens is not [var token])
            return null;
        return token.Kind switch
        {
            FilterTokenKind.Number => Number(token.Value),
            FilterTokenKind.Text => Text(token.Value),
            FilterTokenKind.Parameter when parameters.TryGetValue(token.Value, out var value) => Bound(value),
            _ => null,
        };
    }

    private static FilterValue? Bound(object? value) =>
        value switch
        {
            bool flag => new FilterValue(flag ? "1" : "0", false),
            _ when FilterNumber.OfValue(value) is { } number => Number(number.Text),
            string or char => Text(value.ToString()!),
            _ => null,
        };

    /// <summary>Text in PostgreSQL can hold neither a NUL nor invalid Unicode.</summary>
    private static FilterValue? Text(string text) =>
        text.Contains('\0', StringComparison.Ordinal) || text.Any(char.IsSurrogate) ? null : new FilterValue(text, true);

    private static FilterValue? Number(string text) => Plain().IsMatch(text) ? new FilterValue(text, false) : null;

    [GeneratedRegex(@"\A-?([0-9]{1,300}(\.[0-9]{0,300})?|\.[0-9]{1,300})\z", RegexOptions.CultureInvariant)]
    private static partial Regex Plain();
}
