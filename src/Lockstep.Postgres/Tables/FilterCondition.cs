namespace Lockstep.Postgres.Tables;

/// <summary>
/// Conditions on a field of the JSON in <c>body</c> that hold whenever SQLite's would: SQLite orders numbers before texts, treats true and
/// false as 1 and 0 and an object or array as its text, and uses the first of two members with the same name. Where PostgreSQL could only
/// guess, the condition holds.
/// </summary>
/// <param name="parameters">Receives the parameters.</param>
/// <param name="firstParameter">The number of the first one.</param>
internal sealed class FilterCondition(List<string> parameters, int firstParameter)
{
    private const string Scalar = "(f.value #>> ARRAY[]::text[])";

    /// <summary>Numbers that a cast is sure to accept, and that are neither too large nor too small for a double.</summary>
    private const string IsPlainNumber = $"length({Scalar}) < 300 AND {Scalar} ~ '^-?[0-9]+([.][0-9]+)?$'";

    /// <summary>A relative tolerance above the precision of doubles, about sixteen digits.</summary>
    private const string Tolerance = "0.000000000001";

    /// <summary>Any of several conditions.</summary>
    public static string Any(IReadOnlyList<string> conditions) => conditions is [var only] ? only : $"({string.Join(" OR ", conditions)})";

    /// <summary>The member is missing or null.</summary>
    public string IsNull(string field) => $"coalesce({Of(field, "json_typeof(f.value) = 'null'")}, true)";

    /// <summary>The field compared with a value, by one of <c>= &lt;&gt; &lt; &lt;= &gt; &gt;=</c>.</summary>
    public string Compare(string field, string comparison, FilterValue value)
    {
        var isAbove = comparison is ">" or ">=" or "<>" ? "true" : "false";
        var isBelow = comparison is "<" or "<=" or "<>" ? "true" : "false";
        if (value.IsText)
        {
            return Of(
                field,
                $"CASE json_typeof(f.value) WHEN 'string' THEN {Scalar} COLLATE \"C\" {comparison} {Next(value.Text)}::text "
                    + $"WHEN 'null' THEN false WHEN 'object' THEN true WHEN 'array' THEN true ELSE {isBelow} END"
            );
        }

        var number = $"{Next(value.Text)}::text::numeric";
        return Of(
            field,
            $"CASE json_typeof(f.value) WHEN 'number' THEN CASE WHEN {IsPlainNumber} THEN "
                + $"{Close(comparison, $"{Scalar}::numeric", number)} ELSE true END "
                + $"WHEN 'boolean' THEN {Close(comparison, $"({Scalar} = 'true')::int", number)} WHEN 'null' THEN false ELSE {isAbove} END"
        );
    }

    /// <summary>The field's text matches a pattern, ignoring the case of ASCII letters.</summary>
    public string Like(string field, string pattern) =>
        Of(
            field,
            $"CASE json_typeof(f.value) WHEN 'string' THEN lower({Scalar} COLLATE \"C\") LIKE lower({Next(pattern)}::text "
                + $"COLLATE \"C\") ESCAPE '' WHEN 'null' THEN false ELSE true END"
        );

    private static string Close(string comparison, string left, string right)
    {
        var width = $"{Tolerance} * greatest(abs({left}), abs({right}))";
        return comparison switch
        {
            "=" => $"abs({left} - {right}) <= {width}",
            "<>" => $"{left} <> {right}",
            "<=" => $"{left} - {right} <= {width}",
            ">=" => $"{left} - {right} >= -{width}",

            // Numbers that are written alike are equal as doubles.
            "<" => $"({left} <> {right} AND {left} - {right} <= {width})",
            _ => $"({left} <> {right} AND {left} - {right} >= -{width})",
        };
    }

    private string Of(string field, string condition) =>
        $"(SELECT {condition} FROM json_each(body::json) WITH ORDINALITY AS f(key, value, place) WHERE f.key = "
        + $"{Next(field)}::text ORDER BY f.place LIMIT 1)";

    private string Next(string value)
    {
        parameters.Add(value);
        return FormattableString.Invariant($"${firstParameter + parameters.Count - 1}");
    }
}
