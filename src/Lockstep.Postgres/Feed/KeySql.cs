namespace Lockstep.Postgres.Feed;

/// <summary>
/// Key columns in SQL. A type may treat values as equal that clients distinguish: citext and collations that ignore case, texts that differ
/// in trailing blanks (bpchar), an interval of a day and of 24 hours, a range to 5 and to 5.0. Here too such values are distinguished and
/// ordered by their text, and tombstones keep them as text.
/// </summary>
internal static class KeySql
{
    /// <summary>The expression by which rows are ordered.</summary>
    public static string Value(TableColumn key, string row) =>
        key.IsLoose ? Text($"{row}.{Sql.Quote(key.Name)}") : $"{row}.{Sql.Quote(key.Name)}";

    /// <summary>The same expression for a parameter that holds a value's text.</summary>
    public static string Value(TableColumn key, int parameter) =>
        key.IsLoose
            ? FormattableString.Invariant($"${parameter}::text COLLATE \"C\"")
            : FormattableString.Invariant($"${parameter}::text::{key.Type}");

    /// <summary>Whether a row has a tombstone's key. The first of the two comparisons allows the key's index to be used.</summary>
    public static string Same(TableColumn key, string row, string tombstone)
    {
        var name = Sql.Quote(key.Name);
        if (!key.IsLoose)
            return $"{row}.{name} = {tombstone}.{name}";
        var collation = key.Collation is null ? "" : $" COLLATE {key.Collation}";
        return $"{row}.{name} = {tombstone}.{name}::{key.Type}{collation} AND {Value(key, row)} = {Value(key, tombstone)}";
    }

    /// <summary>A value as text, equal only to identical text.</summary>
    /// <remarks>Uses the type's own output: a cast would drop the blanks of a bpchar.</remarks>
    public static string Text(string value) => $"concat({value}) COLLATE \"C\"";
}
