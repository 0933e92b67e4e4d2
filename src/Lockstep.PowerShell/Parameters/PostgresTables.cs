using Lockstep.Engine;
using Lockstep.Postgres;

namespace Lockstep.Parameters;

/// <summary>Converts the database and tables named by a user for the engine.</summary>
internal static class PostgresTables
{
    /// <summary>The connection string for the driver.</summary>
    /// <exception cref="InvalidOptionException">It cannot be parsed; the message does not repeat it (I9).</exception>
    public static string Connection(string text)
    {
        try
        {
            return PostgresConnectionString.Parse(text);
        }
        catch (ArgumentException e)
        {
            throw new InvalidOptionException(PlainText.MessageOf(e), "Correct -ConnectionString.");
        }
    }

    /// <summary>The file in a folder that keeps a table's changes.</summary>
    public static string LogFile(string folder, TableName table) =>
        Path.Combine(folder, string.Concat($"{table}.log".Select(c => Path.GetInvalidFileNameChars().Contains(c) ? '_' : c)));

    /// <summary>A table, in a schema given separately or with the name.</summary>
    /// <exception cref="InvalidOptionException">It is not a table's name, or has two schemas.</exception>
    public static TableName Name(string text, string? schema)
    {
        TableName name;
        try
        {
            name = TableName.Parse(text);
        }
        catch (FormatException e)
        {
            throw new InvalidOptionException(e.Message, "Correct -Table.");
        }

        if (string.IsNullOrEmpty(schema))
            return name;
        return name.Schema is null || name.Schema == schema
            ? name with
            {
                Schema = schema,
            }
            : throw new InvalidOptionException(
                $"The table {name} is also given with the schema {schema}.",
                "Leave out -Schema, or the schema before the dot."
            );
    }
}
