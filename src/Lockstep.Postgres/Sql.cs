namespace Lockstep.Postgres;

/// <summary>Quoting, for the few places where a name cannot be a parameter.</summary>
internal static class Sql
{
    /// <summary>An identifier in double quotes.</summary>
    public static string Quote(string identifier) => '"' + identifier.Replace("\"", "\"\"", StringComparison.Ordinal) + '"';

    /// <summary>A string literal that means the same whatever the value of standard_conforming_strings.</summary>
    public static string Literal(string text)
    {
        var quoted = '\'' + text.Replace("'", "''", StringComparison.Ordinal) + '\'';
        return text.Contains('\\', StringComparison.Ordinal) ? " E" + quoted.Replace("\\", "\\\\", StringComparison.Ordinal) : quoted;
    }
}
