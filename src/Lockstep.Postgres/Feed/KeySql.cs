namespace Lockstep.Postgres.Feed;

/// <summary>
/// Key columns in SQL. A type may treat values as equal that clients distinguish: citext and collations that ignore case, texts that differ
/// in trailing blanks (bpchar), an interval of a day and of 24 hours, a range to 5 and to 5.0. Such values are distinguished and ordered by
/// their text here too, and kept as text in tombstones.
/// </summary>
internal static class KeySql
{
    /// <summary>What a row's value is ordered by.</summary>
    public static string Value(TableColumn key, string row) =>
        key.IsLoose ? Text($"{row}.{Sql.Quote(key.Name)}") : $"{row}.{Sql.Quote(key.Name)}";

    /// <summary>The same for a parameter that holds the text of a value.</summary>
    public static string Value(TableColumn key, int parameter) =>
        key.IsLoose
            ? FormattableString.Invariant($"${parameter}::text COLLATE \"C\"")
            : FormattableString.Invariant($"${parameter}::text::{key.Type}");

    /// <summary>Whether a row has the key of a tombstone. The first of two comparisons is for the index of the key.</summary>
    public static string Same(TableColumn key, string row, string tombstone)
    {
        var name = Sql.Quote(key.Name);
        if (!key.IsLoose)
            return $"{row}.{name} = {tombstone}.{name}";
        var collation = key.Collation is null ? "" : $" COLLATE {key.Collation}";
        return $"{row}.{name} = {tombstone}.{name}::{key.Type}{collation} AND {Value(key, row)} = {Value(key, tombstone)}";
    }

    /// <summary>A value as text that is equal only to the same text.</summary>
    /// <remarks>What the type prints: a cast of bpchar would drop the blanks.</remarks>
    public static string Text(string value) => $"concat({value}) COLLATE \"C\"";
}
