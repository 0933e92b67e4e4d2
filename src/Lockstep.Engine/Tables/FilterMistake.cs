using System.Text.RegularExpressions;

namespace Lockstep.Engine.Tables;

/// <summary>
/// Recognises what a user meant by a filter that is not SQL over the fields: operators such as <c>-eq</c>, <c>$_.</c> before
/// a field, or a field within a field.
/// </summary>
internal static partial class FilterMistake
{
    /// <summary>The SQL operators for those that shells write with a dash.</summary>
    private static readonly Dictionary<string, string> Operators = new(StringComparer.OrdinalIgnoreCase)
    {
        ["eq"] = "=",
        ["ne"] = "<>",
        ["gt"] = ">",
        ["ge"] = ">=",
        ["lt"] = "<",
        ["le"] = "<=",
        ["like"] = "like",
        ["notlike"] = "not like",
        ["and"] = "and",
        ["or"] = "or",
        ["not"] = "not",
        ["in"] = "in",
        ["notin"] = "not in",
    };

    /// <summary>What to write instead; null if unknown.</summary>
    /// <param name="filter">The filter, which SQLite rejected.</param>
    /// <param name="error">What SQLite said.</param>
    /// <param name="fields">The fields of the table.</param>
    public static string? Find(string filter, string error, IEnumerable<string> fields)
    {
        if (filter.Length <= 1000 && (DashedOperator().IsMatch(filter) || PipelineObject().IsMatch(filter)))
        {
            var sql = DashedOperator().Replace(filter, found => Operators[found.Groups[1].Value]);
            return $"A filter is SQL: {PlainText.Of(PipelineObject().Replace(sql, "").Trim())}";
        }

        return
            NestedField().Match(error) is { Success: true } nested
            && fields.Contains(nested.Groups[1].Value, StringComparer.OrdinalIgnoreCase)
            ? PlainText.Of($"A field within a field is written {nested.Groups[1].Value} ->> '{nested.Groups[2].Value}'")
            : null;
    }

    [GeneratedRegex(@"(?<=^|[\s)])-(eq|ne|gt|ge|lt|le|like|notlike|and|or|not|in|notin)(?=[\s(]|$)", RegexOptions.IgnoreCase)]
    private static partial Regex DashedOperator();

    /// <summary>The record, as a script block names it.</summary>
    [GeneratedRegex(@"(?<![\w'])\$(_|PSItem)\.", RegexOptions.IgnoreCase)]
    private static partial Regex PipelineObject();

    [GeneratedRegex(@"no such column: (\w+)\.(\w+)$")]
    private static partial Regex NestedField();
}
