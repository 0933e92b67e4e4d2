using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.TestServer.Feeds;

/// <summary>The few things that a scripted feed needs to know about a record, found in one pass over its top level.</summary>
/// <param name="Order">The value of the order field.</param>
/// <param name="Deleted">Whether it is a tombstone in either dialect.</param>
/// <param name="Transaction">The <c>txid</c> of a ready-made transaction row; null for any other record.</param>
internal readonly record struct RecordTraits(OrderValue Order, bool Deleted, long? Transaction)
{
    // Deeper than any client takes, so that a test can send what a client must refuse.
    private const int MaxDepth = 100_000;

    /// <exception cref="InvalidRecordException">Not one JSON object.</exception>
    public static RecordTraits Read(ReadOnlySpan<byte> json, string orderField)
    {
        try
        {
            Utf8JsonReader reader = new(json, new JsonReaderOptions { MaxDepth = MaxDepth });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                throw new InvalidRecordException(
                    "A record must be a JSON object, such as {\"id\":1,\"updated_at\":1,\"deleted_at\":null}."
                );
            }

            var shape = Scan(ref reader, orderField);
            if (reader.Read())
                throw new InvalidRecordException("More than one JSON value was given where one record belongs. Add them one by one.");
            return shape;
        }
        // The reader throws the latter where a name or the order value is not valid Unicode.
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new InvalidRecordException($"A record is not valid JSON: {error.Message}", error);
        }
    }

    private static RecordTraits Scan(ref Utf8JsonReader reader, string orderField)
    {
        OrderValue order = default;
        var deleted = false;
        long? transaction = null;
        var hasData = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isOrder = reader.ValueTextEquals(orderField);
            var isDeletedAt = reader.ValueTextEquals("deleted_at"u8);
            var isDeleted = reader.ValueTextEquals("deleted"u8);
            var isTxid = reader.ValueTextEquals("txid"u8);
            var isData = reader.ValueTextEquals("data"u8);
            reader.Read();
            if (isOrder)
                order = ReadOrder(reader);
            deleted |= (isDeletedAt && reader.TokenType != JsonTokenType.Null) || (isDeleted && reader.TokenType == JsonTokenType.True);
            if (isTxid && reader.TokenType == JsonTokenType.Number)
                transaction = reader.TryGetInt64(out var number) ? number : long.MaxValue;
            hasData |= isData && reader.TokenType == JsonTokenType.StartObject;
            reader.Skip();
        }
        return new RecordTraits(order, deleted, hasData ? transaction : null);
    }

    private static OrderValue ReadOrder(in Utf8JsonReader reader) =>
        reader.TokenType switch
        {
            JsonTokenType.Number => OrderValue.FromNumber(reader.ValueSpan),
            JsonTokenType.String => OrderValue.FromText(reader.GetString()!),
            _ => default,
        };
}

/// <summary>A record that was given to a scripted feed is not one JSON object.</summary>
public sealed class InvalidRecordException : FormatException
{
    internal InvalidRecordException(string message, Exception? inner = null)
        : base(message, inner) { }
}
