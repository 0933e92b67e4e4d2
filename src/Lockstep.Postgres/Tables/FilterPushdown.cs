using Lockstep.Engine.Tables;

namespace Lockstep.Postgres.Tables;

/// <summary>
/// Translates a filter, an SQLite expression, into a PostgreSQL condition that holds for every record that the filter accepts, and few
/// others, so that unneeded records stay in the database. SQLite makes the final decision (<see cref="FilteredScan"/>), so anything not
/// understood here can be left out, and a comparison can be widened.
/// </summary>
internal sealed class FilterPushdown
{
    /// <summary>Next to these, AND and OR have other meanings, or names refer to other columns.</summary>
    private static readonly string[] Refused = ["CASE", "SELECT", "VALUES", "WITH"];
    private static readonly Dictionary<string, string> Mirrored = new(StringComparer.Ordinal)
    {
        ["="] = "=",
        ["=="] = "=",
        ["!="] = "<>",
        ["<>"] = "<>",
        ["<"] = ">",
        ["<="] = ">=",
        [">"] = "<",
        [">="] = "<=",
    };

    private readonly IReadOnlyDictionary<string, string> _fields;
    private readonly FilterCondition _condition;
    private readonly FilterValues _values;

    private FilterPushdown(IReadOnlyDictionary<string, string> fields, FilterValues values, List<string> parameters, int firstParameter)
    {
        (_fields, _values) = (fields, values);
        _condition = new FilterCondition(parameters, firstParameter);
    }

    /// <summary>The condition on the column <c>body</c>; null if the database cannot rule out anything.</summary>
    /// <param name="query">The query, with a filter.</param>
    /// <param name="fields">The table's fields, in the order that distinguishes those which differ only by case.</param>
    /// <param name="parameters">Receives the values of the condition's parameters, all of them text.</param>
    /// <param name="firstParameter">The number of the first one.</param>
    public static string? Of(RecordQuery query, IReadOnlyList<string> fields, List<string> parameters, int firstParameter)
    {
        if (query.Filter is null || FilterTokens.Of(query.Filter) is not { } tokens)
            return null;
        if (tokens.Any(token => Array.Exists(Refused, token.IsWord)))
            return null;
        var pushdown = new FilterPushdown(ColumnsOf(fields), new FilterValues(query.FilterParameters), parameters, firstParameter);
        if (pushdown.Any([.. tokens]) is not { } condition)
            return null;

        // Escapes mean different things to the two; and CASE is evaluated in order, so that PostgreSQL never parses a text that it would
        // refuse.
        return $"CASE WHEN strpos(body, chr(92)) > 0 THEN true ELSE {condition} END";
    }

    /// <summary>The fields by the names they have in a filter, as in <see cref="TableView.Columns"/>.</summary>
    private static Dictionary<string, string> ColumnsOf(IReadOnlyList<string> fields)
    {
        var columns = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var field in fields)
        {
            var name = field;
            for (var i = 2; !columns.TryAdd(name, field); i++)
                name = FormattableString.Invariant($"{field}_{i}");
        }

