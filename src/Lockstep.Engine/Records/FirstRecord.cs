using System.Text.Json;

namespace Lockstep.Engine.Records;

/// <summary>The field names of a feed's first record, from which dialect and key are told.</summary>
internal sealed record FirstRecord(IReadOnlyList<string> Fields, IReadOnlyList<string>? DataFields, bool HasTransactionId)
{
    public bool HasField(string name) => Fields.Contains(name);

    public static FirstRecord Read(ReadOnlySpan<byte> json, JsonReaderOptions options)
    {
        var reader = new Utf8JsonReader(json, options);
        reader.Read();
        var fields = new List<string>();
        List<string>? data = null;
        bool transaction = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            fields.Add(name);
            reader.Read();
            if (name == "txid") transaction = reader.TokenType == JsonTokenType.Number;
            if (name == "data" && reader.TokenType == JsonTokenType.StartObject)
            {
                data = ReadNames(ref reader);
            }
            else
            {
                reader.Skip();
            }
        }

        return new FirstRecord(fields, data, transaction);
    }

    private static List<string> ReadNames(ref Utf8JsonReader reader)
    {
        var names = new List<string>();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            names.Add(reader.GetString()!);
            reader.Read();
            reader.Skip();
        }

        return names;
    }
}
