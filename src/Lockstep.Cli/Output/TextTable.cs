using System.Text;
using System.Text.Json;
using Lockstep.Engine;
using Lockstep.Engine.Records;

namespace Lockstep.Cli.Output;

/// <summary>Prints records as a table: one column per field, as wide as its widest value among the first records.</summary>
internal sealed class TextTable(TextWriter output)
{
    /// <summary>Widths come from this many records; the rest streams by.</summary>
    private const int Sampled = 500;
    private const int Widest = 40;

    private readonly List<Dictionary<string, string>> _sample = [];
    private List<string>? _columns;
    private int[] _widths = [];

    public void Add(ReadOnlySpan<byte> json) => Add(Read(json));

    public void Add(Dictionary<string, string> values)
    {
        var row = new Dictionary<string, string>();
        foreach ((var name, var value) in values)
            row[PlainText.Of(name)] = PlainText.Of(value);
        if (_columns is not null)
        {
            Print(row);
            return;
        }

        _sample.Add(row);
        if (_sample.Count == Sampled)
            Start();
    }

    public void Finish()
    {
        if (_columns is null && _sample.Count > 0)
            Start();
        output.Flush();
    }

    private static Dictionary<string, string> Read(ReadOnlySpan<byte> json)
    {
        var row = new Dictionary<string, string>();
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 128 });
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = JsonText.Decode(ref reader);
            reader.Read();
            row[name] = ReadValue(ref reader, json);
        }

        return row;
    }

    private static string ReadValue(ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        if (reader.TokenType == JsonTokenType.Null)
            return "";
        if (reader.TokenType == JsonTokenType.String)
            return JsonText.Decode(ref reader);
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        return Encoding.UTF8.GetString(json[start..(int)reader.BytesConsumed]);
    }

    private void Start()
    {
        _columns = [.. _sample.SelectMany(row => row.Keys).Distinct()];
        _widths =
        [
            .. _columns.Select(column =>
                Math.Min(Widest, Math.Max(column.Length, _sample.Max(row => row.GetValueOrDefault(column)?.Length ?? 0)))
            ),
        ];
        Print(_columns.ToDictionary(column => column));
        Print(_columns.ToDictionary(column => column, column => new string('-', column.Length)));
        foreach (var row in _sample)
            Print(row);
        _sample.Clear();
    }

    private void Print(Dictionary<string, string> row)
    {
        var line = new StringBuilder();
        for (var i = 0; i < _columns!.Count; i++)
        {
            var value = row.GetValueOrDefault(_columns[i]) ?? "";
            if (value.Length > Widest)
                value = string.Concat(value.AsSpan(0, Widest - 3), "...");
            if (i > 0)
                line.Append("  ");
            line.Append(value.PadRight(_widths[i]));
        }

        output.WriteLine(line.ToString().TrimEnd());
    }
}
