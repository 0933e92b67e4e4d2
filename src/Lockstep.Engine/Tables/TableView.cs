using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tables;

/// <summary>The SQL that presents a table's records as columns: the view for other tools, and the source of a filter.</summary>
internal static class TableView
{
    /// <summary>The statements that recreate the view.</summary>
    /// <param name="table">The table's name.</param>
    /// <param name="fields">The fields of its records.</param>
    /// <param name="keys">The key's fields; those nested in objects get columns too.</param>
    public static string Create(string table, IReadOnlyList<string> fields, IReadOnlyList<string>? keys) =>
        $"DROP VIEW IF EXISTS {Quote(table)}; CREATE VIEW {Quote(table)} AS SELECT {Columns(fields, keys)} FROM "
        + $"{TableSchema.Rows} WHERE gone = 0";

    /// <summary>
    /// The select list: one column per field, and one per nested part of the key, named by its JSON Pointer. Names that differ only by case
    /// get a number, as SQLite's columns ignore case.
    /// </summary>
    public static string Columns(IReadOnlyList<string> fields, IReadOnlyList<string>? keys)
    {
        var columns = Names(fields, keys).Select(column => $"{Value(column.Path)} AS {Quote(column.Name)}");
        return fields.Count == 0 ? "body" : string.Join(", ", columns);
    }

    /// <summary>
    /// The same for a filter. SQLite's <c>json_extract</c> takes a name for another one that continues with a NUL: a record that has a NUL
    /// is read name by name, unless the field has an index, which goes by the expression it was made of.
    /// </summary>
    /// <param name="fields">The fields of its records.</param>
    /// <param name="keys">The key's fields; those nested in objects have columns too.</param>
    /// <param name="indexed">The fields that have an index.</param>
    public static string FilterColumns(IReadOnlyList<string> fields, IReadOnlyList<string>? keys, IReadOnlyCollection<string> indexed)
    {
        var columns = Names(fields, keys)
            .Select(column =>
                column.Path is [var field] && indexed.Contains(field)
                    ? $"{Value(field)} AS {Quote(column.Name)}"
                    : $"CASE WHEN body GLOB '*\\u0000*' THEN {ExactValue(column.Path)} ELSE {Value(column.Path)} END "
                        + $"AS {Quote(column.Name)}"
            );
        return string.Join(", ", columns);
    }

    /// <summary>The names of the columns, and the path to each one's value.</summary>
    /// <inheritdoc cref="Columns" path="/param"/>
    public static IEnumerable<(string Name, IReadOnlyList<string> Path)> Names(IReadOnlyList<string> fields, IReadOnlyList<string>? keys)
    {
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var field in fields)
        {
            var name = field;
            for (var i = 2; !taken.Add(name); i++)
                name = $"{field}_{i}";
            yield return (name, [field]);
        }

        foreach (var key in keys ?? [])
        {
            if (FieldPath.IsPointer(key) && FieldPath.Names(key) is var path && path.All(HasPath) && taken.Add(key))
                yield return (key, path);
        }
    }

    public static string Quote(string name) => "\"" + name.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    /// <summary>Whether a JSON path can name a field: it cannot quote these characters.</summary>
    public static bool HasPath(string field) => field.AsSpan().IndexOfAny("\"\\") < 0 && !field.Any(char.IsControl);

    /// <summary>The expression of a field's value. A field without a path is looked up among all of the record's.</summary>
    public static string Value(string field) => HasPath(field) ? $"json_extract(body, {Literal($"$.\"{field}\"")})" : ExactValue([field]);

    /// <summary>The value under names that are compared in full.</summary>
    private static string ExactValue(IReadOnlyList<string> path)
    {
        var outer = path.SkipLast(1)
            .Aggregate(
                "body",
                (at, name) => $"(SELECT CASE type WHEN 'object' THEN value END FROM json_each({at}) WHERE key = {Literal(name)})"
            );
        return $"(SELECT value FROM json_each({outer}) WHERE key = {Literal(path[^1])})";
    }

    private static string Value(IReadOnlyList<string> path) =>
        path is [var field] ? Value(field) : $"json_extract(body, {Literal("$" + string.Concat(path.Select(name => $".\"{name}\"")))})";

    private static string Literal(string text) => "'" + text.Replace("'", "''", StringComparison.Ordinal) + "'";
}
