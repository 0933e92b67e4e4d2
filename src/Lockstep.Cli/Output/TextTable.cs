using System.Text;
using System.Text.Json;
using Lockstep.Engine;
using Lockstep.Engine.Records;

namespace Lockstep.Cli.Output;

/// <summary>Prints records as a table: one column per field, as wide as its widest value among the first records.</summary>
internal sealed class TextTable(TextWriter output)
{
    /// <summary>Column widths come from this many records; the rest are streamed.</summary>
    private const int Sampled = 500;
    private const int Widest = 40;

    /// <summary>Columns beyond this number, which nobody can read in a table, are left out.</summary>
    public const int MostColumns = 1000;

    /// <summary>
    /// How many bytes of a name or value are read: more than <see cref="Widest"/> characters, however they are escaped. A record may have a
    /// hundred megabytes, and widths come from <see cref="Sampled"/> records.
    /// </summary>
    private const int MostBytes = 1024;

    private readonly List<Dictionary<string, string>> _sample = [];
    private List<string>? _columns;
    private int[] _widths = [];

    /// <summary>Whether fields were left out.</summary>
    public bool IsCut { get; private set; }

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

    private Dictionary<string, string> Read(ReadOnlySpan<byte> json)
    {
        var row = new Dictionary<string, string>();
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 128 });
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = JsonText.DecodeStart(ref reader, MostBytes);
            reader.Read();
            if (row.Count < MostColumns || row.ContainsKey(name))
            {
                row[name] = ReadValue(ref reader, json);
                continue;
            }

            IsCut = true;
            reader.Skip();
        }

        return row;
    }

    private static string ReadValue(ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        if (reader.TokenType == JsonTokenType.Null)
            return "";
        if (reader.TokenType == JsonTokenType.String)
            return JsonText.DecodeStart(ref reader, MostBytes);
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        return Encoding.UTF8.GetString(json[start..Math.Min((int)reader.BytesConsumed, start + MostBytes)]);
    }

    private void Start()
    {
        _columns = [.. _sample.SelectMany(row => row.Keys).Distinct().Take(MostColumns + 1)];
        IsCut |= _columns.Count > MostColumns;
        _columns = _columns.GetRange(0, Math.Min(_columns.Count, MostColumns));
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
