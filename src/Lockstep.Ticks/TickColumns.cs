using System.Data.Common;

namespace Lockstep.Ticks;

/// <summary>Reads columns that tables of older versions lack.</summary>
internal static class TickColumns
{
    /// <summary>The index of a column in the current row; null if there is none, or it has no value.</summary>
    public static int? Find(this DbDataReader reader, string column)
    {
        for (var i = 0; i < reader.FieldCount; i++)
        {
            if (reader.GetName(i) == column)
                return reader.IsDBNull(i) ? null : i;
        }

        return null;
    }

    /// <summary>A column's text; null if there is no such column, or it has no value.</summary>
    public static string? FindText(this DbDataReader reader, string column) =>
        reader.Find(column) is { } ordinal ? reader.GetString(ordinal) : null;
}
