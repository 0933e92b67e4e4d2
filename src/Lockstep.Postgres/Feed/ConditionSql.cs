using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// The part of a client's filter that the database can decide, for a snapshot: rows that cannot match are not read. It errs on the side of
/// letting rows through, because what is sent is filtered again; whatever PostgreSQL might interpret differently (the order of texts, other
/// types) is left to that second filter.
/// </summary>
internal static partial class ConditionSql
{
    /// <summary>Conditions on the row <c>r</c>; each value becomes a parameter.</summary>
    /// <param name="table">Whose rows.</param>
    /// <param name="filter">The client's; null for none.</param>
    /// <param name="parameters">The query's; the values are appended.</param>
    public static IReadOnlyList<string> Of(TableDescription table, FeedFilter? filter, List<object?> parameters)
    {
        var conditions = new List<string>();
        foreach (var condition in filter?.Conditions ?? [])
        {
            if (table.Columns.FirstOrDefault(c => c.Name == condition.Name) is { } column && Of(column, condition, parameters) is { } sql)
                conditions.Add(sql);
        }

        return conditions;
    }

    private static string? Of(TableColumn column, FeedCondition condition, List<object?> parameters)
    {
        var (name, kind) = ($"r.{Sql.Quote(column.Name)}", KindOf(column.Type));
        if (kind is null)
            return null;
        if (condition.Type == JsonTokenType.Null)
            return condition.Operator == "=" ? $"{name} IS NULL" : $"{name} IS NOT NULL";

        // Equality of text is the same in every collation that matters here; its order depends on the database.
        if (kind is not "number" && (condition.Operator is not ("=" or "!=") || (kind == "text" && column.IsLoose)))
            return null;
        if (ValueOf(kind, condition.Type, Encoding.UTF8.GetString(condition.Value.Span)) is not var (value, type))
            return null;
        parameters.Add(value);
        var parameter = string.Create(CultureInfo.InvariantCulture, $"${parameters.Count}::text::{type}");

        // Null, or a value of another type, is unequal.
        return condition.Operator == "!=" ? $"{name} IS DISTINCT FROM {parameter}" : $"{name} {condition.Operator} {parameter}";
    }

    private static string? KindOf(string type) =>
        type switch
        {
            "smallint" or "integer" or "bigint" or "numeric" => "number",
            _ when type.StartsWith("numeric(", StringComparison.Ordinal) => "number",
            "text" or "character varying" => "text",
            _ when type.StartsWith("character varying(", StringComparison.Ordinal) => "text",
            "uuid" or "boolean" => type,
            _ => null,
        };

    /// <summary>A value as text and its type; null for a value that the database might refuse or interpret differently.</summary>
    private static (string Value, string Type)? ValueOf(string kind, JsonTokenType type, string value) =>
        (kind, type) switch
        {
            ("number", JsonTokenType.Number) when Whole().IsMatch(value) => (value, "bigint"),
            ("number", JsonTokenType.Number) when Fraction().IsMatch(value) => (value, "numeric"),
            ("text", JsonTokenType.String) when Ascii.IsValid(value) && !value.Contains('\0') => (value, "text"),
            ("uuid", JsonTokenType.String) when Uuid().IsMatch(value) => (value, "uuid"),
            ("boolean", JsonTokenType.True or JsonTokenType.False) => (value, "boolean"),
            _ => null,
        };

    [GeneratedRegex("^-?[0-9]{1,18}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex Whole();

    [GeneratedRegex("^-?[0-9]{1,100}(\\.[0-9]{1,100})?\\z", RegexOptions.CultureInvariant)]
    private static partial Regex Fraction();

    [GeneratedRegex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex Uuid();
}
