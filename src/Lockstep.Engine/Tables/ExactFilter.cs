using System.Globalization;
using System.Text;

namespace Lockstep.Engine.Tables;

/// <summary>
/// A filter in which numbers are compared with all their digits. SQLite has 64-bit integers and doubles: for it, <c>huge =
/// 9223372036854775811</c> is true for any number that rounds to the same double. So each comparison of a field to a number or another
/// field is rewritten to compare the record's own text (<see cref="ExactComparer"/>), beside the plain comparison if an index can use it.
/// Arithmetic and functions compute as in SQLite; a number that SQLite would round is refused there.
/// </summary>
internal sealed class ExactFilter
{
    /// <summary>What may precede an operand of a comparison, unless the operand starts the filter.</summary>
    private static readonly string[] Openers = ["AND", "OR", "NOT", "WHEN", "THEN", "ELSE"];

    private static readonly string[] Closers = ["AND", "OR", "WHEN", "THEN", "ELSE", "END"];

    private readonly string _filter;
    private readonly FilterOperands _operands;
    private readonly FilterToken[] _tokens;
    private readonly bool[] _isOfBetween;
    private readonly ExactConditions _conditions;

    private ExactFilter(RecordQuery query, IEnumerable<(string Name, IReadOnlyList<string> Path)> columns, bool isIndexed)
    {
        _conditions = new ExactConditions(isIndexed);
        _filter = query.Filter!;
        _tokens = [.. FilterTokens.Of(_filter) ?? []];
        _isOfBetween = new bool[_tokens.Length];
        _operands = new FilterOperands(_filter, _tokens, query.FilterParameters, columns);
    }

    /// <summary>The filter for SQLite.</summary>
    public string Sql { get; private set; } = "";

    /// <summary>The functions that it calls.</summary>
    public ExactComparer Comparer => _conditions.Comparer;

    /// <summary>The parameters whose values are already written into it.</summary>
    public HashSet<string> Written { get; } = new(StringComparer.Ordinal);

    /// <summary>Creates it from a query's filter.</summary>
    /// <param name="query">The query, with a filter.</param>
    /// <param name="columns">The columns that the filter sees, and the path of each one's value in a record.</param>
    /// <param name="isIndexed">Whether an index may help.</param>
    /// <exception cref="FilterException">A number would be rounded where it is used.</exception>
    public static ExactFilter Of(RecordQuery query, IEnumerable<(string Name, IReadOnlyList<string> Path)> columns, bool isIndexed)
    {
        var exact = new ExactFilter(query, columns, isIndexed);
        exact.Rewrite();
        return exact;
    }

    private void Rewrite()
    {
        var isOfSelect = MarkBrackets();
        var sql = new StringBuilder();
        var copied = 0;
        for (var at = 0; at < _tokens.Length; at++)
        {
            var end = at;
            if (!isOfSelect[at] && CanStart(at) && Comparison(at, out end) is { } condition && CanEnd(end))
            {
                sql.Append(_filter, copied, _tokens[at].Start - copied).Append(condition);
                copied = _tokens[end - 1].End;
                foreach (var token in _tokens[at..end].Where(token => token.Kind == FilterTokenKind.Parameter))
                    Written.Add(token.Value);
                at = end - 1;
                continue;
            }

            if (!isOfSelect[at] && _operands.RenamedColumn(at) is { } column)
            {
                sql.Append(_filter, copied, _tokens[at].Start - copied).Append(TableView.Quote(column));
                copied = _tokens[at].End;
            }

            RequireDigits(_tokens[at]);
        }

        Sql = sql.Append(_filter, copied, _filter.Length - copied).ToString();
    }

    /// <summary>Finds the ANDs that belong to a BETWEEN, and the tokens inside a SELECT, where a name may mean another column.</summary>
    private bool[] MarkBrackets()
    {
        var isOfSelect = new bool[_tokens.Length];
        var levels = new Stack<(int Between, bool IsSelect)>([(0, false)]);
        for (var at = 0; at < _tokens.Length; at++)
        {
            var token = _tokens[at];
            if (token.IsSign("(") || token.IsWord("CASE"))
            {
                var isSelect = at + 1 < _tokens.Length && Array.Exists(["SELECT", "VALUES", "WITH"], word => _tokens[at + 1].IsWord(word));
                levels.Push((0, levels.Peek().IsSelect || isSelect));
            }
            else if ((token.IsSign(")") || token.IsWord("END")) && levels.Count > 1)
            {
                levels.Pop();
            }
            else if (token.IsWord("BETWEEN"))
            {
                var (between, isSelect) = levels.Pop();
                levels.Push((between + 1, isSelect));
            }
            else if (token.IsWord("AND") && levels.Peek().Between > 0)
            {
                _isOfBetween[at] = true;
                var (between, isSelect) = levels.Pop();
                levels.Push((between - 1, isSelect));
            }

            isOfSelect[at] = levels.Peek().IsSelect;
        }

        return isOfSelect;
    }

