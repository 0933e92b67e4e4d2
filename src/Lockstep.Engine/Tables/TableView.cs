using System.Text;

namespace Lockstep.Engine.Tables;

/// <summary>The SQL by which a table's records are seen as columns: the view for other tools, and the source of a filter.</summary>
internal static class TableView
{
    /// <summary>The statements that make the view again.</summary>
    public static string Create(string table, IReadOnlyList<string> fields) =>
        $"DROP VIEW IF EXISTS {Quote(table)}; CREATE VIEW {Quote(table)} AS SELECT {Columns(fields)} FROM {TableSchema.Rows} WHERE gone = 0";

    /// <summary>
    /// The select list: one column per field. Names that differ only by case get a number, as SQLite's columns ignore case.
    /// </summary>
    public static string Columns(IReadOnlyList<string> fields)
    {
        if (fields.Count == 0)
            return "body";
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var sql = new StringBuilder();
        foreach (var field in fields)
        {
            var name = field;
            for (var i = 2; !taken.Add(name); i++)
                name = $"{field}_{i}";
            if (sql.Length > 0)
                sql.Append(", ");
            sql.Append(Value(field)).Append(" AS ").Append(Quote(name));
        }

        return sql.ToString();
    }

    public static string Quote(string name) => "\"" + name.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    /// <summary>Whether a JSON path can name a field: it cannot quote these characters.</summary>
    public static bool HasPath(string field) => field.AsSpan().IndexOfAny("\"\\") < 0 && !field.Any(char.IsControl);

    /// <summary>The expression of a field's value. One without a path is looked up among all of the record's.</summary>
    public static string Value(string field) =>
        HasPath(field)
            ? $"json_extract(body, {Literal($"$.\"{field}\"")})"
            : $"(SELECT value FROM json_each(body) WHERE key = {Literal(field)})";

    private static string Literal(string text) => "'" + text.Replace("'", "''", StringComparison.Ordinal) + "'";
}
