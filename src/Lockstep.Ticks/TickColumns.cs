using System.Data.Common;

namespace Lockstep.Ticks;

/// <summary>Reading columns that tables of older versions lack.</summary>
internal static class TickColumns
{
    /// <summary>Where a column of the current row is; null where there is none, or it has no value.</summary>
    public static int? Find(this DbDataReader reader, string column)
    {
        for (var i = 0; i < reader.FieldCount; i++)
        {
            if (reader.GetName(i) == column)
                return reader.IsDBNull(i) ? null : i;
        }

        return null;
    }

    /// <summary>The text in it; null likewise.</summary>
    public static string? FindText(this DbDataReader reader, string column) =>
        reader.Find(column) is { } ordinal ? reader.GetString(ordinal) : null;
}
