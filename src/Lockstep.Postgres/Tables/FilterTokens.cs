using System.Text;

namespace Lockstep.Postgres.Tables;

/// <summary>What a token of a filter is.</summary>
internal enum FilterTokenKind
{
    /// <summary>A name without quotes, which may be a word of SQL.</summary>
    Word,

    /// <summary>A name in quotes of any kind.</summary>
    Name,

    /// <summary>What begins as a number does.</summary>
    Number,

    /// <summary>Text in single quotes.</summary>
    Text,

    /// <summary>A parameter, without its prefix.</summary>
    Parameter,

    /// <summary>An operator, bracket or comma.</summary>
    Sign,
}

/// <summary>A token of a filter.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Value">What it says, without quotes.</param>
internal readonly record struct FilterToken(FilterTokenKind Kind, string Value)
{
    /// <summary>Whether it is a word of SQL.</summary>
    public bool IsWord(string word) => Kind == FilterTokenKind.Word && Value.Equals(word, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether it is an operator, bracket or comma.</summary>
    public bool IsSign(string sign) => Kind == FilterTokenKind.Sign && Value == sign;
}

/// <summary>Takes a filter apart as SQLite does.</summary>
internal static class FilterTokens
{
    private static readonly string[] LongSigns = ["->>", "||", "<<", ">>", "<=", ">=", "<>", "!=", "==", "->"];
    private const string Signs = "()<>=,+-*/%&|~.";

    /// <summary>The tokens; null for what is no plain expression: a comment, several statements, quotes that do not end.</summary>
    public static IReadOnlyList<FilterToken>? Of(string filter)
    {
        var tokens = new List<FilterToken>();
        for (var at = 0; at < filter.Length; )
        {
            var c = filter[at];
            if (c is ' ' or '\t' or '\n' or '\r' or '\f')
            {
                at++;
            }
            else if (
                c == '-' && filter.AsSpan(at).StartsWith("--", StringComparison.Ordinal)
                || c == '/' && filter.AsSpan(at).StartsWith("/*", StringComparison.Ordinal)
            )
            {
                return null;
            }
            else if (c is '\'' or '"' or '`' or '[')
            {
                if (ReadQuoted(filter, ref at, c == '[' ? ']' : c) is not { } quoted)
                    return null;
                tokens.Add(new FilterToken(c == '\'' ? FilterTokenKind.Text : FilterTokenKind.Name, quoted));
            }
            else if (IsNameStart(c))
            {
                tokens.Add(new FilterToken(FilterTokenKind.Word, ReadName(filter, ref at)));
            }
            else if (char.IsAsciiDigit(c) || c == '.' && at + 1 < filter.Length && char.IsAsciiDigit(filter[at + 1]))
            {
                var start = at;
                while (at < filter.Length && (IsNamePart(filter[at]) || filter[at] == '.'))
                    at++;
                tokens.Add(new FilterToken(FilterTokenKind.Number, filter[start..at]));
            }
            else if (c is ':' or '@' or '$' && at + 1 < filter.Length && IsNamePart(filter[at + 1]))
            {
                at++;
                tokens.Add(new FilterToken(FilterTokenKind.Parameter, ReadName(filter, ref at)));
            }
            else if (Array.Find(LongSigns, sign => string.CompareOrdinal(filter, at, sign, 0, sign.Length) == 0) is { } sign)
            {
                at += sign.Length;
                tokens.Add(new FilterToken(FilterTokenKind.Sign, sign));
            }
            else if (Signs.Contains(c, StringComparison.Ordinal))
            {
                at++;
                tokens.Add(new FilterToken(FilterTokenKind.Sign, c.ToString()));
            }
            else
            {
                return null;
            }
        }

        return tokens;
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
                // Doubled it stands for itself; a bracket cannot.
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
