using System.Buffers;
using System.Text;
using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.TestServer.Feeds;

/// <summary>
/// Turns a test's JSON into records of its feed, in the feed's dialect. Not thread-safe: transaction ids count up in the order of the
/// calls.
/// </summary>
internal sealed class RecordMaker(ScriptedFeedOptions options)
{
    private readonly byte[] _separator = Encoding.UTF8.GetBytes(options.Separator);
    private long _lastTransaction;

    /// <exception cref="InvalidRecordException">It is not exactly one JSON object.</exception>
    public FeedRecord Make(ReadOnlyMemory<byte> json)
    {
        var shape = RecordTraits.Read(json.Span, options.OrderField);
        ArrayBufferWriter<byte> line = new(json.Length + 128);
        // Wrapped rows are numbered above the ready-made ones before them, so that no transaction is two.
        if (options.Dialect == ScriptedDialect.Transaction && shape.Transaction is { } given)
            _lastTransaction = Math.Max(_lastTransaction, given);
        if (options.Dialect == ScriptedDialect.Transaction && shape.Transaction is null)
        {
            if (_lastTransaction == long.MaxValue)
            {
                throw new InvalidRecordException(
                    "There is no transaction id above that of the rows before. Give the row's own txid, current_xmin and since."
                );
            }

            var transaction = ++_lastTransaction;
            WriteRow(line, json, transaction, shape.Deleted);
            shape = shape with { Order = OrderValue.FromInteger(transaction) };
        }
        else if (json.Span.IndexOfAny((byte)'\r', (byte)'\n') >= 0)
        {
            WriteCompact(line, json);
        }
        else
        {
            line.Write(json.Span);
        }
        line.Write(_separator);
        return new FeedRecord(line.WrittenSpan.ToArray(), shape.Order, shape.Deleted);
    }

    private static void WriteRow(ArrayBufferWriter<byte> line, ReadOnlyMemory<byte> json, long transaction, bool deleted)
    {
        using Utf8JsonWriter writer = new(line);
        writer.WriteStartObject();
        writer.WriteNumber("txid"u8, transaction);
        writer.WriteNumber("current_xmin"u8, transaction);
        writer.WriteNumber("since"u8, transaction);
        writer.WriteBoolean("deleted"u8, deleted);
        writer.WritePropertyName("data"u8);
        ArrayBufferWriter<byte> data = new(json.Length);
        WriteCompact(data, json);
        writer.WriteRawValue(data.WrittenSpan, skipInputValidation: true);
        writer.WriteEndObject();
    }

    /// <summary>
    /// A record that was written over several lines becomes one line. White space outside strings is all that may hold a raw line break in
    /// JSON, so nothing else changes.
    /// </summary>
    private static void WriteCompact(ArrayBufferWriter<byte> line, ReadOnlyMemory<byte> json)
    {
        foreach (var b in json.Span)
        {
            if (b is not ((byte)'\r' or (byte)'\n'))
                line.Write([b]);
        }
    }
}