    private bool CanStart(int at) =>
        at == 0
        || _tokens[at - 1].IsSign("(")
        || _tokens[at - 1].IsSign(",")
        || !_isOfBetween[at - 1] && Array.Exists(Openers, _tokens[at - 1].IsWord);

    private bool CanEnd(int at) =>
        at == _tokens.Length || _tokens[at].IsSign(")") || _tokens[at].IsSign(",") || Array.Exists(Closers, _tokens[at].IsWord);

    /// <summary>The comparison that starts at a token, rewritten to be exact; null if none there needs it.</summary>
    private string? Comparison(int at, out int end)
    {
        end = at;
        if (_operands.Read(at, out var next) is not { } left || next >= _tokens.Length)
            return null;
        var isNot = _tokens[next].IsWord("NOT");
        var word = isNot ? next + 1 : next;
        if (word < _tokens.Length && _tokens[word].IsWord("BETWEEN"))
            return Negate(isNot, Between(left, word + 1, out end));
        if (word < _tokens.Length && _tokens[word].IsWord("IN"))
            return Negate(isNot, In(left, word + 1, out end));
        if (isNot)
            return null;
        var comparison = _tokens[next].Kind == FilterTokenKind.Sign ? _tokens[next].Value : "";
        var isNegated = false;
        next++;
        if (_tokens[next - 1].IsWord("IS"))
        {
            comparison = "IS";
            isNegated = Skip(ref next, "NOT");
            if (Skip(ref next, "DISTINCT"))
                isNegated = Skip(ref next, "FROM") && !isNegated;
        }

        // IS TRUE asks whether a value counts as true.
        if (comparison == "IS" && next < _tokens.Length && (_tokens[next].IsWord("TRUE") || _tokens[next].IsWord("FALSE")))
            return null;
        return _operands.Read(next, out end) is { } right ? Negate(isNegated, _conditions.Compare(left, comparison, right)) : null;
    }

    private string? Between(FilterOperand value, int at, out int end)
    {
        end = at;
        if (_operands.Read(at, out var and) is not { } low || and >= _tokens.Length || !_tokens[and].IsWord("AND"))
            return null;
        return _operands.Read(and + 1, out end) is { } high ? _conditions.Between(value, low, high) : null;
    }

    private string? In(FilterOperand field, int at, out int end)
    {
        end = at;
        if (at >= _tokens.Length || !_tokens[at].IsSign("("))
            return null;
        var values = new List<FilterOperand>();
        do
        {
            if (_operands.Read(end + 1, out end) is not { } value || end >= _tokens.Length)
                return null;
            values.Add(value);
        } while (_tokens[end].IsSign(","));
        return _tokens[end++].IsSign(")") ? _conditions.In(field, values) : null;
    }

    private bool Skip(ref int at, string word)
    {
        var isThere = at < _tokens.Length && _tokens[at].IsWord(word);
        at += isThere ? 1 : 0;
        return isThere;
    }

    private static string? Negate(bool isNegated, string? condition) =>
        isNegated && condition is not null ? $"(NOT {condition})" : condition;

    /// <summary>Refuses a number that SQLite would round.</summary>
    private void RequireDigits(FilterToken token)
    {
        var number = token.Kind switch
        {
            FilterTokenKind.Number => FilterNumber.OfLiteral(token.Value),
            FilterTokenKind.Parameter => _operands.ParameterNumber(token.Value),
            _ => null,
        };
        if (number?.LosesDigits == true)
        {
            throw new FilterException(
                _filter,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The filter computes with {number}, which has more digits than SQLite can compute with."
                ),
                "Compare a field itself with it, as in \"total > 12345678901234567890\", or give a number of at most 15 digits."
            );
        }
    }
}
