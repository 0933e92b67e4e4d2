using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Serving;

/// <summary>
/// Writes a row of the transaction dialect as one of the record dialect (R1): its <c>data</c>, in which the order field is the row's
/// <c>txid</c>, and <c>deleted_at</c> says whether it is a tombstone. All other members are unchanged.
/// </summary>
internal static class RecordLine
{
    private static readonly JsonReaderOptions AnyDepth = new() { MaxDepth = 128 };

    /// <summary>Writes a row, with a line feed.</summary>
    /// <param name="line">One data row that <see cref="FeedLines"/> made, with or without its line feed.</param>
    /// <param name="orderField">The name of the order field.</param>
    /// <param name="output">Gets the record.</param>
    public static void Write(ReadOnlySpan<byte> line, string orderField, IBufferWriter<byte> output)
    {
        var row = Row.Find(line);
        var data = line[row.Data];
        var json = new Utf8JsonReader(data, AnyDepth);
        json.Read();
        var (done, members, hasOrder, hasDeletion) = (0, 0, false, false);
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            members++;
            var isOrder = json.ValueTextEquals(orderField);
            var isDeletion = !isOrder && json.ValueTextEquals(WireNames.DeletedAt);
            json.Read();
            var start = (int)json.TokenStartIndex;
            var meaning = isDeletion ? MeaningOf(json) : Deletion.Alive;
            json.Skip();
            hasOrder |= isOrder;
            hasDeletion |= isDeletion;
            // A record that a whole set lacked is a tombstone whose own JSON says that it exists.
            var isOtherwise = isDeletion && row.IsDeleted && meaning is (Deletion.Alive or Deletion.OddlyAlive);
            if (!isOrder && !isOtherwise)
                continue;
            output.Write(data[done..start]);
            Write(row.Transaction, output);
            done = (int)json.BytesConsumed;
        }

        var end = data.LastIndexOf((byte)'}');
        output.Write(data[done..end]);
        if (!hasOrder)
            Append(orderField, row.Transaction, ref members, output);
        if (!hasDeletion && row.IsDeleted)
            Append("deleted_at", row.Transaction, ref members, output);
        output.Write("}\n"u8);
    }

    private static Deletion MeaningOf(in Utf8JsonReader json)
    {
        var kind = json.TokenType switch
        {
            JsonTokenType.String => JsonKind.String,
            JsonTokenType.Number => JsonKind.Number,
            JsonTokenType.True => JsonKind.True,
            JsonTokenType.False => JsonKind.False,
            JsonTokenType.Null => JsonKind.Null,
            _ => JsonKind.Object,
        };
        return DeletionMark.OfTime(new JsonSlice(kind, 0, json.ValueSpan.Length, json.ValueIsEscaped), json.ValueSpan);
    }

    private static void Append(string name, long value, ref int members, IBufferWriter<byte> output)
    {
        if (members++ > 0)
            output.Write(","u8);
        output.Write("\""u8);
        output.Write(JsonEncodedText.Encode(name).EncodedUtf8Bytes);
        output.Write("\":"u8);
        Write(value, output);
    }

    private static void Write(long value, IBufferWriter<byte> output)
    {
        Utf8Formatter.TryFormat(value, output.GetSpan(20), out var length);
        output.Advance(length);
    }

    private readonly ref struct Row
    {
        public long Transaction { get; private init; }

        public bool IsDeleted { get; private init; }

        public Range Data { get; private init; }

        public static Row Find(ReadOnlySpan<byte> line)
        {
            var json = new Utf8JsonReader(line, AnyDepth);
            long transaction = 0;
            Range data = default;
            var isDeleted = false;
            json.Read();
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                bool isTransaction = json.ValueTextEquals(WireNames.TransactionId),
                    isDeletion = json.ValueTextEquals(WireNames.Deleted),
                    isData = json.ValueTextEquals(WireNames.Data);
                json.Read();
                var start = (int)json.TokenStartIndex;
                if (isTransaction)
                    transaction = json.GetInt64();
                if (isDeletion)
                    isDeleted = json.TokenType == JsonTokenType.True;
                json.Skip();
                if (isData)
                    data = start..(int)json.BytesConsumed;
            }

            return new Row
            {
                Transaction = transaction,
                IsDeleted = isDeleted,
                Data = data,
            };
        }
    }
}
