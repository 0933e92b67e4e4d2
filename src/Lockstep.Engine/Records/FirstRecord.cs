using System.Text.Json;

namespace Lockstep.Engine.Records;

/// <summary>The field names of a feed's first record, from which dialect and key are inferred if the user did not name them.</summary>
/// <param name="Fields">The names in the order of the record.</param>
/// <param name="DataFields">Those within its object <c>data</c>; null if it has none.</param>
/// <param name="HasTransactionId">Whether it has a number <c>txid</c>.</param>
internal sealed record FirstRecord(IReadOnlyList<string> Fields, IReadOnlyList<string>? DataFields, bool HasTransactionId)
{
    /// <summary>Whether it is a row of the transaction dialect; feeds of the record dialect may have one of its fields too.</summary>
    public bool IsTransaction => HasTransactionId && DataFields is not null;

    public bool HasField(string name) => Fields.Contains(name);

    /// <summary>The shape of the feed's records, as far as names reveal it; null if no field of this record could be the key.</summary>
    /// <param name="request">What the user said.</param>
    /// <param name="isKeyGuessed">Whether a field is the key only because it comes first.</param>
    /// <param name="reason">What is missing, if anything.</param>
    public RecordShape? TellShape(RecordShapeRequest request, out bool isKeyGuessed, out string? reason)
    {
        var dialect =
            request.Dialect != Dialect.Auto ? request.Dialect
            : IsTransaction ? Dialect.Transaction
            : Dialect.Record;
        var order = dialect == Dialect.Transaction ? "since" : request.OrderField;
        var fields = dialect == Dialect.Transaction ? DataFields ?? [] : Fields;
        var keys = request.KeyFields;
        isKeyGuessed = false;
        reason = null;
        if (keys is null)
        {
            if (fields.Count == 0)
            {
                reason = dialect == Dialect.Transaction ? "it has no object 'data' with a key field" : "it has no fields";
                return null;
            }

            isKeyGuessed = !fields.Contains(WireNames.DefaultKeyField);
            keys = [isKeyGuessed ? fields[0] : WireNames.DefaultKeyField];
        }

        return new RecordShape(dialect, keys, [], KeyLayout.Integer, order, OrderKind.Unknown);
    }

    /// <summary>Reads an object that is valid JSON.</summary>
    public static FirstRecord Read(ReadOnlySpan<byte> json, JsonReaderOptions options)
    {
        var reader = new Utf8JsonReader(json, options);
        reader.Read();
        var fields = new List<string>();
        List<string>? data = null;
        var transaction = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            fields.Add(name);
            reader.Read();
            if (name == "txid")
                transaction = reader.TokenType == JsonTokenType.Number;
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
