using System.Text;

namespace Lockstep.Postgres;

/// <summary>The name of a table or view. Names are taken literally: nothing is folded to lower case.</summary>
/// <param name="Schema">The schema; null to resolve the name through the connection's search path.</param>
/// <param name="Name">The table's or view's own name.</param>
public sealed record TableName(string? Schema, string Name)
{
    /// <summary>Parses <c>table</c> or <c>schema.table</c>; a part in double quotes may contain dots, and doubled double quotes.</summary>
    /// <exception cref="FormatException">The text has another form.</exception>
    public static TableName Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var parts = new List<string>();
        for (var at = 0; ; )
        {
            parts.Add(ReadPart(text, ref at));
            if (at == text.Length)
                break;
            if (text[at++] != '.')
                throw Malformed(text);
        }

        return parts switch
        {
            [var name] => new TableName(null, name),
            [var schema, var name] => new TableName(schema, name),
            _ => throw Malformed(text),
        };
    }

    /// <summary>The name as SQL, each part quoted.</summary>
    public string ToSql() => Schema is null ? Sql.Quote(Name) : $"{Sql.Quote(Schema)}.{Sql.Quote(Name)}";

    /// <summary>The name as a user would write it.</summary>
    public override string ToString() => Schema is null ? Name : $"{Schema}.{Name}";

    private static string ReadPart(string text, ref int at)
    {
        var part = new StringBuilder();
        if (at < text.Length && text[at] == '"')
        {
            for (at++; ; at++)
            {
                if (at == text.Length)
                    throw Malformed(text);
                if (text[at] == '"' && (++at == text.Length || text[at] != '"'))
                    break;
                part.Append(text[at]);
            }
        }
        else
        {
            while (at < text.Length && text[at] is not ('.' or '"'))
                part.Append(text[at++]);
        }

        return part.Length > 0 ? part.ToString() : throw Malformed(text);
    }

    private static FormatException Malformed(string text) =>
        new(
            $"'{text}' is not the name of a table. Write table or schema.table, and put a part that holds dots or quotes in double quotes."
        );
}
