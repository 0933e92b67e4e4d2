using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Lockstep.Bench.EndToEnd;

namespace Lockstep.Bench.Report;

/// <summary>
/// What contestants took in interleaved runs: for each the median, the spread of its runs, and the ratio of its median to the limit's.
/// </summary>
/// <param name="title">What they did; the table's name in a report.</param>
/// <param name="limit">The contestant that the others are compared with.</param>
internal sealed partial class ComparisonTable(string title, string limit)
{
    private const string Heading = "### ";
    private const string RatioColumn = "ratio";

    private readonly List<(string Name, bool IsOurs, List<Measured> Runs)> _rows = [];

    /// <summary>Adds a run of a contestant.</summary>
    public void Add(string name, bool isOurs, Measured run)
    {
        var row = _rows.Find(row => row.Name == name);
        if (row.Runs is null)
            _rows.Add(row = (name, isOurs, []));
        row.Runs.Add(run);
    }

    /// <summary>The ratios of our own rows, which a later report must not exceed by much.</summary>
    public IEnumerable<KeyValuePair<string, double>> OurRatios =>
        _rows.Where(row => row.IsOurs && row.Name != limit).Select(row => KeyValuePair.Create(Key(title, row.Name), Ratio(row.Runs)));

    /// <summary>The table with its title, as a report has it.</summary>
    public string ToMarkdown()
    {
        var text = new StringBuilder()
            .Append(Heading)
            .AppendLine(title)
            .AppendLine()
            .AppendLine("| contestant | seconds | spread | ratio | processor seconds | peak MB |")
            .AppendLine("| --- | --- | --- | --- | --- | --- |");
        foreach (var (name, _, runs) in _rows)
        {
            var median = Measured.Median(runs);
            var spread = (runs.Max(run => run.Seconds) - runs.Min(run => run.Seconds)) / median.Seconds;
            text.AppendLine(
                CultureInfo.InvariantCulture,
                $"| {Escape(name)} | {median.Seconds:0.000} | {spread:P0} | {Ratio(runs):0.00} | "
                    + $"{Known(median.ProcessorSeconds, "0.00")} | {Known(median.PeakMegabytes, "0")} |"
            );
        }

        return text.ToString();
    }

    /// <summary>
    /// The ratios in a report, under the names of <see cref="OurRatios"/>: the columns of any table that are called <c>ratio</c>, or whose
    /// heading ends with that word.
    /// </summary>
    public static IReadOnlyDictionary<string, double> Ratios(string markdown)
    {
        Dictionary<string, double> ratios = [];
        var title = "";
        string[]? columns = null;
        foreach (var line in markdown.Split('\n'))
        {
            if (line.StartsWith(Heading, StringComparison.Ordinal))
                title = line[Heading.Length..].Trim();
            if (!line.StartsWith('|'))
            {
                columns = null;
                continue;
            }

            string[] cells = [.. Separator().Split(line.Trim().Trim('|')).Select(cell => cell.Trim())];
            columns ??= cells;
            for (var i = 1; i < Math.Min(cells.Length, columns.Length); i++)
            {
                if (
                    columns[i].EndsWith(RatioColumn, StringComparison.Ordinal)
                    && double.TryParse(cells[i], NumberStyles.Float, CultureInfo.InvariantCulture, out var ratio)
                )
                {
                    var key = Key(title, cells[0].Replace("\\|", "|", StringComparison.Ordinal));
                    ratios[columns[i] == RatioColumn ? key : $"{key}, {columns[i]}"] = ratio;
                }
            }
        }

        return ratios;
    }

    /// <summary>A bar in a cell would start another one.</summary>
    private static string Escape(string name) => name.Replace("|", "\\|", StringComparison.Ordinal);

    [GeneratedRegex(@"(?<!\\)\|")]
    private static partial Regex Separator();

    private static string Key(string title, string name) => $"{title}: {name}";

    private static string Known(double value, string format) => value > 0 ? value.ToString(format, CultureInfo.InvariantCulture) : "";

    private double Ratio(List<Measured> runs) =>
        Measured.Median(runs).Seconds / Measured.Median(_rows.Find(row => row.Name == limit).Runs).Seconds;
}
