namespace Lockstep.Engine.Tables;

/// <summary>One side of a comparison in a filter.</summary>
/// <param name="Sql">The operand for SQLite.</param>
/// <param name="Path">For a field, the names that lead to its value.</param>
/// <param name="Number">For a number, the number.</param>
/// <param name="IsNull">Whether it is null.</param>
internal sealed record FilterOperand(string Sql, IReadOnlyList<string>? Path = null, FilterNumber? Number = null, bool IsNull = false);

/// <summary>
/// Reads the sides of comparisons: fields, numbers, texts and parameters, with or without brackets. Nothing else is an operand.
/// </summary>
internal sealed class FilterOperands
{
    private readonly string _filter;
    private readonly FilterToken[] _tokens;
    private readonly IReadOnlyDictionary<string, object?> _parameters;
    private readonly Dictionary<string, IReadOnlyList<string>> _columns = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, string> _renamed = new(StringComparer.Ordinal);

    public FilterOperands(
        string filter,
        FilterToken[] tokens,
        IReadOnlyDictionary<string, object?> parameters,
        IEnumerable<(string Name, IReadOnlyList<string> Path)> columns
    )
    {
        (_filter, _tokens, _parameters) = (filter, tokens, parameters);
        foreach ((var name, var path) in columns)
        {
            // The table's own columns take precedence over fields of the same name.
            if (!name.StartsWith("lockstep_", StringComparison.OrdinalIgnoreCase))
                _columns[name] = path;
            if (path is [var field] && field != name)
                _renamed[field] = name;
        }
    }

    /// <summary>
    /// The column of a field whose name differs from another one's only by case, if the token spells it exactly: SQLite would take it for
    /// the other one. Null for anything else.
    /// </summary>
    /// <param name="at">The token's index.</param>
    public string? RenamedColumn(int at) =>
        _tokens[at] is { Kind: FilterTokenKind.Word or FilterTokenKind.Name } token
        && (at == 0 || !_tokens[at - 1].IsSign("."))
        && !IsSql(token, at)
        && _renamed.TryGetValue(token.Value, out var column)
            ? column
            : null;

    /// <summary>A parameter's value as a number; null if it is not one.</summary>
    public FilterNumber? ParameterNumber(string name) => _parameters.TryGetValue(name, out var value) ? FilterNumber.OfValue(value) : null;

    /// <summary>The operand that starts at a token; null if there is none.</summary>
    /// <param name="at">The token's index.</param>
    /// <param name="end">The index after the operand.</param>
    public FilterOperand? Read(int at, out int end)
    {
        end = at + 1;
        if (at >= _tokens.Length)
            return null;
        var token = _tokens[at];
        if (token.IsSign("("))
        {
            var inner = Read(at + 1, out end);
            return inner is not null && end < _tokens.Length && _tokens[end++].IsSign(")") ? inner : null;
        }

        if (token.IsSign("-") || token.IsSign("+"))
        {
            end = at + 2;
            if (end > _tokens.Length || _tokens[at + 1].Kind != FilterTokenKind.Number)
                return null;
            var number = FilterNumber.OfLiteral(_tokens[at + 1].Value);
            number = token.IsSign("-") ? number?.Negated() : number;
            return number is null ? null : new FilterOperand(number.Sql, Number: number);
        }

        return token.Kind switch
        {
            FilterTokenKind.Number => FilterNumber.OfLiteral(token.Value) is { } number
                ? new FilterOperand(number.Sql, Number: number)
                : null,
            FilterTokenKind.Text => new FilterOperand(Source(token)),
            FilterTokenKind.Parameter => Parameter(token),
            FilterTokenKind.Word when token.IsWord("NULL") => new FilterOperand("NULL", IsNull: true),
            FilterTokenKind.Word when (token.IsWord("TRUE") || token.IsWord("FALSE")) && !_columns.ContainsKey(token.Value) =>
                new FilterOperand(token.Value, Number: FilterNumber.OfValue(token.IsWord("TRUE"))),
            FilterTokenKind.Word or FilterTokenKind.Name when _columns.TryGetValue(token.Value, out var path) => Field(token, at, path),
            _ => null,
        };
    }

    private FilterOperand? Parameter(FilterToken token)
    {
        if (!_parameters.TryGetValue(token.Value, out var value))
            return null;
        return FilterNumber.OfValue(value) is { } number
            ? new FilterOperand(number.Sql, Number: number)
            : new FilterOperand(Source(token), IsNull: value is null);
    }

    /// <summary>A field, unless the word is SQL here: a call, a literal such as x'00', or a keyword.</summary>
    private FilterOperand? Field(FilterToken token, int at, IReadOnlyList<string> path)
    {
        if (IsSql(token, at))
            return null;
        return RenamedColumn(at) is { } column && _columns.TryGetValue(column, out var own)
            ? new FilterOperand(TableView.Quote(column), Path: own)
            : new FilterOperand(Source(token), Path: path);
    }

    private bool IsSql(FilterToken token, int at) =>
        FilterTokens.IsReserved(token)
        || (at + 1 < _tokens.Length && (_tokens[at + 1].IsSign("(") || _tokens[at + 1].Kind == FilterTokenKind.Text));

    private string Source(FilterToken token) => _filter[token.Start..token.End];
}
