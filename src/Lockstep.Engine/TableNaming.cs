namespace Lockstep.Engine;

/// <summary>Valid names of tables: a table's name is also that of a file and of an SQL view.</summary>
internal static class TableNaming
{
    /// <summary>The name of a table for which no better one is known.</summary>
    public const string Default = "lockstep";

    private const int Longest = 120;

    /// <summary>Whether a text is a valid table name.</summary>
    public static bool IsValid(string? name) =>
        !string.IsNullOrWhiteSpace(name)
        && name.Length <= Longest
        && name == name.Trim()
        && name is not ("." or "..")
        && name.IndexOfAny(['/', '\\', ':', '*', '?', '"', '<', '>', '|']) < 0
        && !name.Any(char.IsControl)
        && !name.StartsWith("lockstep_", StringComparison.OrdinalIgnoreCase)
        && !name.StartsWith("sqlite_", StringComparison.OrdinalIgnoreCase);

    /// <summary>Returns the name if it may name a table.</summary>
    /// <exception cref="ArgumentException">It may not.</exception>
    public static string Require(string name) =>
        IsValid(name)
            ? name
            : throw new ArgumentException(
                $"'{name}' is not a valid table name: use up to {Longest} characters, none of / \\ : * ? \" < > |, and no prefix "
                    + $"lockstep_ or sqlite_.",
                nameof(name)
            );
}