        // The table's own columns take precedence over fields of the same name.
        foreach (var name in columns.Keys.Where(name => name.StartsWith("lockstep_", StringComparison.OrdinalIgnoreCase)).ToArray())
            columns.Remove(name);
        return columns;
    }

    /// <summary>Parts joined by OR: if one is not understood, the whole is not.</summary>
    private string? Any(ReadOnlySpan<FilterToken> tokens)
    {
        var alternatives = new List<string>();
        foreach (var range in Split(tokens, "OR"))
        {
            if (All(tokens[range]) is not { } part)
                return null;
            alternatives.Add(part);
        }

        return FilterCondition.Any(alternatives);
    }

    /// <summary>Parts joined by AND: those not understood are left out.</summary>
    private string? All(ReadOnlySpan<FilterToken> tokens)
    {
        var conditions = new List<string>();
        foreach (var range in Split(tokens, "AND"))
        {
            if (Term(tokens[range]) is { } part)
                conditions.Add(part);
        }

        return conditions.Count == 0 ? null : $"({string.Join(" AND ", conditions)})";
    }

    private static List<Range> Split(ReadOnlySpan<FilterToken> tokens, string word)
    {
        var ranges = new List<Range>();
        var (depth, between, start) = (0, 0, 0);
        for (var i = 0; i < tokens.Length; i++)
        {
            if (tokens[i].IsSign("("))
                depth++;
            else if (tokens[i].IsSign(")"))
                depth--;
            else if (depth == 0 && tokens[i].IsWord("BETWEEN"))
                between++;
            else if (depth == 0 && between > 0 && tokens[i].IsWord("AND"))
                between--;
            else if (depth == 0 && tokens[i].IsWord(word))
                (_, start) = (Add(ranges, start..i), i + 1);
        }

        Add(ranges, start..tokens.Length);
        return ranges;

        static int Add(List<Range> ranges, Range range)
        {
            ranges.Add(range);
            return ranges.Count;
        }
    }

    /// <summary>One comparison, or an expression in brackets; null for anything else.</summary>
    private string? Term(ReadOnlySpan<FilterToken> tokens)
    {
        if (IsBracketed(tokens))
            return Any(tokens[1..^1]);
        if (tokens.Length >= 3 && FieldOf(tokens[0]) is { } field)
        {
            if (tokens.Length == 3 && tokens[1].IsWord("IS") && tokens[2].IsWord("NULL"))
                return _condition.IsNull(field);
            if (tokens[1].IsWord("BETWEEN"))
                return Between(field, tokens[2..]);
            if (tokens[1].IsWord("IN") && IsBracketed(tokens[2..]))
                return In(field, tokens[3..^1]);
            if (tokens[1].IsWord("LIKE"))
                return _values.Read(tokens[2..]) is { IsText: true } pattern ? _condition.Like(field, pattern.Text) : null;
            return Mirrored.TryGetValue(tokens[1].Value, out var mirrored) && tokens[1].Kind == FilterTokenKind.Sign
                ? Compare(field, Mirrored[mirrored], tokens[2..])
                : null;
        }

        return
            tokens.Length >= 3
            && FieldOf(tokens[^1]) is { } last
            && tokens[^2].Kind == FilterTokenKind.Sign
            && Mirrored.TryGetValue(tokens[^2].Value, out var turned)
            ? Compare(last, turned, tokens[..^2])
            : null;
    }

    private string? Compare(string field, string comparison, ReadOnlySpan<FilterToken> value) =>
        _values.Read(value) is { } literal ? _condition.Compare(field, comparison, literal) : null;

    private string? Between(string field, ReadOnlySpan<FilterToken> bounds)
    {
        var and = -1;
        for (var i = 0; i < bounds.Length && and < 0; i++)
        {
            if (bounds[i].IsWord("AND"))
                and = i;
        }

        if (and < 0 || _values.Read(bounds[..and]) is not { } low || _values.Read(bounds[(and + 1)..]) is not { } high)
            return null;
        return $"({_condition.Compare(field, ">=", low)} AND {_condition.Compare(field, "<=", high)})";
    }

    private string? In(string field, ReadOnlySpan<FilterToken> list)
    {
        var alternatives = new List<string>();
        for (var start = 0; start <= list.Length; )
        {
            var length = 0;
            while (start + length < list.Length && !list[start + length].IsSign(","))
                length++;
            if (_values.Read(list.Slice(start, length)) is not { } literal)
                return null;
            alternatives.Add(_condition.Compare(field, "=", literal));
            start += length + 1;
        }

        return FilterCondition.Any(alternatives);
    }

    private static bool IsBracketed(ReadOnlySpan<FilterToken> tokens)
    {
        if (tokens.Length < 3 || !tokens[0].IsSign("("))
            return false;
        var depth = 0;
        for (var i = 0; i < tokens.Length; i++)
        {
            if (tokens[i].IsSign("("))
                depth++;
            else if (tokens[i].IsSign(")") && --depth == 0)
                return i == tokens.Length - 1;
        }

        return false;
    }

    private string? FieldOf(FilterToken token) =>
        token.Kind is FilterTokenKind.Name or FilterTokenKind.Word
        && !FilterTokens.IsReserved(token)
        && _fields.TryGetValue(token.Value, out var field)
            // A name as the field spells it means that field, as for SQLite's columns.
            ? _fields.Values.Contains(token.Value, StringComparer.Ordinal)
                ? token.Value
                : field
            : null;
}
