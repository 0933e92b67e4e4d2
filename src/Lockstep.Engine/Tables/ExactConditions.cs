namespace Lockstep.Engine.Tables;

/// <summary>
/// Makes comparisons exact by comparing the record's text. If an index may help, the plain comparison is kept beside it: rounding preserves
/// order, so SQLite compares correctly whatever differs clearly, and only near ties are decided by the text. Without an index that would
/// extract the field several times. Each method returns null if the plain comparison is already exact.
/// </summary>
/// <param name="isIndexed">Whether an index may help.</param>
internal sealed class ExactConditions(bool isIndexed)
{
    private const string IsNumber = "IN ('integer', 'real')";

    /// <summary>Each comparison and its mirror image.</summary>
    private static readonly Dictionary<string, string> Mirrored = new(StringComparer.Ordinal)
    {
        ["="] = "=",
        ["=="] = "==",
        ["!="] = "!=",
        ["<>"] = "<>",
        ["<"] = ">",
        ["<="] = ">=",
        [">"] = "<",
        [">="] = "<=",
        ["IS"] = "IS",
    };

    /// <summary>The functions that the conditions call.</summary>
    public ExactComparer Comparer { get; } = new();

    /// <summary>One comparison: <c>= == != &lt;&gt; &lt; &lt;= &gt; &gt;= IS</c>.</summary>
    public string? Compare(FilterOperand left, string comparison, FilterOperand right)
    {
        if (!Mirrored.TryGetValue(comparison, out var mirrored))
            return null;
        return (left, right) switch
        {
            ({ Path: { } path }, { Number: { } number }) => WithNumber(left.Sql, path, comparison, number),
            ({ Number: { } number }, { Path: { } path }) => WithNumber(right.Sql, path, mirrored, number),
            ({ Path: { } a }, { Path: { } b }) => WithField(left.Sql, a, comparison, right.Sql, b),
            _ => null,
        };
    }

    /// <summary>A value between two others.</summary>
    public string? Between(FilterOperand value, FilterOperand low, FilterOperand high)
    {
        var (above, below) = (Compare(value, ">=", low), Compare(value, "<=", high));
        return above is null && below is null
            ? null
            : $"({above ?? $"{value.Sql} >= {low.Sql}"} AND {below ?? $"{value.Sql} <= {high.Sql}"})";
    }

    /// <summary>A field that is one of several values.</summary>
    public string? In(FilterOperand field, IReadOnlyList<FilterOperand> values)
    {
        if (field.Path is null || values.All(value => value.Number is null) || values.Any(value => value.Path is not null))
            return null;
        if (values.Any(value => value.IsNull))
            return $"({In(field, [.. values.Where(value => !value.IsNull)])} OR NULL)";
        var numbers = values.Where(value => value.Number is not null).Select(value => value.Number!).ToArray();
        var exact = Comparer.In(field.Path, numbers);
        if (!isIndexed && numbers.Length == values.Count)
            return $"({exact})";
        var all = string.Join(", ", values.Select(value => value.Sql));
        if (Array.TrueForAll(numbers, number => number.IsSmallInteger))
            return $"({field.Sql} IN ({all}) AND (typeof({field.Sql}) <> 'real' OR {exact}))";
        var integers = string.Join(", ", numbers.Where(number => number.Integer is not null).Select(number => number.Sql));
        return $"(CASE typeof({field.Sql}) WHEN 'null' THEN NULL WHEN 'real' THEN {exact} WHEN 'integer' THEN {field.Sql} IN "
            + $"({integers}) ELSE {field.Sql} IN ({all}) END)";
    }

    private string WithNumber(string field, IReadOnlyList<string> path, string comparison, FilterNumber number)
    {
        if (!isIndexed)
        {
            var order = Comparer.With(path, number);
            return comparison == "IS" ? $"coalesce({order} = 0, 0)" : $"({order} {comparison} 0)";
        }

        var (below, above) = (number.SqlBelow, number.SqlAbove);
        var isEqual = Exact("=");
        return comparison switch
        {
            "=" or "==" => Equal(),
            "IS" => $"coalesce({Equal()}, 0)",
            "!=" or "<>" => $"({field} < {below} OR {field} > {above} OR {Exact("<>")})",
            "<" or "<=" => $"({field} <= {above} AND ({field} < {below} OR {Exact(comparison)}))",
            _ => $"({field} >= {below} AND ({field} > {above} OR {Exact(comparison)}))",
        };

        string Equal() =>
            number.IsSmallInteger
                ? $"({field} = {number.Sql} AND (typeof({field}) <> 'real' OR {isEqual}))"
                : $"({field} >= {below} AND {field} <= {above} AND {isEqual})";

        string Exact(string comparison)
        {
            var exact = $"{Comparer.With(path, number)} {comparison} 0";
            return number.Integer is null
                ? exact
                : $"CASE typeof({field}) WHEN 'integer' THEN {field} {comparison} {number.Sql} ELSE {exact} END";
        }
    }

    private string WithField(string field, IReadOnlyList<string> path, string comparison, string other, IReadOnlyList<string> otherPath)
    {
        var areReals = $"typeof({field}) {IsNumber} AND typeof({other}) {IsNumber} AND 'real' IN (typeof({field}), typeof({other}))";
        return $"(CASE WHEN {areReals} THEN {Comparer.With(path, otherPath)} {comparison} 0 ELSE {field} {comparison} {other} END)";
    }
}
