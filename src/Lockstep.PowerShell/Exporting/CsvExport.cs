using System.Buffers;
using System.Text;
using System.Text.Json;
using Lockstep.Engine.Tables;

namespace Lockstep.Exporting;

/// <summary>
/// Writes records as comma-separated values (RFC 4180), a column per field. Null and missing values are empty; objects and arrays are their
/// JSON.
/// </summary>
internal sealed class CsvExport : IRecordExport
{
    private static readonly SearchValues<char> NeedQuotes = SearchValues.Create(",\"\r\n");

    private readonly StreamWriter _target;
    private readonly Dictionary<string, int> _columns;
    private readonly string?[] _values;
    private readonly Action<string>? _unknown;
    private bool _told;

    /// <param name="target">Closed when this is disposed.</param>
    /// <param name="fields">The fields of the columns, in this order.</param>
    /// <param name="headers">The names of the columns.</param>
    /// <param name="unknown">Called once, with the first field that has no column; null if columns were chosen.</param>
    public CsvExport(Stream target, IReadOnlyList<string> fields, IReadOnlyList<string> headers, Action<string>? unknown)
    {
        _target = new StreamWriter(target, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { NewLine = "\n" };
        _columns = fields
            .Select((field, index) => (field, index))
            .ToDictionary(pair => pair.field, pair => pair.index, StringComparer.Ordinal);
        _values = new string?[fields.Count];
        _unknown = unknown;
        WriteLine(headers);
    }

    public void Write(IRecordScan record)
    {
        Array.Clear(_values);
        var json = record.CheckedJson;
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 128 });
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var known = _columns.TryGetValue(Text(ref reader), out var column);
            if (!known)
                TellOf(ref reader);

            reader.Read();
            var value = ReadValue(ref reader, json);
            // If a field occurs twice, the last one counts, as everywhere.
            if (known)
                _values[column] = value;
        }

        WriteLine(_values);
    }

    public void Dispose() => _target.Dispose();

    private static string? ReadValue(ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        var start = (int)reader.TokenStartIndex;
        switch (reader.TokenType)
        {
            case JsonTokenType.Null:
                return null;
            case JsonTokenType.String:
                return Text(ref reader);
            case JsonTokenType.StartObject or JsonTokenType.StartArray:
                reader.Skip();
                break;
        }

        return Encoding.UTF8.GetString(json[start..(int)reader.BytesConsumed]);
    }

    /// <summary>A text; one with half a surrogate pair, which a text file cannot contain, keeps its escape.</summary>
    private static string Text(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return Encoding.UTF8.GetString(reader.ValueSpan);
        }
    }

    private void TellOf(ref Utf8JsonReader reader)
    {
        if (!_told)
            _unknown?.Invoke(Text(ref reader));

        _told = true;
    }

    private void WriteLine(IReadOnlyList<string?> values)
    {
        for (var i = 0; i < values.Count; i++)
        {
            if (i > 0)
                _target.Write(',');

            var value = values[i];
            if (value.AsSpan().ContainsAny(NeedQuotes))
                value = $"\"{value!.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
            _target.Write(value);
        }

        _target.WriteLine();
    }
}
