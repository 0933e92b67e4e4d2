using System.Globalization;
using System.Management.Automation;
using System.Text;
using Lockstep.Engine.Tables;
using Lockstep.Records;
using Lockstep.Tables;

namespace Lockstep.Terminal;

/// <summary>The visible state of a changing table: its first records, what has just happened to them, and the rate of changes.</summary>
internal sealed class TableScene(
    FoundTable table,
    RecordQuery query,
    IReadOnlyList<string>? properties,
    Action<string> warn,
    TimeProvider time
)
{
    private static readonly TimeSpan MarkFor = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RateOver = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, (char Mark, long When)> _marks = [];
    private readonly Queue<(long When, int Count)> _recent = new();
    private readonly long _began = time.GetTimestamp();

    /// <summary>Adds changes.</summary>
    public void Note(IReadOnlyList<TableChange> changes)
    {
        var now = time.GetTimestamp();
        if (changes.Count > 0)
            _recent.Enqueue((now, changes.Count));
        foreach (var change in changes)
            _marks[$"{change.Key}"] = (change.Kind == Engine.Tables.ChangeKind.Added ? '+' : '~', now);

        while (_recent.TryPeek(out var oldest) && time.GetElapsedTime(oldest.When) > RateOver)
            _recent.Dequeue();
        foreach (var (key, _) in _marks.Where(mark => time.GetElapsedTime(mark.Value.When) > MarkFor).ToArray())
            _marks.Remove(key);
    }

    /// <summary>The lines to show.</summary>
    /// <param name="width">Characters per line.</param>
    /// <param name="height">The maximum number of lines; 0 for as many as there are records.</param>
    public IReadOnlyList<string> Draw(int width, int height)
    {
        const int OtherLines = 4;
        var info = table.Table.GetInfo();
        var objects = new RecordObjects(info.Name, warn, properties, info.Fields);
        var columns = new List<string>();
        var records = new List<(char Mark, PSObject Record)>();
        using (var scan = table.Table.Read(query with { First = height > 0 ? Math.Max(1, height - OtherLines) : query.First }))
        {
            while (scan.Read())
            {
                var record = objects.Read(scan.Json);
                records.Add((MarkOf($"{scan.Key}"), record));
                columns.AddRange(record.Properties.Select(property => property.Name).Where(name => !columns.Contains(name)));
            }
        }

        var lines = TableFrame.Lay(
            columns,
            [.. records.Select(row => (row.Mark, columns.Select(column => Text(row.Record.Properties[column]?.Value)).ToArray()))],
            width
        );
        return [.. columns.Count > 0 ? lines : ["  (no records)"], "", Cut(Status(info), width)];
    }

    private char MarkOf(string key) => _marks.TryGetValue(key, out var mark) ? mark.Mark : ' ';

    private string Status(Engine.Tables.TableInfo info)
    {
        var seconds = Math.Min(RateOver.TotalSeconds, Math.Max(1, time.GetElapsedTime(_began).TotalSeconds));
        return string.Create(
            CultureInfo.CurrentCulture,
            $"  {TableFrame.Plain(info.Name)}: {info.Rows:N0} records, cursor {TableFrame.Plain($"{info.Cursor}")}, "
                + $"{_recent.Sum(batch => batch.Count) / seconds:N0} changes/s"
        );
    }

    private static string Cut(string line, int width) => line.Length <= width ? line : line[..Math.Max(0, width - 1)] + "…";

    private static string? Text(object? value) =>
        value switch
        {
            null => null,
            PSObject or object[] => Encoding.UTF8.GetString(new RecordSerializer().SerializeValue("value", value).Span),
            IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
            _ => value.ToString(),
        };
}
