using System.Text;

namespace Lockstep.Engine.Tables;

/// <summary>The kind of a filter's token.</summary>
internal enum FilterTokenKind
{
    /// <summary>An unquoted name, possibly an SQL keyword.</summary>
    Word,

    /// <summary>A name in quotes of any kind.</summary>
    Name,

    /// <summary>Anything that starts like a number.</summary>
    Number,

    /// <summary>Text in single quotes.</summary>
    Text,

    /// <summary>A parameter, without its prefix.</summary>
    Parameter,

    /// <summary>An operator, bracket or comma.</summary>
    Sign,
}

/// <summary>A token of a filter.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Value">Its text, without quotes.</param>
/// <param name="Start">Its start in the filter.</param>
/// <param name="End">Its end, after the last character.</param>
internal readonly record struct FilterToken(FilterTokenKind Kind, string Value, int Start, int End)
{
    /// <summary>Whether it is this SQL keyword.</summary>
    public bool IsWord(string word) => Kind == FilterTokenKind.Word && Value.Equals(word, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether it is this operator, bracket or comma.</summary>
    public bool IsSign(string sign) => Kind == FilterTokenKind.Sign && Value == sign;
}

/// <summary>Splits a filter into tokens as SQLite does.</summary>
internal static class FilterTokens
{
    private static readonly string[] LongSigns = ["->>", "||", "<<", ">>", "<=", ">=", "<>", "!=", "==", "->"];
    private const string Signs = "()<>=,+-*/%&|~.";

    /// <summary>Words that are values, or start something other than a name.</summary>
    private static readonly HashSet<string> Reserved = new(StringComparer.OrdinalIgnoreCase)
    {
        "TRUE",
        "FALSE",
        "NULL",
        "NOT",
        "AND",
        "OR",
        "IN",
        "IS",
        "LIKE",
        "GLOB",
        "BETWEEN",
        "EXISTS",
        "CAST",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "CURRENT_TIMESTAMP",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "SELECT",
    };

    /// <summary>Whether an unquoted name is an SQL keyword that cannot be a field.</summary>
    public static bool IsReserved(FilterToken token) => token.Kind == FilterTokenKind.Word && Reserved.Contains(token.Value);

    /// <summary>
    /// The tokens; null if the text is not a plain expression, because of a comment, an unclosed quote, or a character that no expression
    /// contains.
    /// </summary>
    public static IReadOnlyList<FilterToken>? Of(string filter)
    {
        var tokens = new List<FilterToken>();
        for (var at = 0; at < filter.Length; )
        {
            var (c, start) = (filter[at], at);
            if (c is ' ' or '\t' or '\n' or '\r' or '\f')
            {
                at++;
                continue;
            }

            if (
                filter.AsSpan(at).StartsWith("--", StringComparison.Ordinal) || filter.AsSpan(at).StartsWith("/*", StringComparison.Ordinal)
            )
            {
                var (end, past) = c == '-' ? ("\n", 1) : ("*/", 2);
                var ends = filter.IndexOf(end, at + 2, StringComparison.Ordinal);
                if (ends < 0 && c == '/')
                    return null;
                at = ends < 0 ? filter.Length : ends + past;
                continue;
            }

            if (ReadToken(filter, ref at) is not (var kind, { } value))
                return null;
            tokens.Add(new FilterToken(kind, value, start, at));
        }

        return tokens;
    }

    private static (FilterTokenKind Kind, string? Value) ReadToken(string filter, ref int at)
    {
        var c = filter[at];
        if (c is '\'' or '"' or '`' or '[')
            return (c == '\'' ? FilterTokenKind.Text : FilterTokenKind.Name, ReadQuoted(filter, ref at, c == '[' ? ']' : c));
        if (IsNameStart(c))
            return (FilterTokenKind.Word, ReadName(filter, ref at));
        if (char.IsAsciiDigit(c) || c == '.' && at + 1 < filter.Length && char.IsAsciiDigit(filter[at + 1]))
            return (FilterTokenKind.Number, ReadNumber(filter, ref at));
        if (c is ':' or '@' or '$' && at + 1 < filter.Length && IsNamePart(filter[at + 1]))
        {
            at++;
            return (FilterTokenKind.Parameter, ReadName(filter, ref at));
        }

        var place = at;
        var sign =
            Array.Find(LongSigns, sign => string.CompareOrdinal(filter, place, sign, 0, sign.Length) == 0)
            ?? (Signs.Contains(c, StringComparison.Ordinal) ? c.ToString() : null);
        at += sign?.Length ?? 0;
        return (FilterTokenKind.Sign, sign);
    }

    private static string ReadNumber(string filter, ref int at)
    {
        var start = at;
        while (
            at < filter.Length
            && (
                IsNamePart(filter[at])
                || filter[at] == '.'
                || filter[at] is '+' or '-'
                    && filter[at - 1] is 'e' or 'E'
                    && !filter.AsSpan(start).StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            )
        )
        {
            at++;
        }

        return filter[start..at];
    }

    private static bool IsNameStart(char c) => char.IsAsciiLetter(c) || c == '_' || c > '\x7f';

    private static bool IsNamePart(char c) => IsNameStart(c) || char.IsAsciiDigit(c) || c == '$';

    private static string ReadName(string filter, ref int at)
    {
        var start = at;
        while (at < filter.Length && IsNamePart(filter[at]))
            at++;
        return filter[start..at];
    }

    private static string? ReadQuoted(string filter, ref int at, char end)
    {
        var text = new StringBuilder();
        for (at++; at < filter.Length; at++)
        {
            if (filter[at] == end)
            {
                // A doubled quote stands for itself; a bracket cannot be doubled.
                if (end == ']' || at + 1 == filter.Length || filter[at + 1] != end)
                {
                    at++;
                    return text.ToString();
                }

                at++;
            }

            text.Append(filter[at]);
        }

        return null;
    }
}
