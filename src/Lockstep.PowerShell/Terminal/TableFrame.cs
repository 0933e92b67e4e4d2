using System.Text;

namespace Lockstep.Terminal;

/// <summary>Lays out a table as lines of text that fit a window. It only formats its input and knows nothing about terminals.</summary>
internal static class TableFrame
{
    private const int WidestColumn = 40;
    private const string Gap = "  ";

    /// <param name="columns">The headings.</param>
    /// <param name="rows">A mark and the values of each row; a missing value is null.</param>
    /// <param name="width">How many characters fit in a line; columns that do not fit are left out, and a sign says so.</param>
    public static IReadOnlyList<string> Lay(IReadOnlyList<string> columns, IReadOnlyList<(char Mark, string?[] Values)> rows, int width)
    {
        var cells = rows.Select(row => row.Values.Select(Plain).ToArray()).ToArray();
        var headings = columns.Select(Plain).ToArray();
        var widths = headings
            .Select((heading, column) => Math.Min(WidestColumn, cells.Select(row => row[column].Length).Append(heading.Length).Max()))
            .ToArray();
        var fitting = Fitting(widths, width - Gap.Length);
        var more = fitting < widths.Length ? " …" : "";
        return
        [
            Line(' ', headings, widths, fitting) + more,
            Line(' ', [.. widths.Select(columnWidth => new string('-', columnWidth))], widths, fitting),
            .. cells.Select((row, index) => Line(rows[index].Mark, row, widths, fitting)),
        ];
    }

    /// <summary>A feed must not control the terminal: control characters are shown as a dot.</summary>
    public static string Plain(string? text) =>
        text is null ? ""
        : text.Any(char.IsControl) ? string.Concat(text.Select(letter => char.IsControl(letter) ? '·' : letter))
        : text;

    private static int Fitting(int[] widths, int width)
    {
        var used = 0;
        var count = 0;
        while (count < widths.Length && (count == 0 || used + widths[count] + (count + 1 < widths.Length ? Gap.Length : 0) <= width))
            used += widths[count++] + Gap.Length;

        return count;
    }

    private static string Line(char mark, string[] cells, int[] widths, int count)
    {
        var line = new StringBuilder().Append(mark).Append(' ');
        for (var column = 0; column < count; column++)
        {
            var cell = cells[column];
            line.Append(
                    cell.Length > widths[column] ? string.Concat(cell.AsSpan(0, widths[column] - 1), "…") : cell.PadRight(widths[column])
                )
                .Append(Gap);
        }

        return line.ToString().TrimEnd();
    }
}
